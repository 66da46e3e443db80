//! Listeners over the Elastic Load Balancing API.
//!
//! Invariant 7 (own only): only the default action is written, with everything but the weights as it was read.
//! `ModifyListener` keeps what the request omits (protocol, certificates, policies).

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::config::Builder;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, TargetGroupStickinessConfig, TargetGroupTuple,
};

use super::Elbv2;
use crate::adapters::aws::refusal::missing;
use crate::adapters::aws::{Call, failure, prompt};
use crate::limits::LeaseGuard;
use crate::ports::Listeners;
use repoint_domain::observed::Read;
use repoint_domain::rates::RateKey;
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::listener::{Forward, Listener, Stickiness};

const DESCRIBE: &str = "elasticloadbalancing:DescribeListeners";
const MODIFY: &str = "elasticloadbalancing:ModifyListener";

#[async_trait]
impl Listeners for Elbv2 {
    async fn read(&self, arn: &ListenerArn) -> Read<Listener> {
        let line = RateKey::ElbRead(arn.region().to_owned());
        let _leave = self.calls.read(&line).await;
        let answer = self
            .client(DESCRIBE, arn.region(), arn)?
            .describe_listeners()
            .listener_arns(arn.as_str())
            .customize()
            .interceptor(Call::new(&self.calls, DESCRIBE).on(&line))
            .send()
            .await
            .map_err(|error| failure(DESCRIBE, arn.as_str(), &error))?;
        let mut listeners = answer.listeners().iter();
        let listener = listeners.find(|listener| listener.listener_arn() == Some(arn.as_str()));
        let listener = listener.ok_or_else(|| {
            unread(Kind::NotFound, arn, "the answer does not list the listener")
                .with_hint(missing(arn.as_str()))
        })?;
        match listener.default_actions() {
            [only] if only.r#type() == Some(&ActionTypeEnum::Forward) => {
                forward(only).map(Listener::Forward).map_err(|words| unread(Kind::Invalid, arn, &words))
            }
            actions => {
                let kinds = actions.iter().filter_map(Action::r#type).map(ActionTypeEnum::as_str);
                let kinds: Vec<&str> = kinds.collect();
                Ok(Listener::Other(format!("its default action is {}", kinds.join(", then "))))
            }
        }
    }

    async fn forward(&self, arn: &ListenerArn, forward: &Forward, guard: &LeaseGuard) -> Result<(), Failure> {
        let line = RateKey::ElbWrite(arn.region().to_owned());
        let _leave = self.calls.write(&line).await;
        self.client(MODIFY, arn.region(), arn)?
            .modify_listener()
            .listener_arn(arn.as_str())
            .default_actions(written(forward))
            .customize()
            .config_override(Builder::new().timeout_config(prompt()))
            .interceptor(Call::new(&self.calls, MODIFY).on(&line).fenced(guard, arn.as_str()))
            .send()
            .await
            .map(drop)
            .map_err(|error| failure(MODIFY, arn.as_str(), &error))
    }
}

/// Converts a forward action. An action that names only a group gives it all traffic, and so does a single tuple
/// without a weight (`TargetGroupTuple`, `Weight`).
fn forward(action: &Action) -> Result<Forward, String> {
    let config = action.forward_config();
    let group = |text: &str| GroupArn::parse(text).map_err(|error| format!("it forwards to {text}: {error}"));
    let mut weights = BTreeMap::new();
    for tuple in config.map(ForwardActionConfig::target_groups).unwrap_or_default() {
        let weight = u32::try_from(tuple.weight().unwrap_or(1)).unwrap_or_default();
        weights.insert(group(tuple.target_group_arn().unwrap_or_default())?, weight);
    }
    if let Some(only) = action.target_group_arn().filter(|_| weights.is_empty()) {
        weights.insert(group(only)?, 1);
    }
    let stickiness = config.and_then(ForwardActionConfig::target_group_stickiness_config);
    Ok(Forward {
        weights,
        stickiness: stickiness.map(|sticky| Stickiness {
            enabled: sticky.enabled(),
            duration_seconds: sticky.duration_seconds(),
        }),
        order: action.order(),
    })
}

fn written(forward: &Forward) -> Action {
    let groups = forward.weights.iter().map(|(group, weight)| {
        let weight = i32::try_from(*weight).unwrap_or(i32::MAX);
        TargetGroupTuple::builder().target_group_arn(group.as_str()).weight(weight).build()
    });
    let stickiness = forward.stickiness.map(|sticky| {
        TargetGroupStickinessConfig::builder()
            .set_enabled(sticky.enabled)
            .set_duration_seconds(sticky.duration_seconds)
            .build()
    });
    let config = ForwardActionConfig::builder()
        .set_target_groups(Some(groups.collect()))
        .set_target_group_stickiness_config(stickiness);
    Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .set_order(forward.order)
        .forward_config(config.build())
        .build()
}

fn unread(kind: Kind, arn: &ListenerArn, message: &str) -> Failure {
    Failure::new(kind, DESCRIBE, arn.to_string(), message)
}
