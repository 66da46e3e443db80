//! Observing and deciding.
//!
//! A trigger may come before a promotion is finished (Patroni fires `on_role_change` right after `pg_ctl promote`), so the
//! members are asked until the new primary really is one. The endpoints are read meanwhile, part by part, and each part is
//! planned as soon as it has been read (invariant 15); a part that a new primary can join before that is planned at once, too.
//! Nothing is written here.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::info;

use super::deadline::reads_until;
use super::endpoints::{Hosts, Lookups, read, with_places};
use super::load_state::load_state;
use super::members::{FRESH_FOR, KnownState, Members};
use crate::ports::Ports;
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::decide::verdict::{HoldKind, Verdict, verdict};
use repoint_domain::observed::{Observed, Read};
use repoint_domain::plan::{Plan, openable, plan};
use repoint_domain::rates::{Urgency, reads};
use repoint_domain::spec::Spec;
use repoint_domain::spec::part::{Part, PartKey, parts};
use repoint_domain::state::State;
use repoint_domain::values::primary::Primary;
use repoint_domain::values::timestamp::Timestamp;

/// The shortest and the longest wait before members are asked for everything again while one is promoting, if none says
/// anything new. In between it is a quarter of the time that has passed: each reads the DCS for that.
const WAIT: RangeInclusive<Duration> = Duration::from_millis(25)..=Duration::from_millis(250);

/// What was observed and decided.
#[derive(Clone, Debug)]
pub struct Observation {
    /// What was observed.
    pub observed: Observed,
    /// What earlier passes have stored.
    pub state: Read<State>,
    /// Who is the primary.
    pub verdict: Verdict,
    /// What to change.
    pub plan: Plan,
}

/// An observation under way: the verdict is there, and the endpoints are being read.
pub struct Observing {
    /// What earlier passes have stored.
    pub state: Read<State>,
    /// Who is the primary.
    pub verdict: Verdict,
    /// What members say.
    pub snapshot: Snapshot,
    /// The state is as this process has left it, and was not loaded: only a commit shows whether it is still so.
    pub is_remembered: bool,
    members: Observed,
    now: Timestamp,
    opening: JoinSet<(Part, Observed)>,
    reading: JoinSet<(Part, Observed)>,
    seen: BTreeMap<PartKey, (Part, Observed, Plan)>,
}

/// A part that was planned, by what.
pub enum Planned {
    /// By what never changes of it: the primary can join it before it is read.
    Unread(PartObservation),
    /// By what was read.
    Read(PartObservation),
}

/// A part that was planned.
pub struct PartObservation {
    /// Which one.
    pub part: Part,
    /// What its plan rests on.
    pub observed: Observed,
    /// What to change of it.
    pub plan: Plan,
}

/// Asks the members, decides which is the primary, and begins to read the endpoints. Members that have answered within
/// [`FRESH_FOR`] are not asked again.
pub async fn begin(spec: &Spec, ports: &Ports, deadline: Instant, members: &mut Members) -> Observing {
    let until = reads_until(deadline);
    members.ask(spec, &ports.members, FRESH_FOR, until);
    // Endpoints are read after the state: what another process has changed and saved is then no change from outside.
    let (state, is_remembered) = match members.take_state() {
        Some(KnownState::Remembered(state)) if is_opening(spec, &state, members) => (Ok(state), true),
        Some(KnownState::Loaded(state)) => (Ok(state), false),
        Some(KnownState::Remembered(_)) | None => (load_state(spec, ports, until).await, false),
    };
    if let Some(state) = state.as_ref().ok().filter(|_| !is_remembered) {
        members.keep(KnownState::Remembered(state.clone()));
    }
    if let Some(state) = state.as_ref().ok().filter(|state| !state.is_of_others(spec)) {
        members.add_known(spec, state);
        members.ask(spec, &ports.members, FRESH_FOR, until);
    }
    let (hosts, known) = oneshot::channel();
    let known = known.shared();
    let lookups = Lookups::default();
    let mut reading = JoinSet::new();
    let mut start = |spec: &Spec| {
        for part in parts(spec) {
            let (ports, known, lookups) = (ports.clone(), known.clone(), lookups.clone());
            reading.spawn(async move {
                let observed = read(&part, &ports, until, known, &lookups).await;
                (part, observed)
            });
        }
    };
    start(&spec.with_groups(|group| group.site.is_none()));
    members.settle(spec, &ports.members, until).await;
    let observed = members.observed(spec);
    let verdict = decide(spec, &observed, &state);
    // The groups of the other sites are left alone: a Region whose API is away, as it well may be when its site is lost,
    // holds up no other.
    if let Verdict::Primary(Primary { site: Some(site), .. }) = &verdict {
        let its = spec.groups.iter().filter(|group| group.site.as_ref() == Some(site));
        start(&Spec { groups: its.cloned().collect(), ..spec.without_endpoints() });
    }
    // An error means that no part is read, so none waits for the hosts.
    drop(hosts.send(Hosts::of(&observed.sites, state.as_ref().ok(), &verdict)));
    let mut opening = JoinSet::new();
    for (part, unread) in openings(spec, &state, &verdict) {
        let (ports, known, lookups) = (ports.clone(), known.clone(), lookups.clone());
        opening.spawn(async move {
            let observed = with_places(unread, &part, &ports, until, known, &lookups).await;
            (part, observed)
        });
    }
    Observing {
        state,
        verdict,
        snapshot: Snapshot::of(spec, observed.sites.clone()),
        is_remembered,
        members: observed,
        now: ports.clock.now(),
        opening,
        reading,
        seen: BTreeMap::new(),
    }
}

/// The parts that the new primary can join before they are read, with all that is known of them.
fn openings(spec: &Spec, state: &Read<State>, verdict: &Verdict) -> Vec<(Part, Observed)> {
    let (Ok(state), Verdict::Primary(primary)) = (state, verdict) else { return Vec::new() };
    let unread = openable(spec, state, primary);
    let opened = parts(&spec.with_groups(|group| unread.contains_key(&group.arn))).into_iter();
    let opened = opened.filter(|part| matches!(part.key, PartKey::Group(_)));
    let unread = |part: &Part| {
        let of_part = part.spec.groups.iter().filter_map(|group| unread.get_key_value(&group.arn));
        of_part.map(|(arn, group)| (arn.clone(), Ok(group.clone()))).collect()
    };
    opened.map(|part| (part.clone(), Observed { groups: unread(&part), ..Observed::default() })).collect()
}

/// Whether what members say now begins with a write, if the state is still like this: the commit before it shows that, and so
/// the state need not be loaded first.
fn is_opening(spec: &Spec, state: &State, members: &Members) -> bool {
    if state.lease.is_some() || state.is_of_others(spec) {
        return false;
    }
    let state = Ok(state.clone());
    !openings(spec, &state, &decide(spec, &members.observed(spec), &state)).is_empty()
}

/// The next of these that is ready. Cancel-safe.
async fn next_of(parts: &mut JoinSet<(Part, Observed)>) -> Option<(Part, Observed)> {
    match parts.join_next().await? {
        Ok(ready) => Some(ready),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

impl Observing {
    /// The next part that has been read, with its plan; `None` when there is none left. Cancel-safe.
    pub async fn next(&mut self) -> Option<PartObservation> {
        let (part, read) = next_of(&mut self.reading).await?;
        Some(self.see(part, read))
    }

    /// The same, and the parts that the new primary can join before they are read. Cancel-safe.
    pub async fn next_planned(&mut self) -> Option<Planned> {
        tokio::select! {
            biased;
            Some((part, unread)) = next_of(&mut self.opening) => Some(Planned::Unread(self.planned(part, unread))),
            Some((part, read)) = next_of(&mut self.reading) => Some(Planned::Read(self.see(part, read))),
            else => None,
        }
    }

    fn see(&mut self, part: Part, read: Observed) -> PartObservation {
        let planned = self.planned(part.clone(), read.clone());
        self.seen.insert(part.key.clone(), (part, read, planned.plan.clone()));
        planned
    }

    fn planned(&self, part: Part, read: Observed) -> PartObservation {
        let Observed { sites, discovered, .. } = self.members.clone();
        let observed = Observed { sites, discovered, ..read };
        let nothing = State::default();
        let known = self.state.as_ref().unwrap_or(&nothing);
        let plan = plan(&part.spec, &observed, &self.verdict, known, self.now);
        PartObservation { part, observed, plan }
    }

    /// The parts that have been read so far, and what was planned of each.
    pub fn parts(&self) -> impl Iterator<Item = (&Part, &Plan)> {
        self.seen.values().map(|(part, _, plan)| (part, plan))
    }

    /// What has been observed and planned so far, in the order of the parts.
    #[must_use]
    pub fn observe(&self) -> Observation {
        let mut observed = self.members.clone();
        let mut plan = Plan { needs_no_primary: !self.seen.is_empty(), ..Plan::default() };
        for (_, seen, planned) in self.seen.values() {
            observed.add(seen.clone());
            plan.add(planned.clone());
        }
        Observation { observed, state: self.state.clone(), verdict: self.verdict.clone(), plan }
    }
}

/// Observes and decides once, and waits for every endpoint and for discovery.
pub async fn observe(spec: &Spec, ports: &Ports, deadline: Instant) -> Observation {
    let mut members = Members::default();
    let mut observing = begin(spec, ports, deadline, &mut members).await;
    while observing.next().await.is_some() {}
    let mut observation = observing.observe();
    observation.observed.discovered = members.discovered(reads_until(deadline)).await;
    observation
}

/// Without the state, the verdict rests on what members say alone; whether it may then be acted on is decided later.
fn decide(spec: &Spec, observed: &Observed, state: &Read<State>) -> Verdict {
    match state {
        Ok(state) => verdict(spec, observed, state),
        Err(_) => verdict(spec, observed, &State::default()),
    }
}

fn is_promoting(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Hold(hold) if hold.kind() == HoldKind::Promoting)
}

/// Begins to observe. While a member is promoting, it asks again until the pass's deadline comes near.
pub async fn begin_when_promoted(
    spec: &Spec,
    ports: &Ports,
    deadline: Instant,
    members: &mut Members,
) -> Observing {
    loop {
        let observing = begin(spec, ports, deadline, members).await;
        if !is_promoting(&observing.verdict) {
            return observing;
        }
        // Other passes may ask AWS meanwhile.
        ports.calls.release();
        if !wait_for_promotion(spec, ports, &observing.state, deadline, members).await {
            return observing;
        }
        // If its turn does not come in time, it observes without tokens, as far as AWS permits.
        drop(timeout_at(deadline, ports.calls.admit(Urgency::Failover, &reads(spec))).await);
    }
}

/// Asks Patroni alone until no member is promoting any more; `false` if that would take too long.
async fn wait_for_promotion(
    spec: &Spec,
    ports: &Ports,
    state: &Read<State>,
    deadline: Instant,
    members: &mut Members,
) -> bool {
    let until = reads_until(deadline);
    let began = Instant::now();
    let mut is_logged = false;
    loop {
        let next = Instant::now() + (began.elapsed() / 4).clamp(*WAIT.start(), *WAIT.end());
        if next >= until {
            return false;
        }
        let news = tokio::select! {
            biased;
            news = members.news(spec, &ports.members) => Some(news),
            () = sleep_until(next) => None,
        };
        members.look(news, spec, &ports.members, until).await;
        // A request that the deadline cut off does not show that its member is unreachable.
        if Instant::now() >= until {
            return false;
        }
        let observed = members.observed(spec);
        match decide(spec, &observed, state) {
            Verdict::Hold(hold) if hold.kind() == HoldKind::Promoting => {
                if !std::mem::replace(&mut is_logged, true) {
                    let left = until.saturating_duration_since(Instant::now()).as_secs();
                    info!(cluster.name = %spec.name, seconds_left = left, "{hold}; asking the members again");
                }
            }
            Verdict::Hold(_) | Verdict::Primary(_) => return true,
        }
    }
}
