//! Where a load balancer sends new connections.
//!
//! Connections always reach a target while there is one: when none is healthy, all get traffic ("fail open").
//! Sources: NLB guide, "Health checks"; aws-load-balancer-controller#2366 (a draining target keeps getting new
//! connections), aws/containers-roadmap#469 (so do initial ones when none is healthy) and #470 (unhealthy ones for a while).

use std::collections::BTreeSet;

use super::super::Account;
use super::group::Members;
use super::target::{Health, Member, Phase, State, Target};
use crate::Millis;

impl Account {
    /// The targets of a group that a new connection may reach now, in order. Empty for an empty group, for one on no
    /// listener, and for an unknown one. This is the data plane: it does not lag, fail or count as a call.
    #[must_use]
    pub fn routes(&self, group: &str, now: Millis) -> Vec<Target> {
        let Some(group) = self.balancing.groups.get(group) else { return Vec::new() };
        let members = group.members.latest();
        if members.load_balancer.is_none() {
            return Vec::new();
        }
        let usable = |target: &Target, member: &Member| {
            !member.is_gone(now) && self.state_of(group, members, target, member, now).0 != State::Unused
        };
        let good =
            self.reachable(members, now, |target, member| usable(target, member) && is_healthy(member));
        let open = good.is_empty();
        self.reachable(members, now, |target, member| {
            usable(target, member) && (is_healthy(member) || open || self.lingers(member, now))
        })
    }

    /// The targets that a new connection to a listener may reach now: those of its groups, but for weight 0.
    #[must_use]
    pub fn listener_routes(&self, listener: &str, now: Millis) -> Vec<Target> {
        let forwards =
            self.balancing.listeners.get(listener).map(|it| it.forwards.as_slice()).unwrap_or_default();
        let live = forwards.iter().filter(|forward| forward.weight != Some(0));
        let reached: BTreeSet<Target> = live.flat_map(|forward| self.routes(&forward.group, now)).collect();
        reached.into_iter().collect()
    }

    /// Whether DNS counts a load balancer as healthy: each of its groups has a healthy target, and a group without
    /// targets has none (Route 53 API, `EvaluateTargetHealth`). `None` if no load balancer has this name.
    pub(in crate::aws) fn is_balancer_healthy(&self, dns_name: &str) -> Option<bool> {
        let dns_name = dns_name.trim_end_matches('.');
        let balancer = self.balancing.load_balancers.values().find(|it| it.dns_name == dns_name)?;
        let members = self.balancing.groups.values().map(|group| group.members.latest());
        let mut used =
            members.filter(|members| members.load_balancer.as_ref() == Some(&balancer.arn)).peekable();
        Some(used.peek().is_some() && used.all(|members| members.targets.values().any(is_healthy)))
    }

    /// The targets of a group that have not been deregistered, in order; empty for an unknown group. Like
    /// [`routes`](Self::routes) it is no call.
    #[must_use]
    pub fn registered(&self, group: &str) -> Vec<Target> {
        let Some(group) = self.balancing.groups.get(group) else { return Vec::new() };
        let stays = |member: &Member| matches!(member.phase, Phase::Registered(_));
        let targets = &group.members.latest().targets;
        targets.iter().filter(|(_, member)| stays(member)).map(|(target, _)| target.clone()).collect()
    }

    fn reachable(
        &self,
        members: &Members,
        now: Millis,
        pick: impl Fn(&Target, &Member) -> bool,
    ) -> Vec<Target> {
        let stays = |member: &Member| match &member.phase {
            Phase::Registered(_) => true,
            Phase::Draining { since, .. } => now < since + self.settings.deregistration_routing,
        };
        members
            .targets
            .iter()
            .filter(|(target, member)| pick(target, member) && stays(member))
            .map(|(target, _)| target.clone())
            .collect()
    }

    /// Deregistered, and still gets traffic.
    fn lingers(&self, member: &Member, now: Millis) -> bool {
        match &member.phase {
            Phase::Draining { .. } => true,
            Phase::Registered(registered) => {
                matches!(registered.health, Health::Unhealthy { since } if now < since + self.settings.unhealthy_routing)
            }
        }
    }
}

fn is_healthy(member: &Member) -> bool {
    matches!(&member.phase, Phase::Registered(registered) if registered.health == Health::Healthy)
}
