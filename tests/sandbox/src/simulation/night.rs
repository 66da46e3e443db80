//! Spends a night: the events in their time, the laws after every step, and in the morning everything must end well.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Add;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repoint::domain::endpoint::GroupArn;
use repoint::domain::intent::PointsTo;
use repoint::domain::record::{self as domain, ZoneId};
use repoint::domain::report::Outcome;
use repoint::runtime::adopt::adopt;
use repoint::runtime::pass::Settings;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::event::Event;
use super::laws::{Broken, Law, OPERATOR};
use super::reconciler::{TELLING, live, once, settings};
use super::scenario::{MORNING, Scenario};
use super::world::World;
use crate::Millis;
use crate::aws::elbv2::listener::Forward;
use crate::aws::elbv2::target::TargetDescription;
use crate::aws::error::AwsError;
use crate::aws::route53::batch::{Action, Change};
use crate::aws::route53::list::ListFrom;
use crate::aws::route53::record::{Answer, RecordSet};
use crate::aws::service::Service;
use crate::aws::throttle::{Bucket, Rate};
use crate::door::{Line, MAX_LAG_BYTES, NAME, PORT, Shared, TTL, Weather, forward_of, ours, ports, weights};
use crate::patroni::{Cluster, Lag, MemberId, Silence, Spec, Wire};

/// How long the cluster may take to come to rest once nothing goes wrong any more.
const REST_WITHIN: Millis = 180_000;
/// How many passes each reconciler may need from then on.
const PASSES: u64 = 4;
/// Longer than a claimed letter is left to its claimant.
const MUCH_LATER: Duration = Duration::from_mins(2);

/// How a night ended.
#[derive(Debug)]
pub enum Ending {
    /// All laws held, and in the morning the endpoints equalled the truth.
    Well(Figures),
    /// Not so.
    Badly(Broken),
}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Nights.
    pub nights: usize,
    /// Passes by all reconcilers.
    pub passes: usize,
    /// Changes of endpoints.
    pub deeds: u64,
    /// Messages to people.
    pub messages: usize,
}

impl Add for Figures {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            nights: self.nights + other.nights,
            passes: self.passes + other.passes,
            deeds: self.deeds + other.deeds,
            messages: self.messages + other.messages,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nights, passes, deeds, messages } = self;
        write!(
            f,
            "{nights} nights ended well: {passes} passes, {deeds} changes of endpoints, {messages} messages"
        )
    }
}

/// A night and its journal.
#[derive(Debug)]
pub struct Night {
    /// How it ended.
    pub ending: Ending,
    /// What happened, if it was written down.
    pub journal: Vec<(Millis, String)>,
    /// The subjects of the messages that reached the topic, in their order.
    pub messages: Vec<(Millis, String)>,
}

/// Spends a night, in simulated time.
#[must_use]
pub fn spend(scenario: &Scenario, keeps_journal: bool) -> Night {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let failed = |how: String| Night {
        ending: Ending::Badly(Broken { at: 0, law: Law::Converges, how }),
        journal: Vec::new(),
        messages: Vec::new(),
    };
    match runtime {
        Ok(runtime) => match world(scenario, keeps_journal) {
            Ok(world) => runtime.block_on(run(scenario, world)),
            Err(error) => failed(format!("the world cannot be made: {error}")),
        },
        Err(error) => failed(format!("no runtime: {error}")),
    }
}

fn world(scenario: &Scenario, keeps_journal: bool) -> Result<World, AwsError> {
    let members = (0..scenario.members).map(|number| {
        let phase = Millis::try_from(number).unwrap_or_default() * 450;
        Spec::new(&format!("pg{}", number + 1), &format!("172.31.1.{}", 11 + number), phase)
    });
    let cluster =
        Cluster::new("batman", 7_000_000_000_000_000_000, 3, scenario.settings.clone(), members.collect(), 0);
    let mut world = World::new(cluster, scenario.shape, scenario.seed ^ 0x5eed)?;
    world.weather = vec![Weather::FAIR; scenario.reconcilers];
    world.under_way = vec![None; scenario.reconcilers];
    world.reports = vec![Vec::new(); scenario.reconcilers];
    world.journal = keeps_journal.then(Vec::new);
    world.laws.is_fenced = scenario.needs_memory;
    world.laws.may_repeat = scenario.events.iter().any(|(_, event)| {
        matches!(event, Event::MemoryDown(true))
            || matches!(event, Event::Weather(_, weather)
                if weather.crash + weather.lost_answer + weather.lost_request + weather.stopped + weather.slow > 0)
    });
    Ok(world)
}

async fn run(scenario: &Scenario, world: World) -> Night {
    let shared: Shared = Arc::new(Mutex::new(world));
    let began = Instant::now();
    let line = |reconciler| Line {
        world: shared.clone(),
        began,
        reconciler,
        identity: String::new(),
        died: Arc::new(Notify::new()),
    };
    let settings = settings(scenario.needs_memory);
    let reconcilers: Vec<JoinHandle<()>> =
        (0..scenario.reconcilers).map(|number| tokio::spawn(live(line(number), settings))).collect();
    let mut events = scenario.events.clone();
    events.retain(|(at, _)| *at < MORNING);
    for (at, event) in events {
        sleep_until(began + Duration::from_millis(at)).await;
        let mut world = lock(&shared);
        world.advance(at);
        world.note(at, || format!("* {event}"));
        happen(&mut world, at, event);
        if world.laws.broken.is_some() {
            break;
        }
    }
    sleep_until(began + Duration::from_millis(MORNING)).await;
    let operator = line(0);
    dawn(&operator);
    rest(&operator).await;
    accept(&operator, &settings).await;
    let healthy = line(0);
    // What was under way when the night ended may take its time: a commit of the dead is respected for a while.
    sleep(Duration::from_secs(10)).await;
    for reconciler in &reconcilers {
        reconciler.abort();
    }
    nobody_hangs(&healthy, &settings);
    sleep(Duration::from_secs(7)).await;
    converge(&healthy, scenario, &settings).await;
    if lock(&shared).laws.broken.is_none() {
        tidy(&healthy, &settings).await;
    }
    let mut world = lock(&shared);
    let journal = world.journal.take().unwrap_or_default();
    let messages: Vec<(Millis, String)> = world
        .account
        .published(&world.resources.topic)
        .iter()
        .map(|published| (published.at, published.message.subject.clone().unwrap_or_default()))
        .collect();
    let figures = Figures {
        nights: 1,
        passes: world.reports.iter().map(Vec::len).sum(),
        deeds: world.laws.deeds.values().sum(),
        messages: messages.len(),
    };
    let ending = world.laws.broken.take().map_or(Ending::Well(figures), Ending::Badly);
    Night { ending, journal, messages }
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, World> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets an event happen. One that does not fit the moment (a switchover to a dead member) comes to nothing.
fn happen(world: &mut World, now: Millis, event: Event) {
    let cluster = &mut world.cluster;
    match event {
        Event::Crash(member, silence) => cluster.crash(now, member, silence),
        Event::KillPatroni(member) => cluster.kill_patroni(now, member),
        Event::CrashPostgres(member) => cluster.crash_postgres(now, member),
        Event::Start(member) => cluster.start(now, member),
        Event::StartAsZombie(member) => cluster.start_as_zombie(now, member),
        Event::Hang(member) => cluster.hang(now, member),
        Event::Unhang(member) => cluster.unhang(now, member),
        Event::Freeze(member) => cluster.freeze(now, member),
        Event::Thaw(member) => cluster.thaw(now, member),
        Event::CutFromDcs(member) => cluster.cut_from_dcs(now, member),
        Event::CutFromMembers(member) => cluster.cut_from_members(now, member),
        Event::Heal(member) => cluster.heal(now, member),
        Event::DcsDown(outage) => cluster.dcs_down(now, outage),
        Event::DcsUp => cluster.dcs_up(now),
        Event::SetWire(observer, member, wire) => cluster.set_wire(observer, member, wire),
        Event::ViewLag(member, lag) => cluster.set_view_lag(member, lag),
        Event::ReplicaLag(member, lag) => cluster.set_lag(now, member, lag),
        Event::Switchover(member) => drop(cluster.switchover(now, member)),
        Event::SlowPromotion(member, time) => cluster.set_promotion_time(member, Some(time)),
        Event::Pause => cluster.pause(now),
        Event::Resume => cluster.resume(now),
        Event::ForceSplitBrain(member) => cluster.force_split_brain(now, member),
        Event::Restore { system_id, timeline } => drop(cluster.restore(now, system_id, timeline)),
        Event::Weather(reconciler, weather) => {
            if let Some(there) = world.weather.get_mut(reconciler) {
                *there = weather;
            }
        }
        Event::MemoryDown(is_down) => world.is_memory_down = is_down,
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
        Event::Allow => world.account.denials.clear(),
        Event::SmallBuckets(are_small) => small_buckets(world, are_small),
        Event::EditGroup { member, register } => edit_group(world, now, member, register),
        Event::EditMembersGroup { of, member, register } => {
            edit_members_group(world, now, of, member, register);
        }
        Event::EditWeights(member) => edit_weights(world, now, member),
        Event::EditRecord(member) => edit_record(world, now, member),
    }
}

fn small_buckets(world: &mut World, are_small: bool) {
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
}

fn edit(world: &mut World, now: Millis, group: String, member: MemberId, register: bool) {
    let target = TargetDescription::new(&world.cluster.spec(member).postgres.0, PORT);
    drop(if register {
        world.account.register_targets(now, &group, &[target])
    } else {
        world.account.deregister_targets(now, &group, &[target])
    });
    world.laws.edited.insert(group, now);
}

/// An operator points the name at a member: the simple record, or the first of the pair, if it is there.
fn edit_record(world: &mut World, now: Millis, member: MemberId) {
    let host = world.cluster.spec(member).postgres.0.to_string();
    let zone = world.resources.zone.clone();
    let page = world.account.list_resource_record_sets(now, &zone, &ListFrom::default(), None);
    let sets = page.map(|page| page.sets).unwrap_or_default();
    let is_ours = |set: &&RecordSet| set.key.name.as_str().starts_with(NAME);
    let Some(there) = sets.iter().find(is_ours) else { return };
    let answer = Answer::Values { ttl: TTL, values: vec![host] };
    let set = RecordSet { answer, ..there.clone() };
    drop(world.account.change_resource_record_sets(now, &zone, &[Change { action: Action::Upsert, set }]));
    world.laws.edited.insert(NAME.to_owned(), now);
}

/// Everything that was broken is mended, and nobody does anything any more.
fn dawn(line: &Line) {
    let now = line.now();
    let mut world = line.world();
    world.note(now, || "* the night is over".to_owned());
    let observers = world.weather.len();
    world.weather.fill(Weather::FAIR);
    world.is_memory_down = false;
    world.account.denials.clear();
    small_buckets(&mut world, false);
    for service in [Service::Elbv2, Service::Route53, Service::Ec2] {
        world.account.set_read_lag(service, 0);
    }
    let zone = world.resources.zone.clone();
    world.account.protect_records(&zone, NAME, "A", false);
    let cluster = &mut world.cluster;
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
fn nobody_hangs(line: &Line, settings: &Settings) {
    let now = line.now();
    let longest = u64::try_from((settings.limit + TELLING).as_millis()).unwrap_or(u64::MAX);
    let mut world = line.world();
    let oldest = world.under_way.iter().flatten().min().copied();
    if let Some(began) = oldest.filter(|began| began + longest < now) {
        world.laws.broken(now, Law::Bounded, format!("a pass has been under way since {began} ms"));
    }
}

/// Waits until the cluster has come to rest. Where two primaries remain, an operator stops the one without the key.
async fn rest(line: &Line) {
    let until = line.now() + REST_WITHIN;
    let mut waited = 0;
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = line.now();
        let mut world = line.world();
        if world.cluster.is_settled(now) || world.laws.broken.is_some() {
            return;
        }
        waited += 1;
        if waited % 40 == 0 {
            let holder = world.cluster.key_holder();
            let writers = world.cluster.takes_writes();
            for (member, _) in writers.into_iter().filter(|(member, _)| Some(*member) != holder) {
                world.cluster.crash(now, member, Silence::Refused);
                world.cluster.start(now, member);
            }
        }
        if now > until {
            let how = format!("the cluster itself never came to rest: {:?}", world.cluster.takes_writes());
            return world.laws.broken(now, Law::Converges, how);
        }
    }
}

/// If the cluster is another one than before, or was set back, an operator says that it is meant.
async fn accept(line: &Line, settings: &Settings) {
    let (is_meant, intent) = {
        let world = line.world();
        let system = world.cluster.system_id().map(|id| id.to_string());
        let known = world.memory.system_id.as_ref().map(ToString::to_string);
        let timeline = world.cluster.leader().map(|(_, timeline)| timeline);
        let highest = world.memory.highest_timeline.map(|highest| highest.0);
        (known.is_some() && (system != known || timeline < highest), world.resources.intent.clone())
    };
    if !is_meant {
        return;
    }
    let ports = ports(line, OPERATOR.to_owned());
    let adopted = adopt(&intent, &ports, Instant::now() + settings.limit).await;
    let now = line.now();
    line.world().note(now, || format!("* repoint adopt: {adopted:?}"));
}

/// Some passes later the endpoints equal the truth, and one more pass changes nothing.
async fn converge(line: &Line, scenario: &Scenario, settings: &Settings) {
    let mut last = None;
    for number in 0..PASSES {
        let report = once(line, &format!("morning#{number}"), settings).await;
        if line.world().laws.broken.is_some() {
            return;
        }
        last = Some((report.outcome, report.holds.first().map(|hold| hold.message.clone())));
        if report.outcome == Outcome::Converged {
            break;
        }
        sleep(Duration::from_secs(2)).await;
    }
    let now = line.now();
    let mut world = line.world();
    if !matches!(last, Some((Outcome::Converged, _))) {
        let how = format!("after {PASSES} passes in fair weather: {last:?}");
        return world.laws.broken(now, Law::Converges, how);
    }
    let leader = world.cluster.leader().map(|(leader, _)| world.cluster.spec(leader).name.to_string());
    let known = world.memory.primary.clone().and_then(|primary| primary.member);
    if leader != known.map(|name| name.to_string()) {
        let how = format!("memory holds {:?}, and the primary is {leader:?}", world.memory.primary);
        world.laws.broken(now, Law::Converges, how);
    }
    if let Some(how) = wrong(&mut world, now, scenario) {
        world.laws.broken(now, Law::Converges, how);
    }
}

/// What the dead have left behind, an open commit or a letter that they had claimed, is nobody's after a while.
async fn tidy(line: &Line, settings: &Settings) {
    sleep(MUCH_LATER).await;
    let report = once(line, "later", settings).await;
    let now = line.now();
    let mut world = line.world();
    if report.outcome != Outcome::Converged || !report.steps.is_empty() {
        let how = format!("much later, a pass does not find all as it was: {:?}", report.holds);
        world.laws.broken(now, Law::Idempotent, how);
    }
    if !world.memory.outbox.is_empty() || world.memory.acting.is_some() {
        let how = format!("memory is not at rest: {:?} {:?}", world.memory.outbox, world.memory.acting);
        world.laws.broken(now, Law::AlertOnce, how);
    }
}

/// Those who may be read from; the primary if nobody else may.
fn fit_readers(world: &World, leader: MemberId) -> Vec<MemberId> {
    let fit = |id: &MemberId| world.cluster.may_be_read_from(*id, MAX_LAG_BYTES);
    let fit: Vec<MemberId> = world.cluster.ids().filter(fit).collect();
    if fit.is_empty() { vec![leader] } else { fit }
}

/// What differs from the truth.
fn wrong(world: &mut World, now: Millis, scenario: &Scenario) -> Option<String> {
    let (leader, _) = world.cluster.leader()?;
    let host = world.cluster.spec(leader).postgres.0.to_string();
    let by_ip = world.registered(&world.resources.ip_group.clone());
    if by_ip != [host.clone()] {
        return Some(format!("the group holds {by_ip:?}, and the primary is {host}"));
    }
    if scenario.shape.has_instances {
        let group = world.resources.instance_group.clone();
        let members: Vec<_> =
            world.registered(&group).iter().map(|instance| world.member_of(instance)).collect();
        if members != [Some(leader)] {
            return Some(format!("the group of instances holds {members:?}, and the primary is {leader:?}"));
        }
    }
    if scenario.shape.has_readers {
        let expected = fit_readers(world, leader);
        let targets = world.registered(&world.resources.reader_group);
        let mut readers: Vec<_> = targets.iter().filter_map(|target| world.member_of(target)).collect();
        readers.sort();
        if readers != expected || readers.len() != targets.len() {
            return Some(format!("the group of readers holds {targets:?}, and {expected:?} are fit"));
        }
    }
    if scenario.shape.has_warm {
        let targets = world.registered(&world.resources.warm_group);
        let members: BTreeSet<_> = targets.iter().map(|target| world.member_of(target)).collect();
        if members != world.cluster.ids().map(Some).collect() {
            return Some(format!("the warm group holds {targets:?}"));
        }
    }
    if let Some(how) = wrongly_weighted(world, now, leader) {
        return Some(how);
    }
    let zone = world.resources.zone.clone();
    let page = world.account.list_resource_record_sets(now, &zone, &ListFrom::default(), None);
    let sets = page.map(|page| page.sets).unwrap_or_default();
    if !sets.contains(&world.resources.neighbour) {
        return Some("a record that is not configured has changed".to_owned());
    }
    let id = ZoneId::new(zone.rsplit('/').next().unwrap_or(&zone));
    let ours: Vec<_> = sets.iter().filter_map(|set| ours(&id, set)).collect();
    for wanted in &world.resources.intent.records {
        let set = ours.iter().find(|set| set.key == wanted.key);
        let values = set.and_then(|set| match &set.answer {
            domain::Answer::Values { values, .. } => Some(&values[..]),
            domain::Answer::Alias(_) => None,
        });
        let values = values.unwrap_or_default();
        let mut members: Vec<_> = values.iter().filter_map(|value| world.member_at(value)).collect();
        members.sort();
        let is_right = match wanted.points_to {
            PointsTo::Primary => members == [leader],
            PointsTo::Standby => members.len() == 1 && members != [leader],
            PointsTo::Readers { .. } => members == fit_readers(world, leader),
            PointsTo::Site => false,
        };
        if !is_right || members.len() != values.len() {
            return Some(format!("{} points at {values:?}, and the primary is {host}", wanted.key));
        }
    }
    let foreign = world.registered(&world.resources.foreign_group.clone());
    (foreign.len() != 1).then(|| format!("a group that is not configured has changed: {foreign:?}"))
}

/// What differs from the truth behind the listener: a client that connects there reaches the primary and nobody else.
fn wrongly_weighted(world: &mut World, now: Millis, leader: MemberId) -> Option<String> {
    let weighted = world.resources.weighted.clone()?;
    let listeners = world.account.describe_listeners(now, None, std::slice::from_ref(&weighted.listener));
    let forward = listeners.ok().and_then(|found| found.first().map(forward_of))?;
    for (id, group) in world.cluster.ids().zip(&weighted.groups) {
        let arn = GroupArn::parse(group).ok()?;
        let share = forward.weights.get(&arn).copied();
        if share.is_none_or(|share| (share > 0) != (id == leader)) {
            return Some(format!("the group of {id:?} has weight {share:?}, and {leader:?} is the primary"));
        }
        let targets = world.registered(group);
        if targets != [world.cluster.spec(id).postgres.0.to_string()] {
            return Some(format!("the group of {id:?} holds {targets:?}"));
        }
    }
    let host = world.cluster.spec(leader).postgres.0.to_string();
    let reached = world.account.listener_routes(&weighted.listener, now);
    if !reached.iter().any(|target| target.id == host) {
        return Some(format!("connections reach {reached:?}, and the primary is {host}"));
    }
    let foreign = GroupArn::parse(&weighted.foreign).ok()?;
    let is_sticky = forward.stickiness.and_then(|sticky| sticky.enabled);
    let is_kept = forward.weights.get(&foreign) == Some(&0) && is_sticky == Some(true);
    (!is_kept).then(|| format!("what is not configured of the listener has changed: {forward:?}"))
}
