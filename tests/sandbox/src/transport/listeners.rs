//! Listeners.

use async_trait::async_trait;
use repoint::limits::LeaseGuard;
use repoint::ports::Listeners;
use repoint_domain::observed::Read;
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::failure::Failure;
use repoint_domain::values::listener::{Forward, Listener, Stickiness};

use super::Link;
use super::failure::failure;
use crate::Millis;
use crate::aws::elbv2::listener;
use crate::simulation::{Action, World};

const DESCRIBE: &str = "elasticloadbalancing:DescribeListeners";
const MODIFY: &str = "elasticloadbalancing:ModifyListener";

#[async_trait]
impl Listeners for Link {
    async fn read(&self, arn: &ListenerArn) -> Read<Listener> {
        let listener = arn.to_string();
        self.call(DESCRIBE, arn.as_str(), None, move |world, now| {
            described(world, now, &listener).map(Listener::Forward)
        })
        .await
    }

    async fn forward(&self, arn: &ListenerArn, forward: &Forward, guard: &LeaseGuard) -> Result<(), Failure> {
        let (listener, after, by) = (arn.to_string(), forward.clone(), self.identity.clone());
        self.call(MODIFY, arn.as_str(), Some(guard), move |world, now| {
            let before = described(world, now, &listener)?;
            let groups = after
                .weights
                .iter()
                .map(|(group, weight)| listener::Forward { group: group.to_string(), weight: Some(*weight) });
            let is_sticky = after.stickiness.and_then(|sticky| sticky.enabled);
            let changed =
                world.account_of(&listener).modify_listener(now, &listener, groups.collect(), is_sticky);
            changed.map_err(|error| failure(MODIFY, &listener, &error))?;
            world.done(now, &by, &Action::Weighted { listener, before, after });
            Ok(())
        })
        .await
    }
}

fn described(world: &mut World, now: Millis, arn: &str) -> Result<Forward, Failure> {
    let found = world.account_of(arn).describe_listeners(now, None, &[arn.to_owned()]);
    let found = found.map_err(|error| failure(DESCRIBE, arn, &error))?;
    Ok(ours(&found[0]))
}

/// A listener's action in `repoint`'s words.
pub(crate) fn ours(listener: &listener::Listener) -> Forward {
    let weight = |forward: &listener::Forward| {
        let group = GroupArn::parse(&forward.group).ok()?;
        Some((group, forward.weight.unwrap_or(1)))
    };
    Forward {
        weights: listener.forwards.iter().filter_map(weight).collect(),
        stickiness: listener
            .is_sticky
            .map(|enabled| Stickiness { enabled: Some(enabled), duration_seconds: None }),
        order: None,
    }
}
