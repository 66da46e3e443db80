//! The target groups of a cluster.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::{Given, LONGEST_GRACE, Place, Resolver};
use crate::config::file::{self, TargetGroup, TargetRole};
use repoint_domain::spec::{GroupRole, GroupSpec, Strategy};
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::{EntryName, MemberName};
use repoint_domain::values::endpoint::Endpoint;

/// How long a target stays in a warm group that belongs to no member: time to build a node anew.
const DEREGISTER_AFTER: Duration = Duration::from_mins(10);
/// How far a replica that is read from may be behind: one WAL segment, PostgreSQL's own unit of shipping.
pub(super) const MAX_LAG_BYTES: u64 = 16 * 1024 * 1024;
/// How many target groups a listener's action forwards to (NLB user guide, "Quotas", "Target groups per listener rule action").
const MOST_GROUPS: usize = 5;

const LISTENER: &str = "cluster.target_group.listener";
const MEMBER: &str = "cluster.target_group.member";

impl Resolver<'_> {
    /// The groups of a cluster, in the order of their ARNs. Groups behind one listener are one cluster's, each has a member
    /// of its own, and all stand behind the same listeners, under one role.
    pub(super) fn groups(
        &mut self,
        entry: &EntryName,
        groups: &[TargetGroup],
        role: Option<&AssumedRole>,
    ) -> Vec<GroupSpec> {
        let mut intents: Vec<GroupSpec> = Vec::new();
        for group in groups {
            let Some(spec) = self.group(entry, group, role) else { continue };
            if let Strategy::Weighted { listeners, member } = &spec.strategy {
                self.behind(entry, group, (listeners, member), &intents);
                let shares =
                    |other: &GroupSpec| other.strategy.listeners().iter().any(|its| listeners.contains(its));
                if intents.iter().any(|other| shares(other) && other.assume != spec.assume) {
                    let span = group.role_arn.as_ref().map_or_else(|| group.arn.span(), Spanned::span);
                    let message = "the groups behind one listener have one role, which is the listener's too";
                    self.push_error(&span, "cluster.target_group.role_arn", message);
                }
            }
            intents.push(spec);
        }
        intents.sort_by(|a, b| a.arn.cmp(&b.arn));
        intents
    }

    /// Checks a weighted group against those before it.
    fn behind(
        &mut self,
        entry: &EntryName,
        group: &TargetGroup,
        (listeners, member): (&[ListenerArn], &MemberName),
        before: &[GroupSpec],
    ) {
        let span = group.listener.as_ref().map_or_else(|| group.arn.span(), Spanned::span);
        let shares =
            |other: &&GroupSpec| other.strategy.listeners().iter().any(|its| listeners.contains(its));
        let others: Vec<&GroupSpec> = before.iter().filter(shares).collect();
        if others.is_empty() {
            for listener in listeners {
                self.claim(entry, Endpoint::Listener(listener.clone()), &span, LISTENER);
            }
        }
        if let Some(other) = others.iter().find(|other| other.strategy.listeners() != listeners) {
            let message = format!(
                "target group `{}` shares a listener with this one, and not all: groups of a set stand behind the same ones",
                other.arn.name()
            );
            self.push_error(&span, LISTENER, message);
        }
        if others.iter().any(|other| other.strategy.member() == Some(member)) {
            let span = group.member.as_ref().map_or_else(|| group.arn.span(), Spanned::span);
            let message = format!("member `{member}` has two target groups behind one listener");
            self.push_error(&span, MEMBER, message);
        }
        if others.len() == MOST_GROUPS {
            let message =
                format!("a listener forwards to {MOST_GROUPS} target groups at most, and this is one more");
            self.push_error(&span, LISTENER, message);
        }
    }

    fn group(
        &mut self,
        entry: &EntryName,
        group: &TargetGroup,
        inherited: Option<&AssumedRole>,
    ) -> Option<GroupSpec> {
        let arn = self.spanned(&group.arn, "cluster.target_group.arn", GroupArn::parse);
        let port = group.port.as_ref().map(|port| (port.get_ref(), port.span()));
        if let Some((0, span)) = &port {
            self.push_error(span, "cluster.target_group.port", "0 is no port");
        }
        let availability_zone = group
            .availability_zone
            .as_ref()
            .and_then(|zone| self.spanned(zone, "cluster.target_group.availability_zone", availability_zone));
        let (role, strategy) = (self.role(group), self.strategy(group, arn.as_ref()));
        let assume = self.role_of_group(group, inherited);
        let (arn, strategy) = (arn?, strategy?);
        self.is_of_partition(arn.partition(), &Place::File(group.arn.span()), "cluster.target_group.arn");
        self.claim(entry, Endpoint::Group(arn.clone()), &group.arn.span(), "cluster.target_group.arn");
        let port = port.map(|(port, _)| *port);
        Some(GroupSpec { arn, site: None, role, strategy, port, availability_zone, assume })
    }

    fn role(&mut self, group: &TargetGroup) -> GroupRole {
        let (lag, fallback) = (&group.max_lag_bytes, &group.primary_fallback);
        match group.role {
            TargetRole::Writer => {
                let message = "it is for readers: put `role = \"reader\"` beside it";
                let spans = [lag.as_ref().map(Spanned::span), fallback.as_ref().map(Spanned::span)];
                for (key, span) in ["max_lag_bytes", "primary_fallback"].into_iter().zip(spans) {
                    self.misplaced(key, span, message);
                }
                GroupRole::Writer
            }
            TargetRole::Reader => GroupRole::Reader {
                max_lag_bytes: lag.as_ref().map_or(MAX_LAG_BYTES, |lag| *lag.get_ref()),
                primary_fallback: fallback.as_ref().is_none_or(|fallback| *fallback.get_ref()),
            },
        }
    }

    fn strategy(&mut self, group: &TargetGroup, arn: Option<&GroupArn>) -> Option<Strategy> {
        let after = group.deregister_after_seconds.as_ref();
        if !matches!(group.strategy, file::Strategy::Warm) {
            let message = "it is for `strategy = \"warm\"`";
            self.misplaced("deregister_after_seconds", after.map(Spanned::span), message);
        }
        if !matches!(group.strategy, file::Strategy::Weighted) {
            let message = "it is for `strategy = \"weighted\"`";
            self.misplaced("listener", group.listener.as_ref().map(Spanned::span), message);
            self.misplaced("member", group.member.as_ref().map(Spanned::span), message);
        }
        match group.strategy {
            file::Strategy::Exclusive => Some(Strategy::Exclusive),
            file::Strategy::Warm => {
                let key = "cluster.target_group.deregister_after_seconds";
                let after = self.seconds_within(&[], key, after, Duration::ZERO..=LONGEST_GRACE);
                let after = after.unwrap_or(DEREGISTER_AFTER);
                Some(Strategy::Warm {
                    deregister_after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
                })
            }
            file::Strategy::Weighted => self.weighted(group, arn),
        }
    }

    fn weighted(&mut self, group: &TargetGroup, arn: Option<&GroupArn>) -> Option<Strategy> {
        if matches!(group.role, TargetRole::Reader) {
            let message =
                "`strategy = \"weighted\"` sends every connection to one member, so it is for writers";
            self.push_error(&group.arn.span(), "cluster.target_group.role", message);
        }
        for (key, is_given) in [("listener", group.listener.is_some()), ("member", group.member.is_some())] {
            if !is_given {
                let message = format!("`strategy = \"weighted\"` needs `{key}` beside it");
                self.push_error(&group.arn.span(), "cluster.target_group.strategy", message);
            }
        }
        let member = group.member.as_ref()?;
        if member.get_ref().trim().is_empty() {
            self.push_error(&member.span(), MEMBER, "it is empty");
        }
        let given = group.listener.as_ref()?;
        let mut listeners = Vec::new();
        for text in &given.get_ref().0 {
            let text = Given { value: text.clone(), place: Place::File(given.span()) };
            listeners.push(self.parsed(&text, LISTENER, ListenerArn::parse)?);
        }
        if listeners.is_empty() {
            self.push_error(&given.span(), LISTENER, "it names no listener");
            return None;
        }
        let is_elsewhere = |listener: &ListenerArn| {
            arn.is_some_and(|arn| (arn.region(), arn.account()) != (listener.region(), listener.account()))
        };
        if listeners.iter().any(is_elsewhere) {
            let message = "the listener is in another Region or account than the target group";
            self.push_error(&given.span(), LISTENER, message);
        }
        let named = listeners.len();
        listeners.sort();
        listeners.dedup();
        if listeners.len() < named {
            self.push_error(&given.span(), LISTENER, "it names one listener twice");
        }
        Some(Strategy::Weighted { listeners, member: MemberName::new(member.get_ref()) })
    }

    /// A key that means nothing here.
    fn misplaced(&mut self, key: &str, span: Option<Range<usize>>, message: &str) {
        if let Some(span) = span {
            self.push_error(&span, &format!("cluster.target_group.{key}"), message);
        }
    }
}

/// The name of an Availability Zone, or `all` (ELB API, `TargetDescription`).
fn availability_zone(text: &str) -> Result<String, &'static str> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_zone = text.ends_with(|last: char| last.is_ascii_alphabetic()) && text.contains('-');
    if is_plain && (is_zone || text == "all") {
        Ok(text.to_owned())
    } else {
        Err("it is no Availability Zone such as eu-west-1a, and not `all`")
    }
}
