//! Applies an event to the world.
//!
//! An event that does not fit the situation (a switchover to a stopped member) has no effect.

use std::collections::BTreeSet;

use super::event::{Event, Fault};
use super::sites::Side;
use super::world::World;
use crate::Millis;
use crate::aws::elbv2::listener::Forward;
use crate::aws::elbv2::target::TargetDescription;
use crate::aws::route53::batch::{Change, ChangeAction};
use crate::aws::route53::list::ListFrom;
use crate::aws::route53::record::{Answer, RecordSet};
use crate::aws::service::Service;
use crate::aws::throttle::{Bucket, Rate};
use crate::patroni::{Cluster, MemberId, Silence};
use crate::transport::{NAME, PORT, TTL, their_alias, weights};

/// Applies an event.
pub(super) fn apply(world: &mut World, now: Millis, event: Event) {
    match event {
        Event::In(side, fault) => {
            if let Some(cluster) = world.cluster_mut(side) {
                apply_fault(cluster, now, fault);
            }
        }
        Event::LoseSite(side) => each(world, side, |cluster, id| cluster.crash(now, id, Silence::TimedOut)),
        Event::StartSite { side, as_zombies: true } => {
            each(world, side, |cluster, id| cluster.start_as_zombie(now, id));
        }
        Event::StartSite { side, as_zombies: false } => {
            each(world, side, |cluster, id| cluster.start(now, id));
        }
        Event::PromoteSite(side) => {
            if let Some(cluster) = world.cluster_mut(side) {
                cluster.promote_site(now);
            }
        }
        Event::DemoteSite(side) => {
            if let Some(cluster) = world.cluster_mut(side) {
                cluster.demote_site(now);
            }
        }
        Event::CutOff(side, is_cut_off) => {
            if let Some(away) = &mut world.away {
                put(&mut away.cut_off, side, is_cut_off);
            }
        }
        Event::RegionDown(side, is_region_down) => {
            if let Some(away) = &mut world.away {
                put(&mut away.unreachable, side, is_region_down);
            }
        }
        Event::CutReplication(is_cut) => {
            if let Some(away) = &mut world.away {
                away.is_replication_cut = is_cut;
            }
        }
        Event::FaultRates(reconciler, fault_rates) => {
            if let Some(there) = world.fault_rates.get_mut(reconciler) {
                *there = fault_rates;
            }
        }
        Event::StateDown(is_down) => world.is_state_down = is_down,
        Event::StateReadOnly(is_read_only) => world.is_state_read_only = is_read_only,
        Event::ClockAhead(reconciler, ahead) => drop(world.clocks_ahead.insert(reconciler, ahead)),
        Event::HangZones(hang) => world.zones_hang = hang,
        Event::Part { first_has_majority } => world.part(now, first_has_majority),
        Event::Join => world.join(now),
        Event::FarDown(is_down) => {
            if let Some(far) = &mut world.far {
                far.is_down = is_down;
            }
        }
        Event::Replace => world.replace(now),
        Event::AddNode => world.add_node(now),
        Event::RemoveNode(member) => world.remove_node(now, member),
        Event::StartCopy => world.start_copy(now),
        Event::ReadLag(lag) => {
            for service in [Service::Elbv2, Service::Route53, Service::Ec2] {
                world.account.set_read_lag(service, lag);
            }
        }
        Event::ProtectRecord(protected) => {
            let zone = world.resources.zone.clone();
            world.account.protect_records(&zone, NAME, "A", protected);
        }
        Event::Deny(action) => world.account.denials.deny(action, ""),
        Event::DenyPages => {
            let pages = world.resources.alert_topics.last().map(|topic| topic.arn.to_string());
            world.account.denials.deny("sns:Publish", &pages.unwrap_or_default());
        }
        Event::Allow => world.account.denials.clear(),
        Event::SmallBuckets(are_small) => small_buckets(world, are_small),
        Event::EditGroup { member, register } => edit_group(world, now, member, register),
        Event::EditMembersGroup { of, member, register } => {
            edit_members_group(world, now, of, member, register);
        }
        Event::EditWeights(member) => edit_weights(world, now, member),
        Event::EditRecord(member) => edit_record(world, now, member),
        Event::StartClone(member) => world.start_clone(now, member),
        Event::StopClone(member) => drop(world.clones.remove(&member)),
    }
}

fn each(world: &mut World, side: Side, what: impl Fn(&mut Cluster, MemberId)) {
    if let Some(cluster) = world.cluster_mut(side) {
        for id in cluster.ids() {
            what(cluster, id);
        }
    }
}

fn put(sides: &mut BTreeSet<Side>, side: Side, is_in: bool) {
    if is_in {
        sides.insert(side);
    } else {
        sides.remove(&side);
    }
}

fn apply_fault(cluster: &mut Cluster, now: Millis, fault: Fault) {
    match fault {
        Fault::Crash(member, silence) => cluster.crash(now, member, silence),
        Fault::KillPatroni(member) => cluster.kill_patroni(now, member),
        Fault::CrashPostgres(member) => cluster.crash_postgres(now, member),
        Fault::Start(member) => cluster.start(now, member),
        Fault::StartAsZombie(member) => cluster.start_as_zombie(now, member),
        Fault::Hang(member) => cluster.hang(now, member),
        Fault::Unhang(member) => cluster.unhang(now, member),
        Fault::Freeze(member) => cluster.freeze(now, member),
        Fault::Thaw(member) => cluster.thaw(now, member),
        Fault::CutFromDcs(member) => cluster.cut_from_dcs(now, member),
        Fault::CutFromMembers(member) => cluster.cut_from_members(now, member),
        Fault::Heal(member) => cluster.heal(now, member),
        Fault::DcsDown(outage) => cluster.dcs_down(now, outage),
        Fault::DcsUp => cluster.dcs_up(now),
        Fault::SetWire(observer, member, wire) => cluster.set_wire(observer, member, wire),
        Fault::ViewLag(member, lag) => cluster.set_view_lag(member, lag),
        Fault::ReplicaLag(member, lag) => cluster.set_lag(now, member, lag),
        Fault::Switchover(member) => drop(cluster.switchover(now, member)),
        Fault::SlowPromotion(member, time) => cluster.set_promotion_time(member, Some(time)),
        Fault::Pause => cluster.pause(now),
        Fault::Resume => cluster.resume(now),
        Fault::ForceSplitBrain(member) => cluster.force_split_brain(now, member),
        // A standby cluster has its data from the other site.
        Fault::Restore { .. } if cluster.is_standby() => {}
        Fault::Restore { system_id, timeline } => drop(cluster.restore(now, system_id, timeline)),
    }
}

pub(super) fn small_buckets(world: &mut World, are_small: bool) {
    let rate = Rate { burst: if are_small { 2 } else { 40 }, per_second: if are_small { 1 } else { 10 } };
    for bucket in [Bucket::ElbRead, Bucket::ElbWrite, Bucket::Route53] {
        world.account.throttle.set(bucket, Some(rate));
    }
}

fn edit_group(world: &mut World, now: Millis, member: MemberId, register: bool) {
    edit(world, now, world.resources.ip_group.clone(), member, register);
}

fn edit_members_group(world: &mut World, now: Millis, of: MemberId, member: MemberId, register: bool) {
    let group = world.resources.weighted.as_ref().map(|weighted| weighted.groups[of.0].clone());
    if let Some(group) = group {
        edit(world, now, group, member, register);
    }
}

/// An operator gives every connection to the group of a member.
fn edit_weights(world: &mut World, now: Millis, member: MemberId) {
    let Some(weighted) = world.resources.weighted.clone() else { return };
    let foreign = Forward { group: weighted.foreign, weight: Some(0) };
    let shares = weights(&weighted.groups, member.0).into_iter().chain([foreign]);
    drop(world.account.modify_listener(now, &weighted.listener, shares.collect(), Some(true)));
    world.invariants.edited.insert(weighted.listener, now);
}

fn edit(world: &mut World, now: Millis, group: String, member: MemberId, register: bool) {
    let target = TargetDescription::new(&world.cluster.spec(member).postgres.0, PORT);
    drop(if register {
        world.account.register_targets(now, &group, &[target])
    } else {
        world.account.deregister_targets(now, &group, &[target])
    });
    world.invariants.edited.insert(group, now);
}

/// An operator points the name at a member, or at the load balancer of a site: the simple record, or the first of the pair, if it is there.
fn edit_record(world: &mut World, now: Millis, member: MemberId) {
    let host = world.cluster.spec(member).postgres.0.to_string();
    let zone = world.resources.zone.clone();
    let page = world.account.list_resource_record_sets(now, &zone, &ListFrom::default(), None);
    let sets = page.map(|page| page.sets).unwrap_or_default();
    let is_ours = |set: &&RecordSet| set.key.name.as_str().starts_with(NAME);
    let Some(there) = sets.iter().find(is_ours) else { return };
    let alias =
        world.away.as_ref().and_then(|away| away.aliases.as_ref()).map(|aliases| &aliases[member.0 % 2]);
    let values = || Answer::Values { ttl: TTL, values: vec![host] };
    let answer = alias.map_or_else(values, |alias| Answer::Alias(their_alias(alias)));
    let set = RecordSet { answer, ..there.clone() };
    drop(world.account.change_resource_record_sets(
        now,
        &zone,
        &[Change { action: ChangeAction::Upsert, set }],
    ));
    world.invariants.edited.insert(NAME.to_owned(), now);
}
