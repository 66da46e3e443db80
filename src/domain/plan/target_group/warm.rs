//! A target group that holds every member, and whose health check on Patroni chooses among them.
//!
//! No target is deregistered at once. A target that belongs to no member stays for a while: a member that is being rebuilt
//! comes back, and until it is gone the load balancer's own check keeps clients away from it.

use std::collections::BTreeSet;
use std::iter::once;

use super::health_check::{apis, validate_health_check};
use super::place::{may_be, target};
use crate::decide::readers::readers;
use crate::observed::ClusterMember;
use crate::observed::member::{Member, members, primarys_view};
use crate::plan::hosts::Hosts;
use crate::plan::readers::unplaced;
use crate::plan::{EndpointReason, Needs, TargetStep, WarningReason, primary_address};
use crate::spec::{GroupRole, GroupSpec, Spec};
use crate::values::cluster::Address;
use crate::values::primary::Primary;
use crate::values::target::Target;

/// A warm group, as it is and as it should be.
pub struct Warm {
    primary: Result<Target, EndpointReason>,
    /// The members, in the order in which the primary lists them, the primary first.
    belong: Vec<Target>,
    /// What is there and may be a member: the lists of two members are not of the same moment, and not every member can be
    /// placed.
    may_belong: BTreeSet<Target>,
    registered: BTreeSet<Target>,
    healthy: Vec<Target>,
    /// The replicas that surely may be read from, in a group of readers.
    readers: Option<Vec<Target>>,
    /// Whether its health check takes the primary as well.
    takes_primary: bool,
    /// The members that have no place in it.
    unplaced: Vec<WarningReason>,
    /// Why the place of one is not known.
    unknown: Option<EndpointReason>,
}

/// Puts together what was read of a group and of the members.
pub fn group(
    wanted: &GroupSpec,
    spec: &Spec,
    hosts: Hosts,
    primary: &Primary,
) -> Result<Warm, EndpointReason> {
    let unreadable = |failure: &_| EndpointReason::Unreadable(Clone::clone(failure));
    let observed = hosts.observed;
    let group = observed.groups.get(&wanted.arn).ok_or(EndpointReason::ReplicasUnknown)?;
    let group = group.as_ref().map_err(unreadable)?;
    let check = group.check.as_ref().ok_or(EndpointReason::ReplicasUnknown)?;
    validate_health_check(check, wanted.role, &apis(spec, observed, primary))
        .map_err(EndpointReason::HealthCheck)?;

    let name = primary.member.as_ref().ok_or(EndpointReason::ReplicasUnknown)?;
    let members = members(observed.answers_of(primary.site.as_ref()));
    let view = primarys_view(&members, name).ok_or(EndpointReason::ReplicasUnknown)?;
    let registered: BTreeSet<Target> = group.registered().cloned().collect();
    let at = |address: &Address| target(wanted, group, address, hosts);
    let address_of = |listed: &ClusterMember| {
        let unknown = || EndpointReason::MemberAddressUnknown(listed.name.clone());
        listed.address.clone().ok_or_else(unknown)
    };
    let first = primary_address(primary).and_then(at);
    let others = view.members.iter().filter(|listed| listed.name != *name);
    let others = others.map(|listed| (&listed.name, address_of(listed).and_then(|address| at(&address))));
    let (mut belong, mut left_out, mut unknown) = (Vec::new(), Vec::new(), None);
    for (member, place) in once((name, first.clone())).chain(others) {
        match place {
            Ok(target) => belong.push(target),
            // One that cannot be found cannot be registered; the others can.
            Err(reason) if reason.is_unknown() || member == name => unknown = unknown.or(Some(reason)),
            Err(reason) => left_out.push(unplaced(member, reason)),
        }
    }
    if belong.is_empty() {
        return Err(unknown.unwrap_or(EndpointReason::ReplicasUnknown));
    }
    let listed = members.iter().filter_map(Member::view).flat_map(|view| &view.members);
    let addresses: Vec<Option<&Address>> =
        listed.map(|listed| listed.address.as_ref()).chain([primary.address.as_ref()]).collect();
    let may_be_member = |held: &&Target| {
        let is_it = |address: &Address| match at(address) {
            Ok(target) => target == **held,
            Err(_) => may_be(wanted, group, held, address, hosts),
        };
        addresses.iter().any(|address| address.is_none_or(is_it))
    };
    let may_belong = registered.iter().filter(may_be_member).cloned().collect();
    let healthy = group.targets.iter().filter(|listed| listed.state == "healthy");
    let mut healthy: Vec<Target> = healthy.map(|listed| listed.target.clone()).collect();
    healthy.sort();
    let fit = match wanted.role {
        GroupRole::Writer => None,
        GroupRole::Reader { max_lag_bytes, .. } => Some(readers(observed, primary, max_lag_bytes)),
    };
    let fit = fit.map(|fit| {
        let sure = fit.into_iter().flatten().filter(|reader| reader.may_come_in);
        sure.filter_map(|reader| at(reader.address.as_ref()?).ok()).collect()
    });
    Ok(Warm {
        primary: first,
        belong,
        may_belong,
        registered,
        healthy,
        readers: fit,
        takes_primary: check.path.as_deref().is_some_and(|path| path.starts_with("/read-only")),
        unplaced: left_out,
        unknown,
    })
}

impl Warm {
    /// The targets that belong to no member.
    fn surplus(&self) -> impl Iterator<Item = &Target> {
        self.registered
            .iter()
            .filter(|target| !self.belong.contains(target) && !self.may_belong.contains(target))
    }

    /// Its steps and warnings.
    pub(super) fn needs(self, may_leave: impl Fn(&Target) -> bool) -> Needs<Vec<TargetStep>> {
        let what = self.steps(may_leave);
        let surplus: Vec<WarningReason> = self.surplus().cloned().map(WarningReason::Surplus).collect();
        let unhealthy = self.unhealthy();
        let warnings = surplus.into_iter().chain(unhealthy).chain(self.unplaced).collect();
        Needs { what, warnings, unknown: self.unknown }
    }

    /// Where the load balancer and Patroni disagree. How far a replica may be behind is for each to say, so of readers only
    /// those count that are well within repoint's limit, and the primary where the check is not for it.
    fn unhealthy(&self) -> Option<WarningReason> {
        let healthy = self.healthy.clone();
        let primary = self.primary.as_ref().ok();
        let Some(readers) = &self.readers else {
            let primary = primary?;
            let is_right = self.healthy == [primary.clone()];
            return (!is_right).then(|| WarningReason::Unhealthy { healthy, primary: primary.clone() });
        };
        let missing: Vec<Target> = readers.iter().filter(|fit| !healthy.contains(fit)).cloned().collect();
        let has_primary = !self.takes_primary && primary.is_some_and(|primary| healthy.contains(primary));
        (has_primary || !missing.is_empty())
            .then(|| WarningReason::Unread { healthy, readers: readers.clone() })
    }

    /// Registers the missing members, and then deregisters the targets whose time has passed. As in any group, a deregistration
    /// comes after the registration of the primary, since the list may be old; while that cannot be placed nothing is closed.
    fn steps(&self, may_leave: impl Fn(&Target) -> bool) -> Vec<TargetStep> {
        let closes = |target: &&Target| self.primary.is_ok() && may_leave(target);
        let leaving: Vec<&Target> = self.surplus().filter(closes).collect();
        let is_missing = |target: &&Target| !self.registered.contains(target);
        let mut missing: Vec<&Target> = self.belong.iter().filter(is_missing).collect();
        if missing.is_empty() && !leaving.is_empty() {
            missing.extend(&self.primary);
        }
        let register = missing.into_iter().cloned().map(TargetStep::Register);
        register.chain(leaving.into_iter().cloned().map(TargetStep::Deregister)).collect()
    }
}
