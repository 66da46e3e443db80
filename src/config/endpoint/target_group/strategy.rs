//! How a target group follows the primary.

use std::time::Duration;

use toml::Spanned;

use super::{StrategyName, TargetGroup};
use crate::config::resolve::{LONGEST_GRACE, Resolver};
use repoint_domain::spec::Strategy;
use repoint_domain::values::arn::GroupArn;

/// How long a target without a member stays in a warm group: time to rebuild a node.
const DEREGISTER_AFTER: Duration = Duration::from_mins(10);

impl Resolver<'_> {
    pub(super) fn strategy(&mut self, group: &TargetGroup, arn: Option<&GroupArn>) -> Option<Strategy> {
        let after = group.deregister_after_seconds.as_ref();
        if !matches!(group.strategy, StrategyName::Warm) {
            let message = "it applies only to `strategy = \"warm\"`";
            self.misplaced("deregister_after_seconds", after.map(Spanned::span), message);
        }
        if !matches!(group.strategy, StrategyName::Weighted) {
            let message = "it applies only to `strategy = \"weighted\"`";
            self.misplaced("listener", group.listener.as_ref().map(Spanned::span), message);
            self.misplaced("member", group.member.as_ref().map(Spanned::span), message);
        }
        match group.strategy {
            StrategyName::Exclusive => Some(Strategy::Exclusive),
            StrategyName::Warm => {
                let key = "cluster.target_group.deregister_after_seconds";
                let after = self.seconds_within(&[], key, after, Duration::ZERO..=LONGEST_GRACE);
                let after = after.unwrap_or(DEREGISTER_AFTER);
                Some(Strategy::Warm {
                    deregister_after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
                })
            }
            StrategyName::Weighted => self.weighted(group, arn),
        }
    }
}
