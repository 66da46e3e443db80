//! Weighted target groups, one of each member behind common listeners.

use toml::Spanned;

use super::{TargetGroup, TargetRole};
use crate::config::resolve::{Given, Place, Resolver};
use repoint_domain::spec::{GroupSpec, Strategy};
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::cluster::{EntryName, MemberName};
use repoint_domain::values::endpoint::Endpoint;

/// The most target groups of a listener's action (NLB user guide, "Quotas", "Target groups per listener rule
/// action").
const MOST_GROUPS: usize = 5;

const LISTENER: &str = "cluster.target_group.listener";
const MEMBER: &str = "cluster.target_group.member";

impl Resolver<'_> {
    /// Checks a weighted group against the earlier ones.
    pub(super) fn behind(
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
                let what = format!("listener `{}`", listener.name());
                self.claim(entry, (Endpoint::Listener(listener.clone()), &what), &span, LISTENER);
            }
        }
        if let Some(other) = others.iter().find(|other| other.strategy.listeners() != listeners) {
            let message = format!(
                "target group `{}` shares some of its listeners with this group, but not all: groups behind one listener must have the same listeners",
                other.arn.name()
            );
            self.push_error(&span, LISTENER, message);
        }
        if others.iter().any(|other| other.strategy.member() == Some(member)) {
            let span = group.member.as_ref().map_or_else(|| group.arn.span(), Spanned::span);
            let message = format!("member `{member}` has two target groups behind the same listener");
            self.push_error(&span, MEMBER, message);
        }
        if others.len() == MOST_GROUPS {
            let message = format!(
                "a listener forwards to at most {MOST_GROUPS} target groups, and this one exceeds that"
            );
            self.push_error(&span, LISTENER, message);
        }
    }

    pub(super) fn weighted(&mut self, group: &TargetGroup, arn: Option<&GroupArn>) -> Option<Strategy> {
        if matches!(group.role, TargetRole::Reader) {
            let message = "`strategy = \"weighted\"` sends every connection to one member, so it is not possible for readers";
            self.push_error(&group.arn.span(), "cluster.target_group.role", message);
        }
        for (key, is_given) in [("listener", group.listener.is_some()), ("member", group.member.is_some())] {
            if !is_given {
                let message = format!("`strategy = \"weighted\"` requires `{key}`");
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
            self.push_error(&given.span(), LISTENER, "it is empty: it must name a listener");
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
            self.push_error(&given.span(), LISTENER, "it names a listener twice");
        }
        Some(Strategy::Weighted { listeners, member: MemberName::new(member.get_ref()) })
    }
}
