//! Whether a listener may be changed so.
//!
//! Invariants: connections go to the primary's group alone (3), never nowhere (5), and only once the primary is in it; the
//! targets that had them may be deregistered only after that (6). What is not configured in the listener stays as it was
//! read (7).

use std::collections::{BTreeMap, BTreeSet};

use super::target_group::{group, is_at};
use super::{Refusal, Seen, once};
use crate::observed::Observed;
use crate::plan::{ListenerStep, TargetStep};
use crate::spec::{GroupSpec, Spec, Strategy};
use crate::values::arn::{GroupArn, ListenerArn};
use crate::values::listener::{Forward, Listener, WeightChange};
use crate::values::primary::Primary;
use crate::values::target::Target;

pub(super) fn listeners(
    steps: &[ListenerStep],
    spec: &Spec,
    seen: &Seen,
    touched: &mut BTreeSet<String>,
) -> Result<(), Refusal> {
    let Seen { observed, primary, .. } = *seen;
    let changed: Vec<&ListenerArn> = steps.iter().filter_map(listener_of).collect();
    let set = changed.iter().find_map(|arn| set_of(spec, arn)).unwrap_or_default();
    if let Some(foreign) = changed.iter().find(|arn| !set.contains(arn)) {
        return Err(Refusal::NotOurs(foreign.to_string()));
    }
    let is_behind = |group: &&GroupSpec| !set.is_empty() && group.strategy.listeners() == set;
    let ours: Vec<&GroupSpec> = spec.groups.iter().filter(is_behind).collect();
    if ours.iter().any(|group| group.site.is_some() && group.site != primary.site) {
        let listener = set.first().map(ToString::to_string);
        return Err(Refusal::OtherSite(listener.unwrap_or_default()));
    }
    let mut opened: BTreeSet<(&GroupArn, &Target)> = BTreeSet::new();
    let mut of_groups: BTreeMap<&GroupArn, Vec<TargetStep>> = BTreeMap::new();
    let mut unmoved: BTreeSet<&ListenerArn> =
        set.iter().filter(|arn| !rests_on_primary(arn, spec, observed, primary)).collect();
    let mut is_moved = false;
    for step in steps {
        match step {
            ListenerStep::Target(group, step) => {
                if !ours.iter().any(|own| own.arn == *group) {
                    return Err(Refusal::NotOurs(group.to_string()));
                }
                match step {
                    TargetStep::Deregister(target) if !is_moved || !unmoved.is_empty() => {
                        return Err(Refusal::ClosesFirst {
                            group: group.to_string(),
                            target: target.clone(),
                        });
                    }
                    TargetStep::Register(target) if !is_moved => drop(opened.insert((group, target))),
                    TargetStep::Register(_) | TargetStep::Deregister(_) => {}
                }
                of_groups.entry(group).or_default().push(step.clone());
            }
            ListenerStep::Weights(weights) => {
                let arn = &weights.listener;
                once(touched, arn.to_string())?;
                reweighting(weights, &opened, &ours, observed, primary)?;
                is_moved = true;
                unmoved.remove(arn);
            }
        }
    }
    for (arn, steps) in of_groups {
        once(touched, arn.to_string())?;
        group(arn, &steps, spec, seen)?;
    }
    Ok(())
}

/// The listener whose weights a step changes.
fn listener_of(step: &ListenerStep) -> Option<&ListenerArn> {
    match step {
        ListenerStep::Weights(weights) => Some(&weights.listener),
        ListenerStep::Target(..) => None,
    }
}

/// The listeners that the groups behind this one stand behind.
fn set_of<'a>(spec: &'a Spec, arn: &ListenerArn) -> Option<&'a [ListenerArn]> {
    spec.groups.iter().map(|group| group.strategy.listeners()).find(|set| set.contains(arn))
}

/// Whether a listener sends connections to the primary's group alone.
fn rests_on_primary(arn: &ListenerArn, spec: &Spec, observed: &Observed, primary: &Primary) -> bool {
    let is_primarys =
        |group: &GroupArn| spec.groups.iter().any(|own| own.arn == *group && is_of(own, primary));
    match observed.listeners.get(arn) {
        Some(Ok(Listener::Forward(read))) => {
            read.weights.iter().all(|(group, weight)| *weight == 0 || is_primarys(group))
        }
        _ => false,
    }
}

fn reweighting(
    WeightChange { listener: arn, before, after }: &WeightChange,
    opened: &BTreeSet<(&GroupArn, &Target)>,
    ours: &[&GroupSpec],
    observed: &Observed,
    primary: &Primary,
) -> Result<(), Refusal> {
    let name = || arn.to_string();
    let Some(Ok(Listener::Forward(read))) = observed.listeners.get(arn) else {
        return Err(Refusal::Unread(name()));
    };
    let is_ours = |group: &GroupArn| ours.iter().any(|own| own.arn == *group);
    let foreign = |of: &Forward| -> BTreeMap<GroupArn, u32> {
        of.weights
            .iter()
            .filter(|(group, _)| !is_ours(group))
            .map(|(group, weight)| (group.clone(), *weight))
            .collect()
    };
    let lost = read.weights.keys().any(|group| !after.weights.contains_key(group));
    let is_carried = foreign(read) == foreign(after)
        && after.stickiness == read.stickiness
        && after.order == read.order
        && !lost;
    if before != read || !is_carried {
        return Err(Refusal::Rewrites(name()));
    }
    if after == before {
        return Err(Refusal::Repeats(name()));
    }
    let mut live =
        after.weights.iter().filter(|(_, weight)| **weight != 0).map(|(group, _)| group).peekable();
    if live.peek().is_none() {
        return Err(Refusal::Empties(name()));
    }
    let primarys = ours.iter().find(|own| is_of(own, primary));
    let Some(primarys) = primarys.filter(|own| live.all(|group| *group == own.arn)) else {
        return Err(Refusal::WrongNode { endpoint: name(), at: after.to_string() });
    };
    let Some(Ok(group)) = observed.groups.get(&primarys.arn) else {
        return Err(Refusal::Unread(primarys.arn.to_string()));
    };
    let there = group.targets.iter().filter(|health| health.state != "draining").map(|health| &health.target);
    let opened = opened.iter().filter(|(group, _)| **group == primarys.arn).map(|(_, target)| *target);
    let is_primary = |target: &Target| {
        primary.address.as_ref().is_some_and(|address| is_at(target, address, primarys, group, observed))
    };
    if there.chain(opened).any(is_primary) {
        return Ok(());
    }
    Err(Refusal::SendsFirst { listener: name(), group: primarys.arn.to_string() })
}

/// While one of its listeners sends connections to another group than the primary's, it is unknown which group has the
/// connections, and nothing may be deregistered.
pub(super) fn closes_nothing_in_use(
    arn: &GroupArn,
    steps: &[TargetStep],
    spec: &Spec,
    observed: &Observed,
    primary: &Primary,
) -> Result<(), Refusal> {
    let group = spec.groups.iter().find(|own| own.arn == *arn);
    let mut listeners = group.map_or(&[][..], |own| own.strategy.listeners()).iter();
    let rests_elsewhere = listeners.all(|listener| rests_on_primary(listener, spec, observed, primary));
    let closed = steps.iter().find_map(|step| match step {
        TargetStep::Deregister(target) => Some(target.clone()),
        TargetStep::Register(_) => None,
    });
    match closed {
        Some(target) if !rests_elsewhere => Err(Refusal::ClosesFirst { group: arn.to_string(), target }),
        _ => Ok(()),
    }
}

fn is_of(group: &GroupSpec, primary: &Primary) -> bool {
    matches!(&group.strategy, Strategy::Weighted { member, .. } if Some(member) == primary.member.as_ref())
}
