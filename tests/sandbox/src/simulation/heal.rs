//! The end of a run: every fault ends, the cluster settles, and then every endpoint must be right.
//!
//! What an operator has to do is done here; a reconciler gets no other help.

use std::time::Duration;

use repoint::runtime::adopt::adopt;
use repoint::runtime::pass::Settings;
use repoint_domain::report::Outcome;
use tokio::time::{Instant, sleep};

use super::alerts::check_history;
use super::apply::{apply, small_buckets};
use super::event::Event;
use super::invariants::{Invariant, OPERATOR};
use super::reconciler::{NOTIFYING, once};
use super::scenario::Scenario;
use super::sites::Side;
use super::truth::wrong;
use super::world::World;
use crate::Millis;
use crate::aws::service::Service;
use crate::patroni::{Cluster, Lag, Silence, Wire};
use crate::transport::{FaultRates, Link, NAME, ports};

/// How long the cluster may take to come to rest once nothing goes wrong any more.
const REST_WITHIN: Millis = 180_000;
/// How many passes each reconciler may need from then on.
const PASSES: u64 = 4;
/// Longer than a claimed message is left to its claimant.
const MUCH_LATER: Duration = Duration::from_mins(2);

/// Every fault ends, and no operator acts any more.
pub(super) fn heal(link: &Link) {
    let now = link.now();
    let mut world = link.world();
    world.note(now, || "* every fault has ended".to_owned());
    let observers = world.fault_rates.len();
    world.fault_rates.fill(FaultRates::NONE);
    world.is_state_down = false;
    world.clones.clear();
    world.copy = None;
    world.zones_hang = false;
    world.is_state_read_only = false;
    world.clocks_ahead.clear();
    world.account.denials.clear();
    small_buckets(&mut world, false);
    for service in [Service::Elbv2, Service::Route53, Service::Ec2] {
        world.account.set_read_lag(service, 0);
    }
    let zone = world.resources.zone.clone();
    world.account.protect_records(&zone, NAME, "A", false);
    for side in Side::BOTH {
        if let Some(cluster) = world.cluster_mut(side) {
            heal_cluster(cluster, now, observers);
        }
    }
    if let Some(far) = &mut world.far {
        (far.is_down, far.is_apart) = (false, false);
    }
    if let Some(away) = &mut world.away {
        away.cut_off.clear();
        away.unreachable.clear();
        away.is_replication_cut = false;
    }
    give_roles(&mut world, now);
}

/// One site is to hold the primary, and the other one to follow it.
fn give_roles(world: &mut World, now: Millis) {
    let is_standby = |side| world.cluster_of(side).map(Cluster::is_standby);
    let followed = Side::BOTH.into_iter().find(|side| world.state.site == Some(side.name()));
    let followed = followed.unwrap_or(Side::Home);
    let event = match (is_standby(Side::Home), is_standby(Side::Away)) {
        (Some(true), Some(true)) => Event::PromoteSite(followed),
        (Some(false), Some(false)) => Event::DemoteSite(followed.other()),
        _ => return,
    };
    world.note(now, || format!("* {event}"));
    apply(world, now, event);
}

fn heal_cluster(cluster: &mut Cluster, now: Millis, observers: usize) {
    cluster.dcs_up(now);
    cluster.resume(now);
    for member in cluster.ids() {
        for observer in 0..observers {
            cluster.set_wire(observer, member, Wire::Fine);
        }
        cluster.set_view_lag(member, 0);
        cluster.set_promotion_time(member, None);
        cluster.set_lag(now, member, Lag::Bytes(0));
        cluster.thaw(now, member);
        cluster.unhang(now, member);
        cluster.heal(now, member);
        cluster.start(now, member);
    }
}

/// No pass has been under way for longer than it may.
pub(super) fn check_no_pass_hangs(link: &Link, settings: &Settings) {
    let now = link.now();
    let longest = u64::try_from((settings.limit + NOTIFYING).as_millis()).unwrap_or(u64::MAX);
    let mut world = link.world();
    let oldest = world.under_way.iter().flatten().min().copied();
    if let Some(began) = oldest.filter(|began| began + longest < now) {
        world.invariants.violated(
            now,
            Invariant::Bounded,
            format!("a pass has been under way since {began} ms"),
        );
    }
}

/// Waits until the cluster has come to rest. Where two primaries remain, an operator stops the one without the key, and
/// recreates a member that has another system's data.
pub(super) async fn rest(link: &Link) {
    let until = link.now() + REST_WITHIN;
    let mut waited = 0;
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = link.now();
        let mut world = link.world();
        if is_at_rest(&world, now) || world.invariants.violation.is_some() {
            return;
        }
        waited += 1;
        if waited % 40 == 0 {
            for side in Side::BOTH {
                if let Some(cluster) = world.cluster_mut(side) {
                    stop_rivals(cluster, now);
                    for stray in cluster.strays() {
                        cluster.crash(now, stray, Silence::Refused);
                        cluster.start(now, stray);
                    }
                }
            }
        }
        if now > until {
            let how = format!("the cluster itself never came to rest: {:?}", world.takes_writes());
            return world.invariants.violated(now, Invariant::Converges, how);
        }
    }
}

fn is_at_rest(world: &World, now: Millis) -> bool {
    Side::BOTH
        .into_iter()
        .filter_map(|side| world.cluster_of(side))
        .all(|cluster| cluster.is_settled(now) && cluster.strays().is_empty())
}

fn stop_rivals(cluster: &mut Cluster, now: Millis) {
    let holder = cluster.key_holder();
    for (member, _) in cluster.takes_writes() {
        if Some(member) != holder {
            cluster.crash(now, member, Silence::Refused);
            cluster.start(now, member);
        }
    }
}

/// If the cluster is another one than before, or was set back, or if another site is to be followed that is not ahead, the
/// operator adopts it.
pub(super) async fn accept(link: &Link, settings: &Settings) {
    let (is_meant, spec) = {
        let world = link.world();
        let cluster = world.leader().and_then(|leader| world.cluster_of(leader.side));
        let system = cluster.and_then(Cluster::system_id).map(|id| id.to_string());
        let known = world.state.system_id.as_ref().map(ToString::to_string);
        let timeline = cluster.and_then(Cluster::leader).map(|(_, timeline)| timeline);
        let highest = world.state.highest_timeline.map(|highest| highest.0);
        let site = world.state.site.as_ref();
        let is_elsewhere =
            site.is_some_and(|site| world.leader().is_some_and(|leader| leader.side.name() != *site));
        let is_behind = timeline < highest || is_elsewhere && timeline == highest;
        (known.is_some() && (system != known || is_behind), world.resources.spec.clone())
    };
    if !is_meant {
        return;
    }
    let ports = ports(link, OPERATOR.to_owned());
    let adopted = adopt(&spec, &ports, Instant::now() + settings.limit).await;
    let now = link.now();
    link.world().note(now, || format!("* repoint adopt: {adopted:?}"));
}

/// Some passes later the endpoints equal the truth, and one more pass changes nothing.
pub(super) async fn converge(link: &Link, scenario: &Scenario, settings: &Settings) {
    let mut last = None;
    for number in 0..PASSES {
        let report = once(link, &format!("heal#{number}"), settings).await;
        if link.world().invariants.violation.is_some() {
            return;
        }
        last = Some((report.outcome, report.holds.first().map(|hold| hold.message.clone())));
        if report.outcome == Outcome::Converged {
            break;
        }
        sleep(Duration::from_secs(2)).await;
    }
    let now = link.now();
    let mut world = link.world();
    if !matches!(last, Some((Outcome::Converged, _))) {
        let how = format!("after {PASSES} passes without faults: {last:?}");
        return world.invariants.violated(now, Invariant::Converges, how);
    }
    let leader = world.leader();
    let address = world.state.primary.as_ref().and_then(|primary| primary.address.as_ref());
    if leader.is_none() || leader != address.and_then(|address| world.member_at(&address.host)) {
        let how = format!("the state has {:?}, and the primary is {leader:?}", world.state.primary);
        world.invariants.violated(now, Invariant::Converges, how);
    }
    if let Some(how) = wrong(&mut world, now, scenario) {
        world.invariants.violated(now, Invariant::Converges, how);
    }
}

/// What ended processes have left behind, a lease or a claimed message, is taken over after a while.
pub(super) async fn tidy(link: &Link, settings: &Settings) {
    sleep(MUCH_LATER).await;
    let report = once(link, "later", settings).await;
    let now = link.now();
    let mut world = link.world();
    if report.outcome != Outcome::Converged || !report.steps.is_empty() {
        let how = format!("much later, a pass found something to change: {:?}", report.holds);
        world.invariants.violated(now, Invariant::Idempotent, how);
    }
    if !world.state.outbox.is_empty() || world.state.lease.is_some() {
        let how = format!(
            "the state still has an outbox or a lease: {:?} {:?}",
            world.state.outbox, world.state.lease
        );
        world.invariants.violated(now, Invariant::AlertOnce, how);
    }
    check_history(&mut world, now);
}
