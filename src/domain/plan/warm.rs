//! A target group that holds every member, and whose health check on Patroni chooses among them.
//!
//! Law: nobody is thrown out at once. A target that belongs to no member stays for a while: a member that is being built
//! anew comes back, and until it is gone the load balancer's own check keeps clients away from it.

use std::collections::BTreeSet;
use std::iter::once;

use super::group::target;
use super::{Concern, EndpointReason, Hosts, TargetStep, Worry, primary_address};
use crate::domain::endpoint::{Endpoint, GroupArn, Target};
use crate::domain::health_check::{rest_ports, tells_apart};
use crate::domain::intent::{GroupIntent, GroupRole, Intent};
use crate::domain::readers::readers;
use crate::domain::verdict::Primary;
use crate::domain::witness::{Witness, primarys_view, witnesses};
use crate::domain::world::Listed;

/// A warm group, as it is and as it should be.
pub struct Warm {
    primary: Target,
    /// The members, in the order in which the primary lists them, the primary first.
    belong: Vec<Target>,
    /// Whom anybody lists: the lists of two members are not of the same moment.
    listed: BTreeSet<Target>,
    registered: BTreeSet<Target>,
    healthy: Vec<Target>,
    /// The replicas that surely may be read from, in a group of readers.
    readers: Option<Vec<Target>>,
    /// Whether its health check takes the primary as well.
    takes_primary: bool,
}

/// Puts together what was read of a group and of the members.
pub fn group(
    wanted: &GroupIntent,
    intent: &Intent,
    hosts: Hosts,
    primary: &Primary,
) -> Result<Warm, EndpointReason> {
    let world = hosts.world;
    let unreadable = |failure: &_| EndpointReason::Unreadable(Clone::clone(failure));
    let group = world.groups.get(&wanted.arn).ok_or(EndpointReason::ReplicasUnknown)?;
    let group = group.as_ref().map_err(unreadable)?;
    let check = group.check.as_ref().ok_or(EndpointReason::ReplicasUnknown)?;
    tells_apart(check, wanted.role, &rest_ports(intent, world, primary))
        .map_err(EndpointReason::HealthCheck)?;

    let name = primary.member.as_ref().ok_or(EndpointReason::ReplicasUnknown)?;
    let witnesses = witnesses(world.answers_of(primary.site.as_ref()));
    let view = primarys_view(&witnesses, name).ok_or(EndpointReason::ReplicasUnknown)?;
    let first = target(wanted, group, primary_address(primary)?, hosts)?;
    let found = |listed: &Listed| match target(wanted, group, listed.address.as_ref()?, hosts) {
        Ok(target) => Some(Ok(target)),
        // Whoever cannot be found cannot be registered; the others can.
        Err(EndpointReason::NoInstance(_) | EndpointReason::AddressUnfit(_)) => None,
        Err(reason) => Some(Err(reason)),
    };
    let others = view.members.iter().filter(|listed| listed.name != *name).filter_map(found);
    let belong = once(Ok(first.clone())).chain(others).collect::<Result<Vec<_>, _>>()?;
    let listed = witnesses.iter().filter_map(Witness::view).flat_map(|view| &view.members);
    let listed = listed.filter_map(found).collect::<Result<BTreeSet<_>, _>>()?;
    let healthy = group.targets.iter().filter(|listed| listed.state == "healthy");
    let mut healthy: Vec<Target> = healthy.map(|listed| listed.target.clone()).collect();
    healthy.sort();
    let fit = match wanted.role {
        GroupRole::Writer => None,
        GroupRole::Reader { max_lag_bytes, .. } => Some(readers(world, primary, max_lag_bytes)),
    };
    let fit = fit.map(|fit| {
        let sure = fit.into_iter().flatten().filter(|reader| reader.may_come_in);
        sure.filter_map(|reader| target(wanted, group, &reader.address, hosts).ok()).collect()
    });
    Ok(Warm {
        primary: first,
        belong,
        listed,
        registered: group.registered().cloned().collect(),
        healthy,
        readers: fit,
        takes_primary: check.path.as_deref().is_some_and(|path| path.starts_with("/read-only")),
    })
}

impl Warm {
    /// The targets that belong to no member.
    fn surplus(&self) -> impl Iterator<Item = &Target> {
        self.registered.iter().filter(|target| !self.belong.contains(target) && !self.listed.contains(target))
    }

    /// What people should know of it.
    pub fn concerns(&self, arn: &GroupArn) -> Vec<Concern> {
        let surplus = self.surplus().cloned().map(Worry::Surplus);
        let endpoint = Endpoint::Group(arn.clone());
        surplus.chain(self.unhealthy()).map(|what| Concern { endpoint: endpoint.clone(), what }).collect()
    }

    /// Where the load balancer and Patroni disagree. How far a replica may be behind is for each to say, so of readers only
    /// those count that are well within repoint's limit, and the primary where the check is not for it.
    fn unhealthy(&self) -> Option<Worry> {
        let healthy = self.healthy.clone();
        let Some(readers) = &self.readers else {
            let is_right = self.healthy == [self.primary.clone()];
            return (!is_right).then(|| Worry::Unhealthy { healthy, primary: self.primary.clone() });
        };
        let missing: Vec<Target> = readers.iter().filter(|fit| !healthy.contains(fit)).cloned().collect();
        let has_primary = !self.takes_primary && healthy.contains(&self.primary);
        (has_primary || !missing.is_empty()).then(|| Worry::Unread { healthy, readers: readers.clone() })
    }

    /// Registers who is missing, and then deregisters those whose time has come. As in any group, whoever closes something
    /// registers the primary first, since the list may be old.
    pub fn steps(&self, may_leave: impl Fn(&Target) -> bool) -> Vec<TargetStep> {
        let leaving: Vec<&Target> = self.surplus().filter(|target| may_leave(target)).collect();
        let is_missing = |target: &&Target| !self.registered.contains(target);
        let mut missing: Vec<&Target> = self.belong.iter().filter(is_missing).collect();
        if missing.is_empty() && !leaving.is_empty() {
            missing.push(&self.primary);
        }
        let register = missing.into_iter().cloned().map(TargetStep::Register);
        register.chain(leaving.into_iter().cloned().map(TargetStep::Deregister)).collect()
    }
}
