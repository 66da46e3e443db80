//! Whether the endpoints equal the truth of the cluster.
//!
//! Asked only after the faults, and of the world itself; what reconcilers store or report does not count.

use std::collections::BTreeSet;

use repoint_domain::spec::PointsTo;
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::record::{self as domain, ZoneId};

use super::scenario::Scenario;
use super::sites::{Node, Side};
use super::world::World;
use crate::Millis;
use crate::aws::route53::list::ListFrom;
use crate::transport::{MAX_LAG_BYTES, forward_of, ours};

/// The members that may be read from; the primary if there is no other.
fn fit_readers(world: &World, leader: Node) -> Vec<Node> {
    let fit = |node: &Node| {
        let cluster = world.cluster_of(node.side);
        cluster.is_some_and(|cluster| cluster.may_be_read_from(node.member, MAX_LAG_BYTES))
    };
    let fit: Vec<Node> = world.nodes_of(leader.side).into_iter().filter(fit).collect();
    if fit.is_empty() { vec![leader] } else { fit }
}

/// What differs from the truth.
pub(super) fn wrong(world: &mut World, now: Millis, scenario: &Scenario) -> Option<String> {
    let leader = world.leader()?;
    wrong_groups(world, leader, scenario)
        .or_else(|| wrongly_weighted(world, now, leader))
        .or_else(|| wrong_records(world, now, leader))
        .or_else(|| Side::BOTH.into_iter().find_map(|side| wrong_unmanaged(world, side)))
}

/// What differs from the truth in the target groups of the site that leads. Those of another one are left alone.
fn wrong_groups(world: &World, leader: Node, scenario: &Scenario) -> Option<String> {
    let resources = world.resources_of(leader.side)?;
    let host = world.host_of(leader);
    let by_ip = world.registered(&resources.ip_group);
    if by_ip != [host.clone()] {
        return Some(format!("the group holds {by_ip:?}, and the primary is {host}"));
    }
    if let Some(far) = &world.far {
        let there = world.registered(&far.group);
        if there != [host.clone()] {
            return Some(format!("the second Region's group holds {there:?}, and the primary is {host}"));
        }
    }
    let nodes = |group: &str| -> Vec<Option<Node>> {
        let mut nodes: Vec<_> =
            world.registered(group).iter().map(|target| world.member_of(group, target)).collect();
        nodes.sort();
        nodes
    };
    if scenario.shape.has_instances {
        let nodes = nodes(&resources.instance_group);
        if nodes != [Some(leader)] {
            return Some(format!("the group of instances holds {nodes:?}, and the primary is {leader:?}"));
        }
    }
    if scenario.shape.has_readers {
        let expected: Vec<_> = fit_readers(world, leader).into_iter().map(Some).collect();
        let readers = nodes(&resources.reader_group);
        if readers != expected {
            return Some(format!("the group of readers holds {readers:?}, and {expected:?} are fit"));
        }
    }
    if scenario.shape.has_warm {
        let members: BTreeSet<_> = nodes(&resources.warm_group).into_iter().collect();
        if members != world.nodes_of(leader.side).into_iter().map(Some).collect() {
            return Some(format!("the warm group holds {members:?}"));
        }
    }
    None
}

/// What differs from the truth behind the listener: a client that connects there reaches the primary and no other member.
fn wrongly_weighted(world: &mut World, now: Millis, leader: Node) -> Option<String> {
    let weighted = world.resources_of(leader.side)?.weighted.clone()?;
    let listener = std::slice::from_ref(&weighted.listener);
    let listeners = world.account_of(&weighted.listener).describe_listeners(now, None, listener);
    let forward = listeners.ok().and_then(|found| found.first().map(forward_of))?;
    for (node, group) in world.nodes_of(leader.side).into_iter().zip(&weighted.groups) {
        let arn = GroupArn::parse(group).ok()?;
        let share = forward.weights.get(&arn).copied();
        if share.is_none_or(|share| (share > 0) != (node == leader)) {
            return Some(format!(
                "the group of {node:?} has weight {share:?}, and {leader:?} is the primary"
            ));
        }
        let targets = world.registered(group);
        if targets != [world.host_of(node)] {
            return Some(format!("the group of {node:?} holds {targets:?}"));
        }
    }
    let host = world.host_of(leader);
    let reached = world.account_of(&weighted.listener).listener_routes(&weighted.listener, now);
    if !reached.iter().any(|target| target.id == host) {
        return Some(format!("connections reach {reached:?}, and the primary is {host}"));
    }
    let foreign = GroupArn::parse(&weighted.foreign).ok()?;
    let is_sticky = forward.stickiness.and_then(|sticky| sticky.enabled);
    let is_kept = forward.weights.get(&foreign) == Some(&0) && is_sticky == Some(true);
    (!is_kept).then(|| format!("what is not configured of the listener has changed: {forward:?}"))
}

/// What differs from the truth in the zone.
fn wrong_records(world: &mut World, now: Millis, leader: Node) -> Option<String> {
    let zone = world.resources.zone.clone();
    let page = world.account.list_resource_record_sets(now, &zone, &ListFrom::default(), None);
    let sets = page.map(|page| page.sets).unwrap_or_default();
    if !sets.contains(&world.resources.unmanaged_record) {
        return Some("a record that is not configured has changed".to_owned());
    }
    let id = ZoneId::new(zone.rsplit('/').next().unwrap_or(&zone));
    let ours: Vec<_> = sets.iter().filter_map(|set| ours(&id, set)).collect();
    for wanted in &world.resources.spec.records {
        let set = ours.iter().find(|set| set.key == wanted.key);
        if wanted.points_to == PointsTo::Site {
            let side = set.and_then(|set| match &set.answer {
                domain::Answer::Alias(alias) => world.side_of(alias),
                domain::Answer::Values { .. } => None,
            });
            let is_second = wanted.failover == Some(domain::Failover::Secondary);
            if side != Some(if is_second { leader.side.other() } else { leader.side }) {
                return Some(format!("{} leads to {side:?}, and the primary is {leader:?}", wanted.key));
            }
            continue;
        }
        let values = set.and_then(|set| match &set.answer {
            domain::Answer::Values { values, .. } => Some(&values[..]),
            domain::Answer::Alias(_) => None,
        });
        let values = values.unwrap_or_default();
        let mut nodes: Vec<_> = values.iter().filter_map(|value| world.member_at(value)).collect();
        nodes.sort();
        let is_right = match wanted.points_to {
            PointsTo::Primary => nodes == [leader],
            PointsTo::Standby => nodes.len() == 1 && nodes != [leader],
            PointsTo::Readers { .. } => nodes == fit_readers(world, leader),
            PointsTo::Site => false,
        };
        if !is_right || nodes.len() != values.len() {
            return Some(format!("{} points at {values:?}, and the primary is {leader:?}", wanted.key));
        }
    }
    None
}

fn wrong_unmanaged(world: &World, side: Side) -> Option<String> {
    let foreign = world.registered(&world.resources_of(side)?.foreign_group);
    (foreign.len() != 1).then(|| format!("a group that is not configured has changed: {foreign:?}"))
}
