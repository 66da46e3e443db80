//! The target groups of a cluster.

use std::time::Duration;

use toml::Spanned;

use super::{LONGEST_GRACE, Resolver};
use crate::config::file::{self, TargetGroup, TargetRole};
use crate::domain::cluster::Scope;
use crate::domain::endpoint::{Endpoint, GroupArn};
use crate::domain::intent::{GroupIntent, GroupRole, Strategy};

/// How long a target stays in a warm group that belongs to no member: time to build a node anew.
const LEAVE_AFTER: Duration = Duration::from_mins(10);
/// How far a replica that is read from may be behind: one WAL segment, PostgreSQL's own unit of shipping.
pub(super) const MAX_LAG_BYTES: u64 = 16 * 1024 * 1024;

impl Resolver<'_> {
    pub(super) fn group(&mut self, scope: &Scope, group: &TargetGroup) -> Option<GroupIntent> {
        let arn = self.spanned(&group.arn, "cluster.target_group.arn", GroupArn::parse)?;
        let port = group.port.as_ref().map(|port| (port.get_ref(), port.span()));
        if let Some((0, span)) = &port {
            self.complain(span, "cluster.target_group.port", "0 is no port");
        }
        let (role, strategy) = (self.role(group), self.strategy(group));
        self.claim(scope, Endpoint::Group(arn.clone()), &group.arn.span(), "cluster.target_group.arn");
        Some(GroupIntent { arn, role, strategy, port: port.map(|(port, _)| *port) })
    }

    fn role(&mut self, group: &TargetGroup) -> GroupRole {
        let (lag, fallback) = (&group.max_lag_bytes, &group.primary_fallback);
        match group.role {
            TargetRole::Writer => {
                let message = "it is for readers: put `role = \"reader\"` beside it";
                let spans = [lag.as_ref().map(Spanned::span), fallback.as_ref().map(Spanned::span)];
                for (key, span) in ["max_lag_bytes", "primary_fallback"].into_iter().zip(spans) {
                    if let Some(span) = span {
                        self.complain(&span, &format!("cluster.target_group.{key}"), message);
                    }
                }
                GroupRole::Writer
            }
            TargetRole::Reader => GroupRole::Reader {
                max_lag_bytes: lag.as_ref().map_or(MAX_LAG_BYTES, |lag| *lag.get_ref()),
                primary_fallback: fallback.as_ref().is_none_or(|fallback| *fallback.get_ref()),
            },
        }
    }

    fn strategy(&mut self, group: &TargetGroup) -> Strategy {
        const KEY: &str = "cluster.target_group.leave_after_seconds";
        let file = group.leave_after_seconds.as_ref();
        match group.strategy {
            file::Strategy::Exclusive => {
                if let Some(spanned) = file {
                    self.complain(&spanned.span(), KEY, "it is for `strategy = \"warm\"`");
                }
                Strategy::Exclusive
            }
            file::Strategy::Warm => {
                let after = self.seconds_within(&[], KEY, file, Duration::ZERO..=LONGEST_GRACE);
                let after = after.unwrap_or(LEAVE_AFTER);
                Strategy::Warm { leave_after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX) }
            }
        }
    }
}
