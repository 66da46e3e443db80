//! One pass over one cluster.
//!
//! Laws: idempotent (8), so a pass that finds everything right writes nothing and tells nobody; explained (11), so it
//! always ends with a report; crash anywhere (9), so it may end between any two of its calls.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::apply::{Span, apply};
use super::commit::{Commit, LeaseWait, commit, is_abandoned, out_of_reach};
use super::members::{FRESH_FOR, Members};
use super::notify::{self, notify};
use super::observe::{Observation, Observing, PartObservation, begin_when_promoted, reads_until};
use crate::ports::{LeaseGuard, Ports};
use repoint_domain::audit::{Checked, Refusal, audit};
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::decide::verdict::Verdict;
use repoint_domain::observed::{Observed, Read};
use repoint_domain::plan::moves::{self, moves};
use repoint_domain::plan::{Plan, StepGroup};
use repoint_domain::rates::{Needs, writes};
use repoint_domain::report::{self, ClusterReport, PassHold, StepReport, StepResult, VerdictReport};
use repoint_domain::spec::Spec;
use repoint_domain::spec::part::{Part, PartKey};
use repoint_domain::state::condition::findings;
use repoint_domain::state::update::{Loaded, PassOutcome, Rules};
use repoint_domain::state::{self, State};
use repoint_domain::values::cluster::Timeline;
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::moves::Move;
use repoint_domain::values::primary::Primary;
use repoint_domain::values::record::RecordChange;

/// How often a pass decides anew before it gives up: others cannot be quicker so many times unless something is wrong.
const ROUNDS: u32 = 10;

/// How passes are made.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest that a pass may take, telling left out.
    pub limit: Duration,
    /// The longest that telling may take. It comes after the limit, since a pass that ran out of time is just what people
    /// should be told of.
    pub notify_within: Duration,
    /// Whether a pass may write without memory.
    pub needs_state: bool,
    /// When people are told.
    pub alerts: Rules,
}

/// Whether a pass may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It changes what differs, and tells people.
    Apply,
    /// It says what it would change.
    DryRun,
}

/// What the attempts of a pass leave behind, from one to the next.
#[derive(Default)]
struct Done {
    /// What was done, and tried, in the order of trying.
    steps: Vec<StepReport>,
    /// What was tried when the permit ran out: perhaps done.
    unsure: Vec<StepReport>,
    /// The timeline of the primary for whom it was tried.
    tried_for: Option<Timeline>,
    /// What was refused since the record was not as it had been read, it seems.
    lost: Vec<RecordChange>,
    moves: Option<Move>,
    /// The revision of the commit that ends with this pass.
    committed: Option<u64>,
}

impl Done {
    /// Whether anything was sent.
    fn has_tried(&self) -> bool {
        !self.steps.is_empty() || !self.unsure.is_empty()
    }

    /// One that died after its writes is ended by whoever finds all as it should be, and told of.
    fn finish_abandoned(&mut self, state: &Read<State>) {
        let Some(dead) = state.as_ref().ok().and_then(|state| state.lease.as_ref()) else { return };
        if self.committed.is_none() {
            self.moves = self.moves.take().or_else(|| dead.moves.clone());
        }
        self.committed = Some(dead.revision);
    }

    /// A later look at a part tells what became of its steps of which it is not known whether they arrived: one that is
    /// still needed is planned again, and one whose endpoint can be read and is right was done. A look that finds another
    /// primary tells nothing of them.
    fn settle(&mut self, seen: &PartObservation, primary: &Primary) {
        if Some(primary.timeline) != self.tried_for {
            return;
        }
        let planned = report::planned_steps(&seen.plan);
        let is_settled = |step: &mut StepReport| {
            let is_planned = planned.iter().any(|again| {
                (again.action, &again.endpoint, &again.target) == (step.action, &step.endpoint, &step.target)
            });
            seen.part.covers(&step.endpoint) && !is_planned
        };
        let is_known = |step: &StepReport| !seen.plan.holds.iter().any(|hold| hold.endpoint == step.endpoint);
        for step in self.unsure.extract_if(.., is_settled) {
            self.steps.push(if is_known(&step) { step.found_done() } else { step });
        }
    }
}

/// How an attempt ended.
enum Attempt {
    /// There is nothing left to do, or no more can be done now.
    Finished(Option<PassHold>),
    /// What it rested on is out of date.
    Again,
}

/// The whole pass: look, commit, apply, tell.
pub async fn pass(spec: &Spec, ports: &Ports, settings: &Settings, mode: Mode) -> ClusterReport {
    Box::pin(pass_with(spec, ports, settings, mode, &mut Members::default())).await
}

/// The same by a process that has just asked some members: what they said counts, as long as it is fresh.
pub async fn pass_with(
    spec: &Spec,
    ports: &Ports,
    settings: &Settings,
    mode: Mode,
    members: &mut Members,
) -> ClusterReport {
    let span = Span::of(settings.limit);
    let pass = Pass { spec, ports, settings, mode, span };
    let (observation, hold, mut done) = pass.attempts(members).await;
    ports.calls.release();
    done.steps.append(&mut done.unsure);
    let Observation { observed, state, verdict, plan } = observation;
    let blocked = out_of_reach(spec, &state, ports).await;
    let (blocks, warns) = if settings.needs_state { (blocked, None) } else { (None, blocked) };
    let hold = hold.or_else(|| blocks.map(PassHold::StateUnavailable));
    let mut holds = report::holds(&verdict, &plan);
    holds.extend(hold.as_ref().map(PassHold::report));
    let mut warnings = report::warnings(&verdict, &plan);
    warnings.extend(warns.as_ref().map(report::without_state));
    let mut report = ClusterReport {
        name: spec.name.clone(),
        scope: spec.scope.clone(),
        outcome: report::outcome(mode == Mode::DryRun, &done.steps, &holds),
        verdict: VerdictReport::from(&verdict),
        cause: done.moves.as_ref().filter(|_| !done.steps.is_empty()).map(|moves| moves.cause),
        previous_primary: done.moves.as_ref().and_then(|moves| moves.previous.clone()),
        steps: done.steps,
        holds,
        warnings,
        alerts: Vec::new(),
        is_unnotified: false,
        duration_ms: span.elapsed_ms(),
        api_calls: ports.calls.counts(),
    };
    if mode == Mode::DryRun {
        return report;
    }
    let findings =
        findings(spec, &observed, state.as_ref().ok(), &verdict, &plan, &report.steps, hold.as_ref());
    let ended = PassOutcome {
        spec,
        report: &report,
        loaded: state.as_ref().map(Loaded::from).unwrap_or_default(),
        observed: &observed,
        verdict: &verdict,
        findings: &findings,
        moves: done.moves.as_ref(),
        // Others go on waiting for what is under way, as they do when we die.
        committed: done.committed.filter(|_| !report.steps.iter().any(|step| step.may_arrive)),
    };
    let notified = notify(spec, &ended, state, settings, ports).await;
    notify::add(&mut report, notified);
    report.api_calls = ports.calls.counts();
    report
}

/// What stays the same in a pass.
#[derive(Clone, Copy)]
struct Pass<'a> {
    spec: &'a Spec,
    ports: &'a Ports,
    settings: &'a Settings,
    mode: Mode,
    span: Span,
}

impl Pass<'_> {
    /// Looks, and acts on what was seen; and begins again when that was out of date.
    async fn attempts(&self, members: &mut Members) -> (Observation, Option<PassHold>, Done) {
        let (mut lease_wait, mut done) = (LeaseWait::default(), Done::default());
        let mut rounds = 1;
        loop {
            // It holds a look at everything, too much for those who hold a pass each for a thousand clusters.
            let (observation, attempt) = Box::pin(self.attempt(members, &mut lease_wait, &mut done)).await;
            match attempt {
                Attempt::Finished(hold) => return (observation, hold, done),
                Attempt::Again if rounds == ROUNDS => return (observation, Some(PassHold::Conflict), done),
                Attempt::Again => rounds += 1,
            }
        }
    }

    /// One look, and what follows from it: each part of the endpoints is changed as soon as it has been read.
    async fn attempt(
        &self,
        members: &mut Members,
        lease_wait: &mut LeaseWait,
        done: &mut Done,
    ) -> (Observation, Attempt) {
        let Self { spec, ports, span, .. } = *self;
        let mut observing = begin_when_promoted(spec, ports, span.deadline, members).await;
        if let Some(hold) = of_others(spec, &observing.state) {
            return (observing.observe(), Attempt::Finished(Some(hold)));
        }
        let Some(primary) = observing.verdict.leader().cloned() else {
            return (observing.observe(), Attempt::Finished(None));
        };
        if self.mode == Mode::DryRun {
            return self.rehearse(observing, done).await;
        }
        if let Some(other) = self.in_the_way(&observing.state, &primary, lease_wait, done) {
            info!(cluster.name = %spec.name, by = %other.by, "another repoint is acting; waiting for it");
            if lease_wait.wait(&other, spec, ports, span.deadline).await {
                return (observing.observe(), Attempt::Again);
            }
            while observing.next().await.is_some() {}
            let observation = observing.observe();
            if !done.has_tried() {
                done.moves = move_cause(spec, &observation);
            }
            let hold = Some(PassHold::Locked(other)).filter(|_| !observation.plan.is_empty());
            return (observation, Attempt::Finished(hold));
        }
        let mut lease = Attempting::new(*self, primary, observing.state.clone(), done.has_tried());
        loop {
            tokio::select! {
                biased;
                seen = observing.next(), if lease.is_open() => match seen {
                    Some(seen) => lease.see(seen, &mut observing, members, done).await,
                    None => lease.close(),
                },
                Some(event) = lease.working.join_next() => lease.take(event, &mut observing, members, done).await,
                else => break,
            }
        }
        let attempt = lease.end(&observing, done);
        (observing.observe(), attempt)
    }

    /// Another one's commit that has to be waited for.
    fn in_the_way(
        &self,
        state: &Read<State>,
        primary: &Primary,
        lease_wait: &LeaseWait,
        done: &Done,
    ) -> Option<state::Lease> {
        let lease = state.as_ref().ok()?.lease.as_ref()?;
        // Our own is in the way only if what was sent for an earlier primary may still arrive.
        let is_under_way = !done.unsure.is_empty() && done.tried_for != Some(primary.timeline);
        let is_over = (lease.by == self.ports.identity && !is_under_way)
            || lease_wait.is_over(lease.revision)
            || is_abandoned(lease, self.ports.clock.now(), self.settings.limit);
        (!is_over).then(|| lease.clone())
    }

    /// Says what would be done.
    async fn rehearse(&self, mut observing: Observing, done: &mut Done) -> (Observation, Attempt) {
        while observing.next().await.is_some() {}
        let observation = observing.observe();
        done.moves = move_cause(self.spec, &observation);
        let hold = match check(self.spec, &observation.plan, &observation.observed, &observation, self.ports)
        {
            Ok(checked) => {
                done.steps = report::planned_steps(checked.plan());
                None
            }
            Err(refusal) => Some(PassHold::Refused(refusal.to_string())),
        };
        (observation, Attempt::Finished(hold))
    }
}

/// An attempt that writes.
struct Attempting<'a> {
    pass: Pass<'a>,
    primary: Primary,
    /// What was remembered when that was decided: every part is judged by it, the first as the last.
    known: Read<State>,
    /// Whether an earlier attempt has sent anything: what it tells of its move then stands.
    is_notified: bool,
    state: Stage,
    guard: Option<LeaseGuard>,
    /// Parts whose writes wait for their turn, and whether others do already.
    waiting: Vec<Ready>,
    is_preparing: bool,
    working: JoinSet<Event>,
    /// What became of the steps of each part.
    results: BTreeMap<PartKey, Vec<StepReport>>,
}

/// A part that is to be changed.
struct Ready {
    part: Part,
    checked: Checked,
}

/// What an attempt has begun has ended.
enum Event {
    /// The writes of these parts had their turn, or not in time.
    Prepared { parts: Vec<Ready>, is_in_time: bool },
    /// A part was changed, or that was tried.
    Applied { key: PartKey, plan: Plan, steps: Vec<StepReport> },
}

/// Whether an attempt takes on more.
enum Stage {
    /// Another part may be changed.
    Open,
    /// Every part has been read, and what was begun is waited for.
    Closed,
    /// The same, and it gives a reason.
    Held(PassHold),
    /// The same, and then the pass begins again.
    OutOfDate,
}

impl<'a> Attempting<'a> {
    fn new(pass: Pass<'a>, primary: Primary, known: Read<State>, is_notified: bool) -> Self {
        Self {
            pass,
            primary,
            known,
            is_notified,
            state: Stage::Open,
            guard: None,
            waiting: Vec::new(),
            is_preparing: false,
            working: JoinSet::new(),
            results: BTreeMap::new(),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state, Stage::Open)
    }

    fn close(&mut self) {
        self.state = Stage::Closed;
    }

    /// Whether what was found to differ may still be changed.
    fn may_go(&self) -> bool {
        matches!(self.state, Stage::Open | Stage::Closed)
    }

    /// A part has been read: it is changed if it differs.
    async fn see(
        &mut self,
        seen: PartObservation,
        observing: &mut Observing,
        members: &mut Members,
        done: &mut Done,
    ) {
        let spec = self.pass.spec;
        done.settle(&seen, &self.primary);
        let observation = observing.observe();
        if !self.is_notified {
            done.moves = move_cause(spec, &observation);
        }
        let observation = Observation { state: self.known.clone(), ..observation };
        let checked = match check(spec, &seen.plan, &seen.observed, &observation, self.pass.ports) {
            Ok(checked) => checked,
            Err(refusal) => {
                self.state = Stage::Held(PassHold::Refused(refusal.to_string()));
                return;
            }
        };
        // What was refused although it has not changed was refused for another reason.
        let is_refused = changes(checked.plan()).any(|change| done.lost.contains(change));
        if checked.plan().is_empty() || is_refused {
            return;
        }
        let ready = Ready { part: seen.part, checked };
        if writes(ready.checked.plan()).is_empty() {
            return self.go(ready, observing, members, done).await;
        }
        self.waiting.push(ready);
        self.prepare();
    }

    /// Waits for the writes' turn before anything is committed to: a permit runs out within seconds. Parts that need no turn
    /// do not wait with them.
    fn prepare(&mut self) {
        if self.is_preparing || self.waiting.is_empty() {
            return;
        }
        self.is_preparing = true;
        let parts = std::mem::take(&mut self.waiting);
        let mut needs = Needs::new();
        for (line, count) in parts.iter().flat_map(|ready| writes(ready.checked.plan())) {
            *needs.entry(line).or_default() += count;
        }
        let (calls, until) = (self.pass.ports.calls.clone(), reads_until(self.pass.span.deadline));
        self.working.spawn(async move {
            let is_in_time = timeout_at(until, calls.prepare(&needs)).await.is_ok();
            Event::Prepared { parts, is_in_time }
        });
    }

    /// Changes a part.
    async fn go(&mut self, ready: Ready, observing: &mut Observing, members: &mut Members, done: &mut Done) {
        let guard = match self.guard(observing, members, done).await {
            Ok(guard) => guard,
            Err(state) => {
                self.state = state;
                return;
            }
        };
        let Ready { part, checked } = ready;
        // They are tried again.
        done.unsure.retain(|step| !part.covers(&step.endpoint));
        let (ports, span) = (self.pass.ports.clone(), self.pass.span);
        self.working.spawn(async move {
            let steps = apply(&checked, &guard, &ports, span).await;
            Event::Applied { key: part.key, plan: checked.plan().clone(), steps }
        });
    }

    /// Leave to write: what was granted for another part, while it lasts.
    async fn guard(
        &mut self,
        observing: &mut Observing,
        members: &mut Members,
        done: &mut Done,
    ) -> Result<LeaseGuard, Stage> {
        let Pass { spec, ports, span, .. } = self.pass;
        if let Some(guard) = &self.guard {
            return if guard.is_valid() { Ok(guard.clone()) } else { Err(Stage::OutOfDate) };
        }
        if !members.are_fresh(FRESH_FOR) {
            let until = reads_until(span.deadline);
            members.ask(spec, ports, FRESH_FOR, until);
            members.settle(spec, ports, until).await;
            if !Snapshot::of(spec, members.sites(spec)).agrees(&observing.snapshot) {
                return Err(Stage::OutOfDate);
            }
        }
        match leave(self.pass, &mut observing.state, &self.primary, done).await {
            Leave::Granted(guard) => {
                self.guard = Some(guard.clone());
                Ok(guard)
            }
            Leave::LookAgain => Err(Stage::OutOfDate),
            Leave::Held(hold) => Err(Stage::Held(hold)),
        }
    }

    /// Something that was begun has ended.
    async fn take(
        &mut self,
        event: Result<Event, JoinError>,
        observing: &mut Observing,
        members: &mut Members,
        done: &mut Done,
    ) {
        match event {
            Ok(Event::Prepared { is_in_time: false, .. }) => {
                self.is_preparing = false;
                if self.may_go() {
                    self.state = Stage::Held(PassHold::RateLimited);
                }
            }
            Ok(Event::Prepared { parts, .. }) => {
                self.is_preparing = false;
                for ready in parts {
                    if self.may_go() {
                        self.go(ready, observing, members, done).await;
                    }
                }
                self.prepare();
            }
            Ok(Event::Applied { key, plan, steps }) => self.applied(key, &plan, steps, done),
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }

    /// A part has been changed, or that was tried.
    fn applied(&mut self, key: PartKey, plan: &Plan, steps: Vec<StepReport>, done: &mut Done) {
        let is_complete = steps.iter().all(|step| step.result == StepResult::Done);
        let is_valid = self.guard.as_ref().is_some_and(LeaseGuard::is_valid);
        // What came too late for the permit was not sent, and lost nothing.
        let lost = if is_valid { lost(plan, &steps) } else { Vec::new() };
        // Once: the next pass is soon enough for whoever goes on losing.
        let looks_again = done.lost.is_empty() && !lost.is_empty();
        self.results.insert(key, steps);
        if is_complete || (is_valid && !looks_again) || Instant::now() >= self.pass.span.deadline {
            return;
        }
        // The permit ran out in the middle, or another process was quicker; what was done is done, and the rest is decided
        // anew.
        done.lost.extend(lost);
        self.state = Stage::OutOfDate;
    }

    /// Everything that was sent has ended.
    fn end(self, observing: &Observing, done: &mut Done) -> Attempt {
        let steps = self.results.into_values().flatten();
        if matches!(self.state, Stage::OutOfDate) {
            let (sure, tried): (Vec<_>, Vec<_>) = steps.partition(|step| step.result == StepResult::Done);
            done.steps.extend(sure);
            let tried: Vec<_> = tried.into_iter().filter(|step| step.result == StepResult::Failed).collect();
            if !tried.is_empty() {
                done.unsure.extend(tried);
                done.tried_for = Some(self.primary.timeline);
            }
            return Attempt::Again;
        }
        let has_written = self.guard.is_some();
        done.steps.extend(steps);
        match self.state {
            Stage::Held(hold) => Attempt::Finished(Some(hold)),
            Stage::Open | Stage::Closed | Stage::OutOfDate => {
                if !has_written && observing.observe().plan.is_empty() {
                    done.finish_abandoned(&observing.state);
                }
                Attempt::Finished(None)
            }
        }
    }
}

fn changes(plan: &Plan) -> impl Iterator<Item = &RecordChange> {
    plan.step_groups.iter().flat_map(|step_group| match step_group {
        StepGroup::Zone { changes, .. } => &changes[..],
        StepGroup::Group { .. } | StepGroup::Listeners { .. } => &[],
    })
}

/// The changes that somebody else seems to have forestalled.
fn lost(plan: &Plan, steps: &[StepReport]) -> Vec<RecordChange> {
    let is_lost = |change: &&RecordChange| {
        let endpoint = Endpoint::Record(change.after.key.clone());
        steps.iter().any(|step| step.lost_a_race && step.endpoint == endpoint)
    };
    changes(plan).filter(is_lost).cloned().collect()
}

fn check(
    spec: &Spec,
    plan: &Plan,
    observed: &Observed,
    observation: &Observation,
    ports: &Ports,
) -> Result<Checked, Refusal> {
    let nothing = State::default();
    let state = observation.state.as_ref().unwrap_or(&nothing);
    audit(plan, spec, observed, &observation.verdict, state, ports.clock.now())
}

fn move_cause(spec: &Spec, observation: &Observation) -> Option<Move> {
    let Verdict::Primary(primary) = &observation.verdict else { return None };
    match &observation.state {
        Ok(state) => moves(spec, state, &observation.observed, primary, &observation.plan),
        Err(_) => moves::without_state(spec, &observation.observed, &observation.plan),
    }
}

/// Whether this pass may write now.
enum Leave {
    Granted(LeaseGuard),
    LookAgain,
    Held(PassHold),
}

/// Asks memory for leave to write.
async fn leave(pass: Pass<'_>, state: &mut Read<State>, primary: &Primary, done: &mut Done) -> Leave {
    let Pass { spec, ports, settings, span, .. } = pass;
    let without_state = |failure| {
        if settings.needs_state {
            Leave::Held(PassHold::StateUnavailable(failure))
        } else {
            Leave::Granted(LeaseGuard::new(&ports.clock, super::commit::ACT_WITHIN))
        }
    };
    let known = match state {
        Ok(state) => state.clone(),
        Err(failure) => return without_state(failure.clone()),
    };
    match commit(spec, &known, primary, done.moves.as_ref(), ports, span.deadline).await {
        Commit::Granted(guard, committed) => {
            done.committed = Some(committed.revision);
            *state = Ok(*committed);
            Leave::Granted(guard)
        }
        Commit::Conflict => Leave::LookAgain,
        Commit::Unavailable(failure) => without_state(failure),
    }
}

/// The state was made for other endpoints than this entry has, so nothing is told from it and nothing rests on it.
fn of_others(spec: &Spec, state: &Read<State>) -> Option<PassHold> {
    let state = state.as_ref().ok().filter(|state| state.is_of_others(spec))?;
    Some(PassHold::of_others(state))
}
