//! A scenario from a seed.

use super::event::{Event, Fault};
use super::sites::Side;
use crate::Millis;
use crate::patroni::{DcsOutage, Lag, MemberId, Settings, Silence, Version, Wire};
use crate::transport::FaultRates;

/// When the faults stop.
pub const HEALED_AT: Millis = 60_000;

/// A scenario: how it begins, and what happens in it.
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
    pub shape: crate::transport::Shape,
    /// `[state] required`.
    pub needs_state: bool,
    /// A second site, if there is one.
    pub second_site: Option<SecondSite>,
    /// How members are found.
    pub found: Found,
    /// The members from this one on are in a second Region, if there is one.
    pub far_from: Option<MemberId>,
    /// Nothing goes wrong but that hosts are lost and Route 53 hangs.
    pub is_plain: bool,
    /// Another entry of the same scope, if there is one.
    pub second_entry: Option<SecondEntry>,
    /// What happens, in the order of time.
    pub events: Vec<(Millis, Event)>,
}

/// How members are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// They are configured as they list one another.
    AsListed,
    /// They are configured, and asked at other addresses than they list.
    BehindNat,
    /// None is configured: all are found by the tag of their nodes, and nodes are replaced.
    ByTag,
}

/// A second site.
#[derive(Clone, Copy, Debug)]
pub struct SecondSite {
    /// How many members it has.
    pub members: usize,
    /// Names lead to the sites' load balancers.
    pub has_aliases: bool,
}

/// Another entry of the same scope, whose cluster and endpoints are others, and whose state lies beside.
#[derive(Clone, Debug)]
pub struct SecondEntry {
    /// It has no name of its own: both have the scope's, in two configurations.
    pub shares_name: bool,
    /// What happens there.
    pub events: Vec<(Millis, Event)>,
}

impl Scenario {
    /// The scenario of that seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Of another sequence, so that a seed keeps its meaning.
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x0015_ca4e);
        match rng.u32(0..8) {
            0 | 1 => Self::base(seed).discovered(&mut rng),
            2 => Self::base(seed).over_two_regions(&mut rng),
            _ => Self::base(seed),
        }
    }

    /// The same in one Region, where members are configured.
    pub(super) fn base(seed: u64) -> Self {
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
        let shape = crate::transport::Shape {
            is_filled: rng.u32(0..4) > 0,
            is_pair: rng.bool(),
            has_instances: rng.bool(),
            has_readers: false,
            has_warm: false,
            has_reader_record: false,
            has_weighted: false,
        };
        let needs_state = rng.u32(0..10) > 0;
        let count = rng.usize(1..=10);
        let mut events = Vec::with_capacity(count * 2);
        for _ in 0..count {
            let at = rng.u64(500..HEALED_AT - 5_000);
            happen(&mut rng, members, reconcilers, at, &mut events);
        }
        events.sort_by_key(|(at, _)| *at);
        // Drawn last, so that a seed keeps its meaning.
        let shape = crate::transport::Shape { has_readers: rng.bool(), has_warm: rng.bool(), ..shape };
        let shape = crate::transport::Shape { has_reader_record: rng.bool(), ..shape };
        let shape = crate::transport::Shape { has_weighted: rng.bool(), ..shape };
        if shape.has_weighted {
            for _ in 0..rng.usize(0..4) {
                let at = rng.u64(500..HEALED_AT - 5_000);
                operator_edits(&mut rng, members, at, &mut events);
            }
            events.sort_by_key(|(at, _)| *at);
        }
        let second_site =
            (rng.u32(0..3) == 0).then(|| SecondSite { members: rng.usize(2..=3), has_aliases: rng.bool() });
        if let Some(second_site) = second_site {
            site_failures(&mut rng, &mut events);
            site_faults(&mut rng, second_site, reconcilers, &mut events);
            events.sort_by_key(|(at, _)| *at);
        }
        let is_behind_nat = second_site.is_none() && rng.u32(0..5) == 0;
        // Replicas that nothing names are not known to answer for themselves: they are not taken for readers or standbys.
        let shape = if is_behind_nat && !settings.version.names_itself() {
            let none = false;
            crate::transport::Shape { has_readers: none, has_reader_record: none, is_pair: none, ..shape }
        } else {
            shape
        };
        if second_site.is_none() && rng.u32(0..4) == 0 {
            clone(&mut rng, members, &mut events);
        }
        state_fails(&mut rng, reconcilers, &mut events);
        events.sort_by_key(|(at, _)| *at);
        let second_entry = (rng.u32(0..12) == 0)
            .then(|| SecondEntry { shares_name: rng.bool(), events: host_losses(&mut rng, 2) });
        // Both go over AWS to the state that they share, and one clock is not that far ahead there.
        if second_entry.is_some() {
            events.retain(|(_, event)| !matches!(event, Event::ClockAhead(..)));
        }
        let run = Self {
            seed,
            members,
            reconcilers,
            settings,
            shape,
            needs_state,
            second_site,
            found: if is_behind_nat { Found::BehindNat } else { Found::AsListed },
            far_from: None,
            is_plain: false,
            second_entry,
            events,
        };
        match rng.u32(0..20) {
            0..2 => run.plain(&mut rng),
            2 if run.second_site.is_none() => run.replaced(&mut rng),
            _ => run,
        }
    }

    /// The same with members that are discovered, if there is one site, which is reached where its nodes are. What belongs
    /// to single members is not configured.
    fn discovered(mut self, rng: &mut fastrand::Rng) -> Self {
        let is_replaced = self.events.iter().any(|(_, event)| *event == Event::Replace);
        if self.second_site.is_some()
            || self.second_entry.is_some()
            || self.found == Found::BehindNat
            || is_replaced
        {
            return self;
        }
        self.events.retain(|(_, event)| {
            !matches!(
                event,
                Event::StartClone(_) | Event::In(_, Fault::Restore { .. } | Fault::ForceSplitBrain(_))
            )
        });
        let mut at = rng.u64(500..8_000);
        for number in 0..self.members {
            if at >= HEALED_AT - 5_000 || self.is_plain {
                break;
            }
            self.events.push((at, Event::AddNode));
            self.events.push((at + rng.u64(6_000..15_000), Event::RemoveNode(MemberId(number))));
            at += rng.u64(3_000..20_000);
        }
        if rng.bool() && !self.is_plain {
            self.events.push((rng.u64(5_000..HEALED_AT - 10_000), Event::StartCopy));
        }
        self.events.sort_by_key(|(at, _)| *at);
        let shape = crate::transport::Shape { has_warm: false, has_weighted: false, ..self.shape };
        Self { shape, found: Found::ByTag, ..self }
    }

    /// The same with nothing that goes wrong but that hosts are lost and Route 53 hangs, for one reconciler alone.
    fn plain(self, rng: &mut fastrand::Rng) -> Self {
        let mut events = host_losses(rng, self.members);
        if rng.bool() {
            let at = rng.u64(500..HEALED_AT - 20_000);
            let later = at + rng.u64(5_000..30_000);
            events.extend([(at, Event::HangZones(true)), (later, Event::HangZones(false))]);
            events.sort_by_key(|(at, _)| *at);
        }
        Self { reconcilers: 1, second_site: None, found: Found::AsListed, is_plain: true, events, ..self }
    }

    /// The same, and a new cluster takes the place of the old one. What belongs to single members is not configured.
    fn replaced(mut self, rng: &mut fastrand::Rng) -> Self {
        self.events.retain(|(_, event)| {
            !matches!(event, Event::StartClone(_) | Event::In(_, Fault::Restore { .. }))
        });
        self.events.push((rng.u64(500..HEALED_AT - 5_000), Event::Replace));
        self.events.sort_by_key(|(at, _)| *at);
        let none = false;
        let shape =
            crate::transport::Shape { has_instances: none, has_warm: none, has_weighted: none, ..self.shape };
        Self { shape, ..self }
    }
}

/// Draws switchovers, and members whose hosts stop answering and come back.
fn host_losses(rng: &mut fastrand::Rng, members: usize) -> Vec<(Millis, Event)> {
    let mut events = Vec::new();
    for _ in 0..rng.usize(1..=3) {
        let at = rng.u64(500..HEALED_AT - 5_000);
        let member = MemberId(rng.usize(0..members));
        let mut add = |at, fault| events.push((at, Event::In(Side::Home, fault)));
        if rng.u32(0..3) == 0 {
            add(at, Fault::Switchover(member));
        } else {
            add(at, Fault::Crash(member, Silence::TimedOut));
            add(at + rng.u64(1_000..40_000), Fault::Start(member));
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events
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
    let kind = rng.u32(0..100);
    if kind < CLUSTER_FAULTS {
        let (begins, ends) = fault(rng, kind, member, reconciler);
        events.push((at, Event::In(Side::Home, begins)));
        events.extend(ends.map(|ends| (later, Event::In(Side::Home, ends))));
        return;
    }
    let mut both = |begin: Event, end: Event| events.extend([(at, begin), (later, end)]);
    match kind {
        CLUSTER_FAULTS..84 => {
            both(
                Event::FaultRates(reconciler, fault_rates(rng)),
                Event::FaultRates(reconciler, FaultRates::NONE),
            );
        }
        84..86 => both(Event::StateDown(true), Event::StateDown(false)),
        86..89 => both(Event::ReadLag(rng.u64(200..4_000)), Event::ReadLag(0)),
        89..90 => both(Event::ProtectRecord(true), Event::ProtectRecord(false)),
        90..92 => {
            let denied = [
                Event::Deny("elasticloadbalancing:RegisterTargets"),
                Event::Deny("elasticloadbalancing:DeregisterTargets"),
                Event::Deny("route53:ChangeResourceRecordSets"),
                Event::Deny("sns:Publish"),
                Event::DenyPages,
            ];
            both(denied[rng.usize(0..denied.len())], Event::Allow);
        }
        92..93 => both(Event::SmallBuckets(true), Event::SmallBuckets(false)),
        93..97 => events.push((at, Event::EditGroup { member, register: rng.bool() })),
        _ => events.push((at, Event::EditRecord(member))),
    }
}

/// So many of a hundred kinds of events are faults of the cluster.
const CLUSTER_FAULTS: u32 = 72;

/// Draws a fault of a cluster, and its end.
fn fault(rng: &mut fastrand::Rng, kind: u32, member: MemberId, reconciler: usize) -> (Fault, Option<Fault>) {
    match kind {
        0..12 => {
            let silence = if rng.bool() { Silence::Refused } else { Silence::TimedOut };
            let is_zombie = rng.u32(0..3) == 0;
            let back = if is_zombie { Fault::StartAsZombie(member) } else { Fault::Start(member) };
            (Fault::Crash(member, silence), Some(back))
        }
        12..16 => (Fault::KillPatroni(member), Some(Fault::Start(member))),
        16..20 => (Fault::CrashPostgres(member), None),
        20..25 => (Fault::Hang(member), Some(Fault::Unhang(member))),
        25..31 => (Fault::Freeze(member), Some(Fault::Thaw(member))),
        31..37 => (Fault::CutFromDcs(member), Some(Fault::Heal(member))),
        37..39 => (Fault::CutFromMembers(member), Some(Fault::Heal(member))),
        39..43 => {
            let outage = if rng.bool() { DcsOutage::Closes } else { DcsOutage::StaleReads };
            (Fault::DcsDown(outage), Some(Fault::DcsUp))
        }
        43..50 => {
            let wire = if rng.bool() { Wire::Refused } else { Wire::Lost };
            (Fault::SetWire(reconciler, member, wire), Some(Fault::SetWire(reconciler, member, Wire::Fine)))
        }
        50..53 => (Fault::ViewLag(member, rng.u64(500..8_000)), Some(Fault::ViewLag(member, 0))),
        53..55 => {
            let lag = if rng.bool() { Lag::Unknown } else { Lag::Bytes(rng.u64(0..100_000_000)) };
            (Fault::ReplicaLag(member, lag), Some(Fault::ReplicaLag(member, Lag::Bytes(0))))
        }
        55..65 => (Fault::Switchover(member), None),
        65..67 => (Fault::SlowPromotion(member, rng.u64(1_000..20_000)), None),
        67..69 => (Fault::Pause, Some(Fault::Resume)),
        69..71 => (Fault::ForceSplitBrain(member), None),
        _ => {
            let system_id = 7_000_000_000_000_000_000 + u64::from(rng.bool());
            (Fault::Restore { system_id, timeline: rng.u32(1..4) }, None)
        }
    }
}

/// Draws what an operator does to a listener and the groups behind it.
fn operator_edits(rng: &mut fastrand::Rng, members: usize, at: Millis, events: &mut Vec<(Millis, Event)>) {
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

/// Draws losses of sites and planned moves between them, one after the other, and operators' actions.
fn site_failures(rng: &mut fastrand::Rng, events: &mut Vec<(Millis, Event)>) {
    let mut leads = Side::Home;
    let mut at = rng.u64(500..15_000);
    while at < HEALED_AT - 10_000 {
        let (lost, other) = (leads, leads.other());
        let promoted = at + rng.u64(0..8_000);
        let back = at + rng.u64(1_000..25_000);
        let follows = promoted.max(back) + rng.u64(0..10_000);
        match rng.u32(0..10) {
            0..3 => events.push((at, Event::DemoteSite(lost))),
            // Promoted although nothing is wrong with the other.
            3 => {}
            4..7 => {
                let as_zombies = rng.u32(0..3) == 0;
                events.extend([
                    (at, Event::LoseSite(lost)),
                    (back, Event::StartSite { side: lost, as_zombies }),
                ]);
            }
            _ => events.extend([(at, Event::CutOff(lost, true)), (back, Event::CutOff(lost, false))]),
        }
        if rng.u32(0..3) == 0 {
            events.extend([(at, Event::RegionDown(lost, true)), (back, Event::RegionDown(lost, false))]);
        }
        // It may be over before an operator decides.
        if rng.u32(0..5) > 0 {
            events.push((promoted, Event::PromoteSite(other)));
            leads = other;
            let stays = rng.u32(0..4) == 0;
            if !stays {
                events.push((follows, Event::DemoteSite(lost)));
            }
        }
        at = follows + rng.u64(0..15_000);
    }
}

/// Draws what else may happen between two sites, and in the second one.
fn site_faults(
    rng: &mut fastrand::Rng,
    second_site: SecondSite,
    reconcilers: usize,
    events: &mut Vec<(Millis, Event)>,
) {
    for _ in 0..rng.usize(0..6) {
        let at = rng.u64(500..HEALED_AT - 5_000);
        let later = at + rng.u64(1_000..25_000);
        let side = if rng.bool() { Side::Home } else { Side::Away };
        let (begins, ends) = match rng.u32(0..10) {
            0 => (Event::CutReplication(true), Some(Event::CutReplication(false))),
            1 => (Event::RegionDown(side, true), Some(Event::RegionDown(side, false))),
            2 => (Event::CutOff(side, true), Some(Event::CutOff(side, false))),
            3 => (Event::PromoteSite(side), None),
            _ => {
                let (kind, member) =
                    (rng.u32(0..CLUSTER_FAULTS), MemberId(rng.usize(0..second_site.members)));
                let reconciler = rng.usize(0..reconcilers);
                let (begins, ends) = fault(rng, kind, member, reconciler);
                (Event::In(Side::Away, begins), ends.map(|ends| Event::In(Side::Away, ends)))
            }
        };
        events.push((at, begins));
        events.extend(ends.map(|ends| (later, ends)));
    }
}

/// Draws how a member is lost, and a clone of the cluster is started at its address for a while.
fn clone(rng: &mut fastrand::Rng, members: usize, events: &mut Vec<(Millis, Event)>) {
    let member = MemberId(rng.usize(0..members));
    let lost = rng.u64(500..HEALED_AT - 20_000);
    let begins = lost + rng.u64(100..15_000);
    let ends = begins + rng.u64(5_000..25_000);
    events.extend([
        (lost, Event::In(Side::Home, Fault::Crash(member, Silence::Refused))),
        (begins, Event::StartClone(member)),
        (ends, Event::StopClone(member)),
        (ends + 1, Event::In(Side::Home, Fault::Start(member))),
    ]);
    events.sort_by_key(|(at, _)| *at);
}

/// Draws a time in which the state cannot be written, and how a clock that was ahead is set back.
fn state_fails(rng: &mut fastrand::Rng, reconcilers: usize, events: &mut Vec<(Millis, Event)>) {
    let at = rng.u64(500..HEALED_AT - 5_000);
    let later = at + rng.u64(1_000..25_000);
    let reconciler = rng.usize(0..reconcilers);
    match rng.u32(0..10) {
        0 => events.extend([(at, Event::StateReadOnly(true)), (later, Event::StateReadOnly(false))]),
        1 => {
            // Reconcilers that share state time its alerts by all their clocks: a larger difference is for a single one.
            let most = if reconcilers > 1 { 300_000 } else { 100_000_000 };
            let ahead = rng.u64(60_000..most);
            events.extend([
                (at, Event::ClockAhead(reconciler, ahead)),
                (later, Event::ClockAhead(reconciler, 0)),
            ]);
        }
        _ => {}
    }
}

fn fault_rates(rng: &mut fastrand::Rng) -> FaultRates {
    let mut chance = |most: u32| if rng.bool() { rng.u32(0..most) } else { 0 };
    FaultRates {
        lost_request: chance(200),
        lost_answer: chance(200),
        slow: chance(500),
        stopped: chance(100),
        crash: chance(100),
        refused: chance(300),
    }
}
