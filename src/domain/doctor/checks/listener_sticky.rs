//! Stickiness where weights choose the group.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine, wrong_or};
use crate::doctor::remedy::{forward, set_of_group};
use crate::doctor::subject::{Listener, known};
use crate::values::listener;

pub const CHECK: Check = Check {
    id: "listener_sticky",
    severity: Severity::Warning,
    title: "Clients stick to the former primary's group",
    why: "Behind a listener with weights, repoint gives the new primary's group all the weight. With stickiness a client that was \
          sent to a group before goes on getting that one, the former primary's, whatever the weights are.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html",
    judge: Judge::Listener(judge),
};

const NAME: &str = "stickiness.enabled";

fn judge(listener: &Listener<'_>) -> Judgement {
    let group = listener.balancer.group;
    let mut configured = group.spec.strategy.listeners().iter();
    let Some(arn) = configured.find(|arn| arn.as_str() == listener.its.arn) else { return fine() };
    let (mut wrong, mut gap) = (Vec::new(), None);
    match group.attributes().map(|attributes| attributes.is_on(NAME)) {
        Ok(Some(true)) => {
            let remedy = set_of_group(&group.spec.arn, &[(NAME, "false")]);
            wrong.push(Wrong::new(format!("{NAME} is true for {}", group.spec.arn.name()), remedy));
        }
        Ok(Some(false) | None) => {}
        Err(why) => gap = Some(why),
    }
    match known(group.cluster.its.observed.listeners.get(arn)) {
        Ok(listener::Listener::Forward(its))
            if its.stickiness.is_some_and(|its| its.enabled == Some(true)) =>
        {
            let remedy = forward(arn.as_str(), &its.weights);
            wrong.push(Wrong::new("TargetGroupStickinessConfig is enabled", remedy));
        }
        Ok(_) => {}
        Err(why) => gap = Some(why),
    }
    wrong_or(wrong, gap)
}
