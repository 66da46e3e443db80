//! One target group for each member behind a listener, or several: the primary's gets every connection, the others get
//! none.
//!
//! Invariants: open before close (6), so connections go to a group only once the primary is in it, and what they may still rest
//! on goes after that; unknown is not absent (2), so the group of a member that is not listed stays as it is.

use std::collections::BTreeSet;

use super::hosts::Hosts;
use super::target_group::target;
use super::{
    Context, EndpointHold, EndpointReason, EndpointWarning, ListenerStep, Plan, StepGroup, TargetStep,
    WarningReason, primary_address,
};
use crate::observed::Observed;
use crate::observed::member::{Member, members, primarys_view};
use crate::spec::GroupSpec;
use crate::values::arn::{GroupArn, ListenerArn};
use crate::values::cluster::{Address, MemberName};
use crate::values::endpoint::Endpoint;
use crate::values::listener::{ALL, Listener, WeightChange};
use crate::values::primary::Primary;
use crate::values::target::Target;

/// A group, and what has to be done for it to hold its member alone.
struct Filling<'a> {
    arn: &'a GroupArn,
    own: Target,
    missing: bool,
    strays: Vec<Target>,
}

/// Adds the steps that each set of listeners needs, and the listeners and groups that are held.
pub(super) fn plan(context: &Context, plan: &mut Plan) {
    let Context { spec, hosts, primary, .. } = *context;
    for (listener_arns, groups) in spec.weighted_sets() {
        listeners(listener_arns, &groups, hosts, primary, plan);
    }
}

/// Plans what the listeners before some groups need, and those groups. No listener waits for another (15), but what
/// connections may rest on stays until all of them have moved.
fn listeners(
    listeners: &[ListenerArn],
    groups: &[(&MemberName, &GroupSpec)],
    hosts: Hosts,
    primary: &Primary,
    plan: &mut Plan,
) {
    let observed = hosts.observed;
    // One is enough to say that a member has no group.
    let of_listener = listeners.first().map(|arn| Endpoint::Listener(arn.clone()));
    let without = without_group(groups, observed, primary).filter_map(|member| {
        Some(EndpointWarning { endpoint: of_listener.clone()?, what: WarningReason::NoGroup(member) })
    });
    plan.warnings.extend(without);
    let warnings = &mut plan.warnings;
    let mut hold = |endpoint, reason| plan.holds.push(EndpointHold { endpoint, reason });
    let mut first = None;
    let mut others = Vec::new();
    let mut unfilled = None;
    for (member, wanted) in groups {
        let is_primarys = primary.member.as_ref() == Some(member);
        match filling(member, wanted, hosts, primary) {
            Ok(filling) if is_primarys => first = filling,
            Ok(filling) => others.extend(filling),
            // One that cannot be found cannot be registered, and its group gets no connections.
            Err(why @ (EndpointReason::NoInstance(_) | EndpointReason::AddressUnfit(_))) if !is_primarys => {
                let endpoint = Endpoint::Group(wanted.arn.clone());
                warnings.push(EndpointWarning { endpoint, what: super::readers::unplaced(member, why) });
            }
            Err(reason) => {
                if is_primarys {
                    unfilled = Some(reason.clone());
                }
                hold(Endpoint::Group(wanted.arn.clone()), reason);
            }
        }
    }
    let mut moves = Vec::new();
    let mut is_known = true;
    for arn in listeners {
        match (weights(arn, groups, observed, primary), &unfilled) {
            (Ok(None), _) => {}
            (Ok(Some(weights)), None) => moves.push(ListenerStep::Weights(weights)),
            // It is unknown which group has the primary's connections, so nothing is deregistered.
            (Ok(Some(_)), Some(reason)) => {
                is_known = false;
                hold(Endpoint::Listener(arn.clone()), reason.clone());
            }
            (Err(reason), _) => {
                is_known = false;
                hold(Endpoint::Listener(arn.clone()), reason);
            }
        }
    }
    let closing = |group: &Filling| if is_known { group.closing() } else { Vec::new() };
    if moves.is_empty() {
        plan.step_groups.extend(first.iter().chain(&others).filter_map(|group| {
            let steps: Vec<TargetStep> = group.opening().into_iter().chain(closing(group)).collect();
            (!steps.is_empty()).then(|| StepGroup::Group { arn: group.arn.clone(), steps })
        }));
        return;
    }
    let of_group = |group: &Filling, steps: Vec<TargetStep>| {
        steps.into_iter().map(|step| ListenerStep::Target(group.arn.clone(), step)).collect::<Vec<_>>()
    };
    let open = first.iter().flat_map(|group| of_group(group, group.opening()));
    let close = first.iter().flat_map(|group| of_group(group, closing(group)));
    let rest = others.iter().flat_map(|group| {
        of_group(group, group.opening()).into_iter().chain(of_group(group, closing(group)))
    });
    let steps = open.chain(moves).chain(close).chain(rest).collect();
    plan.step_groups.push(StepGroup::Listeners { steps });
}

/// The replicas that could be promoted and that the listener could not follow; that the primary has no group is a
/// hold.
fn without_group(
    groups: &[(&MemberName, &GroupSpec)],
    observed: &Observed,
    primary: &Primary,
) -> impl Iterator<Item = MemberName> {
    let seen = members(observed.answers_of(primary.site.as_ref()));
    let view = primary.member.as_ref().and_then(|leader| primarys_view(&seen, leader));
    let listed = view.into_iter().flat_map(|view| &view.members);
    let without = listed.filter(|listed| {
        let is_primary = Some(&listed.name) == primary.member.as_ref();
        !is_primary && !listed.nofailover && groups.iter().all(|(member, _)| **member != listed.name)
    });
    without.map(|listed| listed.name.clone()).collect::<BTreeSet<_>>().into_iter()
}

impl Filling<'_> {
    fn opening(&self) -> Vec<TargetStep> {
        self.missing.then(|| TargetStep::Register(self.own.clone())).into_iter().collect()
    }

    /// As in any group, a deregistration comes after the registration of the member, since the list may be old.
    fn closing(&self) -> Vec<TargetStep> {
        let again = !self.missing && !self.strays.is_empty();
        let again = again.then(|| TargetStep::Register(self.own.clone()));
        again.into_iter().chain(self.strays.iter().cloned().map(TargetStep::Deregister)).collect()
    }
}

/// What a member's group lacks; `None` if it is unknown where the member is.
fn filling<'a>(
    member: &MemberName,
    wanted: &'a GroupSpec,
    hosts: Hosts,
    primary: &Primary,
) -> Result<Option<Filling<'a>>, EndpointReason> {
    let observed = hosts.observed;
    let group = match observed.groups.get(&wanted.arn) {
        Some(Ok(group)) => group,
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        None => return Err(EndpointReason::ReplicasUnknown),
    };
    let at = |address: &Address| target(wanted, group, address, hosts);
    let seen = members(observed.answers_of(primary.site.as_ref()));
    let listed = seen.iter().filter_map(Member::view).flat_map(|view| &view.members);
    let mut belong: BTreeSet<Target> = BTreeSet::new();
    let own = if primary.member.as_ref() == Some(member) {
        at(primary_address(primary)?)?
    } else {
        let leader = primary.member.as_ref();
        let view = leader.and_then(|leader| primarys_view(&seen, leader));
        let known = view.and_then(|view| view.member(member)).and_then(|listed| listed.address.as_ref());
        let Some(address) = known else { return Ok(None) };
        // The lists of two members are not of the same moment: where any of them has it, it may stay.
        let elsewhere = listed.filter(|listed| listed.name == *member);
        belong.extend(elsewhere.filter_map(|listed| at(listed.address.as_ref()?).ok()));
        at(address)?
    };
    belong.insert(own.clone());
    let registered: BTreeSet<&Target> = group.registered().collect();
    Ok(Some(Filling {
        arn: &wanted.arn,
        missing: !registered.contains(&own),
        own,
        strays: registered.into_iter().filter(|target| !belong.contains(target)).cloned().collect(),
    }))
}

/// The weights that the listener lacks, if any. Whatever the numbers are, they are right if the primary's group alone
/// gets connections and every other group is there, since only groups behind a listener are kept warm.
fn weights(
    arn: &ListenerArn,
    groups: &[(&MemberName, &GroupSpec)],
    observed: &Observed,
    primary: &Primary,
) -> Result<Option<WeightChange>, EndpointReason> {
    let before = match observed.listeners.get(arn) {
        Some(Ok(Listener::Forward(forward))) => forward,
        Some(Ok(Listener::Other(what))) => {
            return Err(EndpointReason::Listener(format!(
                "it does not forward connections to target groups: {what}; repoint changes only weights"
            )));
        }
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        None => return Err(EndpointReason::Listener("it was not read".to_owned())),
    };
    let is_ours = |group: &GroupArn| groups.iter().any(|(_, ours)| ours.arn == *group);
    if let Some((foreign, weight)) =
        before.weights.iter().find(|(group, weight)| **weight > 0 && !is_ours(group))
    {
        return Err(EndpointReason::Listener(format!(
            "it sends connections to target group {} as well (weight {weight}), which is not configured; give it weight 0 \
             or remove it from the listener",
            foreign.name()
        )));
    }
    let named = primary.member.as_ref().ok_or(EndpointReason::Unnamed)?;
    let primarys = groups.iter().find(|(member, _)| *member == named);
    let (_, primarys) = primarys.ok_or_else(|| EndpointReason::NoGroup {
        primary: named.clone(),
        known: groups.iter().map(|(member, _)| (*member).clone()).collect(),
    })?;
    let is_right = groups.iter().all(|(_, group)| {
        let weight = before.weights.get(&group.arn);
        weight.is_some_and(|weight| (*weight > 0) == (group.arn == primarys.arn))
    });
    if is_right {
        return Ok(None);
    }
    let mut after = before.clone();
    after.weights.extend(groups.iter().map(|(_, group)| (group.arn.clone(), 0)));
    after.weights.insert(primarys.arn.clone(), ALL);
    Ok(Some(WeightChange { listener: arn.clone(), before: before.clone(), after }))
}
