//! Alert topics that deliver to no one.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine, unknown};
use crate::doctor::subject::Topic;

pub const CHECK: Check = Check {
    id: "topic_without_subscription",
    severity: Severity::Critical,
    title: "An alert topic has no confirmed subscription",
    why: "SNS takes every alert and delivers it nowhere, without an error. A subscription counts only once its owner has confirmed \
          it, by the link in SNS's mail or by the endpoint itself.",
    link: "https://docs.aws.amazon.com/sns/latest/dg/sns-create-subscribe-endpoint-to-topic.html",
    judge: Judge::Topic(judge),
};

const CONFIRMED: &str = "SubscriptionsConfirmed";

fn judge(topic: &Topic<'_>) -> Judgement {
    if !topic.is_of_alerts() {
        return fine();
    }
    let attributes = topic.attributes()?;
    let Some(confirmed) = attributes.number(CONFIRMED) else {
        return unknown(format!("the attributes of {} have no {CONFIRMED}", topic.arn));
    };
    if confirmed > 0 {
        return fine();
    }
    let pending = attributes.number("SubscriptionsPending").unwrap_or(0);
    let wrong = Wrong::new(
        format!("{CONFIRMED} is 0 and SubscriptionsPending is {pending} for {}", topic.arn),
        format!(
            "aws sns subscribe --topic-arn {} --protocol email --notification-endpoint ADDRESS, and confirm it",
            topic.arn
        ),
    );
    let mut others = topic.facts.topics.iter().filter(|(arn, _)| *arn != topic.arn);
    let is_alerted = others.any(|(arn, its)| {
        let confirmed = its.attributes.as_ref().ok().and_then(|attributes| attributes.number(CONFIRMED));
        topic.facts.configured.alert_topics.contains(arn) && confirmed.is_some_and(|confirmed| confirmed > 0)
    });
    Ok(vec![if is_alerted { wrong.with(Severity::Warning) } else { wrong }])
}
