//! A night from a seed.

use super::event::Event;
use crate::Millis;
use crate::door::Weather;
use crate::patroni::{DcsOutage, Lag, MemberId, Settings, Silence, Version, Wire};

/// When the faults stop.
pub const MORNING: Millis = 60_000;

/// A night: how it begins, and what happens in it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Every choice that is not in this list is drawn from it.
    pub seed: u64,
    /// How many members the cluster has.
    pub members: usize,
    /// How many reconcilers there are.
    pub reconcilers: usize,
    /// Patroni's settings.
    pub settings: Settings,
    /// What there is in AWS at the beginning.
    pub shape: crate::door::Shape,
    /// `[state] required`.
    pub needs_memory: bool,
    /// What happens, in the order of time.
    pub events: Vec<(Millis, Event)>,
}

impl Scenario {
    /// The night of that seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let members = rng.usize(2..=4);
        let reconcilers = rng.usize(1..=3);
        let settings = Settings {
            version: Version::ALL[rng.usize(0..Version::ALL.len())],
            ttl: 10_000,
            loop_wait: 2_000,
            retry_timeout: 2_000,
            promotion_time: rng.u64(100..4_000),
            rewind_time: 2_000,
            clone_time: 5_000,
            failsafe_mode: rng.u32(0..6) == 0,
            ..Settings::default()
        };
        let shape = crate::door::Shape {
            is_filled: rng.u32(0..4) > 0,
            is_pair: rng.bool(),
            has_instances: rng.bool(),
            has_readers: false,
            has_warm: false,
            has_reader_record: false,
            has_weighted: false,
        };
        let needs_memory = rng.u32(0..10) > 0;
        let count = rng.usize(1..=10);
        let mut events = Vec::with_capacity(count * 2);
        for _ in 0..count {
            let at = rng.u64(500..MORNING - 5_000);
            happen(&mut rng, members, reconcilers, at, &mut events);
        }
        events.sort_by_key(|(at, _)| *at);
        // Drawn last, so that a seed still means what it meant.
        let shape = crate::door::Shape { has_readers: rng.bool(), has_warm: rng.bool(), ..shape };
        let shape = crate::door::Shape { has_reader_record: rng.bool(), ..shape };
        let shape = crate::door::Shape { has_weighted: rng.bool(), ..shape };
        if shape.has_weighted {
            for _ in 0..rng.usize(0..4) {
                let at = rng.u64(500..MORNING - 5_000);
                meddle(&mut rng, members, at, &mut events);
            }
            events.sort_by_key(|(at, _)| *at);
        }
        Self { seed, members, reconcilers, settings, shape, needs_memory, events }
    }
}

/// Draws something that happens, and often its end.
fn happen(
    rng: &mut fastrand::Rng,
    members: usize,
    reconcilers: usize,
    at: Millis,
    events: &mut Vec<(Millis, Event)>,
) {
    let member = MemberId(rng.usize(0..members));
    let reconciler = rng.usize(0..reconcilers);
    let later = at + rng.u64(1_000..25_000);
    let mut both = |begin: Event, end: Event| events.extend([(at, begin), (later, end)]);
    match rng.u32(0..100) {
        0..12 => {
            let silence = if rng.bool() { Silence::Refused } else { Silence::TimedOut };
            let back = if rng.u32(0..3) == 0 { Event::StartAsZombie(member) } else { Event::Start(member) };
            both(Event::Crash(member, silence), back);
        }
        12..16 => both(Event::KillPatroni(member), Event::Start(member)),
        16..20 => events.push((at, Event::CrashPostgres(member))),
        20..25 => both(Event::Hang(member), Event::Unhang(member)),
        25..31 => both(Event::Freeze(member), Event::Thaw(member)),
        31..37 => both(Event::CutFromDcs(member), Event::Heal(member)),
        37..39 => both(Event::CutFromMembers(member), Event::Heal(member)),
        39..43 => {
            let outage = if rng.bool() { DcsOutage::Closes } else { DcsOutage::StaleReads };
            both(Event::DcsDown(outage), Event::DcsUp);
        }
        43..50 => {
            let wire = if rng.bool() { Wire::Refused } else { Wire::Lost };
            both(Event::SetWire(reconciler, member, wire), Event::SetWire(reconciler, member, Wire::Fine));
        }
        50..53 => both(Event::ViewLag(member, rng.u64(500..8_000)), Event::ViewLag(member, 0)),
        53..55 => {
            let lag = if rng.bool() { Lag::Unknown } else { Lag::Bytes(rng.u64(0..100_000_000)) };
            both(Event::ReplicaLag(member, lag), Event::ReplicaLag(member, Lag::Bytes(0)));
        }
        55..65 => events.push((at, Event::Switchover(member))),
        65..67 => events.push((at, Event::SlowPromotion(member, rng.u64(1_000..20_000)))),
        67..69 => both(Event::Pause, Event::Resume),
        69..71 => events.push((at, Event::ForceSplitBrain(member))),
        71..72 => events.push((
            at,
            Event::Restore {
                system_id: 7_000_000_000_000_000_000 + u64::from(rng.bool()),
                timeline: rng.u32(1..4),
            },
        )),
        72..84 => both(Event::Weather(reconciler, weather(rng)), Event::Weather(reconciler, Weather::FAIR)),
        84..86 => both(Event::MemoryDown(true), Event::MemoryDown(false)),
        86..89 => both(Event::ReadLag(rng.u64(200..4_000)), Event::ReadLag(0)),
        89..90 => both(Event::ProtectRecord(true), Event::ProtectRecord(false)),
        90..92 => {
            let actions = [
                "elasticloadbalancing:RegisterTargets",
                "elasticloadbalancing:DeregisterTargets",
                "route53:ChangeResourceRecordSets",
                "sns:Publish",
            ];
            both(Event::Deny(actions[rng.usize(0..actions.len())]), Event::Allow);
        }
        92..93 => both(Event::SmallBuckets(true), Event::SmallBuckets(false)),
        93..97 => events.push((at, Event::EditGroup { member, register: rng.bool() })),
        _ => events.push((at, Event::EditRecord(member))),
    }
}

/// Draws what an operator does to a listener and the groups behind it.
fn meddle(rng: &mut fastrand::Rng, members: usize, at: Millis, events: &mut Vec<(Millis, Event)>) {
    let mut member = || MemberId(rng.usize(0..members));
    let (of, member) = (member(), member());
    match rng.u32(0..10) {
        0..4 => events.push((at, Event::EditWeights(of))),
        4..9 => events.push((at, Event::EditMembersGroup { of, member, register: rng.bool() })),
        _ => {
            let later = at + rng.u64(1_000..25_000);
            let denied = Event::Deny("elasticloadbalancing:ModifyListener");
            events.extend([(at, denied), (later, Event::Allow)]);
        }
    }
}

fn weather(rng: &mut fastrand::Rng) -> Weather {
    let mut chance = |most: u32| if rng.bool() { rng.u32(0..most) } else { 0 };
    Weather {
        lost_request: chance(200),
        lost_answer: chance(200),
        slow: chance(500),
        stopped: chance(100),
        crash: chance(100),
        refused: chance(300),
    }
}
