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
use super::commit::{Commit, Patience, commit, is_abandoned, out_of_reach};
use super::look::{Look, Looking, PartLook, begin_when_promoted, reads_until};
use super::members::{FRESH_FOR, Members};
use super::tell::{self, tell};
use crate::ports::{Permit, Ports};
use repoint_domain::audit::{Checked, Refusal, audit};
use repoint_domain::decide::retarget::{Retarget, retarget};
use repoint_domain::decide::sight::Sight;
use repoint_domain::decide::verdict::{Primary, Verdict};
use repoint_domain::observed::{Read, World};
use repoint_domain::plan::{Lane, Plan};
use repoint_domain::rates::{Needs, writes};
use repoint_domain::report::{self, ClusterReport, PassHold, StepReport, StepResult, VerdictReport};
use repoint_domain::spec::Intent;
use repoint_domain::spec::part::{Part, PartKey};
use repoint_domain::state::condition::findings;
use repoint_domain::state::fold::{Ended, Remembered, Rules};
use repoint_domain::state::{self, Memory};
use repoint_domain::values::cluster::Timeline;
use repoint_domain::values::endpoint::Endpoint;
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
    pub tell_within: Duration,
    /// Whether a pass may write without memory.
    pub needs_memory: bool,
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
    retarget: Option<Retarget>,
    /// The revision of the commit that ends with this pass.
    committed: Option<u64>,
}

impl Done {
    /// Whether anything was sent.
    fn has_tried(&self) -> bool {
        !self.steps.is_empty() || !self.unsure.is_empty()
    }

    /// One that died after its writes is ended by whoever finds all as it should be, and told of.
    fn bury(&mut self, memory: &Read<Memory>) {
        let Some(dead) = memory.as_ref().ok().and_then(|memory| memory.acting.as_ref()) else { return };
        if self.committed.is_none() {
            self.retarget = self.retarget.take().or_else(|| dead.moves.clone());
        }
        self.committed = Some(dead.revision);
    }

    /// A later look at a part tells what became of its steps of which it is not known whether they arrived: one that is
    /// still needed is planned again, and one whose endpoint can be read and is right was done. A look that finds another
    /// primary tells nothing of them.
    fn settle(&mut self, seen: &PartLook, primary: &Primary) {
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
pub async fn pass(intent: &Intent, ports: &Ports, settings: &Settings, mode: Mode) -> ClusterReport {
    Box::pin(pass_with(intent, ports, settings, mode, &mut Members::default())).await
}

/// The same by a process that has just asked some members: what they said counts, as long as it is fresh.
pub async fn pass_with(
    intent: &Intent,
    ports: &Ports,
    settings: &Settings,
    mode: Mode,
    members: &mut Members,
) -> ClusterReport {
    let span = Span::of(settings.limit);
    let pass = Pass { intent, ports, settings, mode, span };
    let (look, hold, mut done) = pass.attempts(members).await;
    ports.calls.step_aside();
    done.steps.append(&mut done.unsure);
    let Look { world, memory, verdict, plan } = look;
    let blocked = out_of_reach(intent, &memory, ports).await;
    let (blocks, warns) = if settings.needs_memory { (blocked, None) } else { (None, blocked) };
    let hold = hold.or_else(|| blocks.map(PassHold::MemoryUnavailable));
    let mut holds = report::holds(&verdict, &plan);
    holds.extend(hold.as_ref().map(PassHold::report));
    let mut warnings = report::warnings(&verdict, &plan);
    warnings.extend(warns.as_ref().map(report::without_memory));
    let mut report = ClusterReport {
        name: intent.name.clone(),
        scope: intent.scope.clone(),
        outcome: report::outcome(mode == Mode::DryRun, &done.steps, &holds),
        verdict: VerdictReport::from(&verdict),
        cause: done.retarget.as_ref().filter(|_| !done.steps.is_empty()).map(|retarget| retarget.cause),
        previous_primary: done.retarget.as_ref().and_then(|retarget| retarget.previous.clone()),
        steps: done.steps,
        holds,
        warnings,
        alerts: Vec::new(),
        is_untold: false,
        duration_ms: span.elapsed_ms(),
        api_calls: ports.calls.counts(),
    };
    if mode == Mode::DryRun {
        return report;
    }
    let findings =
        findings(intent, &world, memory.as_ref().ok(), &verdict, &plan, &report.steps, hold.as_ref());
    let ended = Ended {
        intent,
        report: &report,
        remembered: memory.as_ref().map(Remembered::from).unwrap_or_default(),
        world: &world,
        verdict: &verdict,
        findings: &findings,
        retarget: done.retarget.as_ref(),
        // Others go on waiting for what is under way, as they do when we die.
        committed: done.committed.filter(|_| !report.steps.iter().any(|step| step.may_arrive)),
    };
    let told = tell(intent, &ended, memory, settings, ports).await;
    tell::add(&mut report, told);
    report.api_calls = ports.calls.counts();
    report
}

/// What stays the same in a pass.
#[derive(Clone, Copy)]
struct Pass<'a> {
    intent: &'a Intent,
    ports: &'a Ports,
    settings: &'a Settings,
    mode: Mode,
    span: Span,
}

impl Pass<'_> {
    /// Looks, and acts on what was seen; and begins again when that was out of date.
    async fn attempts(&self, members: &mut Members) -> (Look, Option<PassHold>, Done) {
        let (mut patience, mut done) = (Patience::default(), Done::default());
        let mut rounds = 1;
        loop {
            // It holds a look at everything, too much for those who hold a pass each for a thousand clusters.
            let (look, attempt) = Box::pin(self.attempt(members, &mut patience, &mut done)).await;
            match attempt {
                Attempt::Finished(hold) => return (look, hold, done),
                Attempt::Again if rounds == ROUNDS => return (look, Some(PassHold::Overtaken), done),
                Attempt::Again => rounds += 1,
            }
        }
    }

    /// One look, and what follows from it: each part of the endpoints is changed as soon as it has been read.
    async fn attempt(
        &self,
        members: &mut Members,
        patience: &mut Patience,
        done: &mut Done,
    ) -> (Look, Attempt) {
        let Self { intent, ports, span, .. } = *self;
        let mut looking = begin_when_promoted(intent, ports, span.deadline, members).await;
        if let Some(hold) = of_others(intent, &looking.memory) {
            return (looking.look(), Attempt::Finished(Some(hold)));
        }
        let Some(primary) = looking.verdict.leader().cloned() else {
            return (looking.look(), Attempt::Finished(None));
        };
        if self.mode == Mode::DryRun {
            return self.rehearse(looking, done).await;
        }
        if let Some(other) = self.in_the_way(&looking.memory, &primary, patience, done) {
            info!(cluster.name = %intent.name, by = %other.by, "another repoint is acting; waiting for it");
            if patience.wait(&other, intent, ports, span.deadline).await {
                return (looking.look(), Attempt::Again);
            }
            while looking.next().await.is_some() {}
            let look = looking.look();
            if !done.has_tried() {
                done.retarget = story(intent, &look);
            }
            let hold = Some(PassHold::Busy(other)).filter(|_| !look.plan.is_empty());
            return (look, Attempt::Finished(hold));
        }
        let mut acting = Acting::new(*self, primary, looking.memory.clone(), done.has_tried());
        loop {
            tokio::select! {
                biased;
                seen = looking.next(), if acting.is_open() => match seen {
                    Some(seen) => acting.see(seen, &mut looking, members, done).await,
                    None => acting.close(),
                },
                Some(event) = acting.working.join_next() => acting.take(event, &mut looking, members, done).await,
                else => break,
            }
        }
        let attempt = acting.end(&looking, done);
        (looking.look(), attempt)
    }

    /// Another one's commit that has to be waited for.
    fn in_the_way(
        &self,
        memory: &Read<Memory>,
        primary: &Primary,
        patience: &Patience,
        done: &Done,
    ) -> Option<state::Acting> {
        let acting = memory.as_ref().ok()?.acting.as_ref()?;
        // Our own is in the way only if what was sent for an earlier primary may still arrive.
        let is_under_way = !done.unsure.is_empty() && done.tried_for != Some(primary.timeline);
        let is_over = (acting.by == self.ports.identity && !is_under_way)
            || patience.is_over(acting.revision)
            || is_abandoned(acting, self.ports.clock.now(), self.settings.limit);
        (!is_over).then(|| acting.clone())
    }

    /// Says what would be done.
    async fn rehearse(&self, mut looking: Looking, done: &mut Done) -> (Look, Attempt) {
        while looking.next().await.is_some() {}
        let look = looking.look();
        done.retarget = story(self.intent, &look);
        let hold = match check(self.intent, &look.plan, &look.world, &look, self.ports) {
            Ok(checked) => {
                done.steps = report::planned_steps(checked.plan());
                None
            }
            Err(refusal) => Some(PassHold::Refused(refusal.to_string())),
        };
        (look, Attempt::Finished(hold))
    }
}

/// An attempt that writes.
struct Acting<'a> {
    pass: Pass<'a>,
    primary: Primary,
    /// What was remembered when that was decided: every part is judged by it, the first as the last.
    known: Read<Memory>,
    /// Whether an earlier attempt has sent anything: what it tells of its move then stands.
    is_told: bool,
    state: State,
    permit: Option<Permit>,
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
enum State {
    /// Another part may be changed.
    Open,
    /// Every part has been read, and what was begun is waited for.
    Closed,
    /// The same, and it gives a reason.
    Held(PassHold),
    /// The same, and then the pass begins again.
    OutOfDate,
}

impl<'a> Acting<'a> {
    fn new(pass: Pass<'a>, primary: Primary, known: Read<Memory>, is_told: bool) -> Self {
        Self {
            pass,
            primary,
            known,
            is_told,
            state: State::Open,
            permit: None,
            waiting: Vec::new(),
            is_preparing: false,
            working: JoinSet::new(),
            results: BTreeMap::new(),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Whether what was found to differ may still be changed.
    fn may_go(&self) -> bool {
        matches!(self.state, State::Open | State::Closed)
    }

    /// A part has been read: it is changed if it differs.
    async fn see(&mut self, seen: PartLook, looking: &mut Looking, members: &mut Members, done: &mut Done) {
        let intent = self.pass.intent;
        done.settle(&seen, &self.primary);
        let look = looking.look();
        if !self.is_told {
            done.retarget = story(intent, &look);
        }
        let look = Look { memory: self.known.clone(), ..look };
        let checked = match check(intent, &seen.plan, &seen.world, &look, self.pass.ports) {
            Ok(checked) => checked,
            Err(refusal) => {
                self.state = State::Held(PassHold::Refused(refusal.to_string()));
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
            return self.go(ready, looking, members, done).await;
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
    async fn go(&mut self, ready: Ready, looking: &mut Looking, members: &mut Members, done: &mut Done) {
        let permit = match self.permit(looking, members, done).await {
            Ok(permit) => permit,
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
            let steps = apply(&checked, &permit, &ports, span).await;
            Event::Applied { key: part.key, plan: checked.plan().clone(), steps }
        });
    }

    /// Leave to write: what was granted for another part, while it lasts.
    async fn permit(
        &mut self,
        looking: &mut Looking,
        members: &mut Members,
        done: &mut Done,
    ) -> Result<Permit, State> {
        let Pass { intent, ports, span, .. } = self.pass;
        if let Some(permit) = &self.permit {
            return if permit.is_valid() { Ok(permit.clone()) } else { Err(State::OutOfDate) };
        }
        if !members.are_fresh(FRESH_FOR) {
            let until = reads_until(span.deadline);
            members.ask(intent, ports, FRESH_FOR, until);
            members.settle(intent, ports, until).await;
            if !Sight::of(intent, members.sites(intent)).agrees(&looking.sight) {
                return Err(State::OutOfDate);
            }
        }
        match leave(self.pass, &mut looking.memory, &self.primary, done).await {
            Leave::Granted(permit) => {
                self.permit = Some(permit.clone());
                Ok(permit)
            }
            Leave::LookAgain => Err(State::OutOfDate),
            Leave::Held(hold) => Err(State::Held(hold)),
        }
    }

    /// Something that was begun has ended.
    async fn take(
        &mut self,
        event: Result<Event, JoinError>,
        looking: &mut Looking,
        members: &mut Members,
        done: &mut Done,
    ) {
        match event {
            Ok(Event::Prepared { is_in_time: false, .. }) => {
                self.is_preparing = false;
                if self.may_go() {
                    self.state = State::Held(PassHold::Crowded);
                }
            }
            Ok(Event::Prepared { parts, .. }) => {
                self.is_preparing = false;
                for ready in parts {
                    if self.may_go() {
                        self.go(ready, looking, members, done).await;
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
        let is_valid = self.permit.as_ref().is_some_and(Permit::is_valid);
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
        self.state = State::OutOfDate;
    }

    /// Everything that was sent has ended.
    fn end(self, looking: &Looking, done: &mut Done) -> Attempt {
        let steps = self.results.into_values().flatten();
        if matches!(self.state, State::OutOfDate) {
            let (sure, tried): (Vec<_>, Vec<_>) = steps.partition(|step| step.result == StepResult::Done);
            done.steps.extend(sure);
            let tried: Vec<_> = tried.into_iter().filter(|step| step.result == StepResult::Failed).collect();
            if !tried.is_empty() {
                done.unsure.extend(tried);
                done.tried_for = Some(self.primary.timeline);
            }
            return Attempt::Again;
        }
        let has_written = self.permit.is_some();
        done.steps.extend(steps);
        match self.state {
            State::Held(hold) => Attempt::Finished(Some(hold)),
            State::Open | State::Closed | State::OutOfDate => {
                if !has_written && looking.look().plan.is_empty() {
                    done.bury(&looking.memory);
                }
                Attempt::Finished(None)
            }
        }
    }
}

fn changes(plan: &Plan) -> impl Iterator<Item = &RecordChange> {
    plan.lanes.iter().flat_map(|lane| match lane {
        Lane::Zone { changes, .. } => &changes[..],
        Lane::Group { .. } | Lane::Listeners { .. } => &[],
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
    intent: &Intent,
    plan: &Plan,
    world: &World,
    look: &Look,
    ports: &Ports,
) -> Result<Checked, Refusal> {
    let nothing = Memory::default();
    let memory = look.memory.as_ref().unwrap_or(&nothing);
    audit(plan, intent, world, &look.verdict, memory, ports.clock.now())
}

fn story(intent: &Intent, look: &Look) -> Option<Retarget> {
    let Verdict::Primary(primary) = &look.verdict else { return None };
    match &look.memory {
        Ok(memory) => retarget(intent, memory, &look.world, primary, &look.plan),
        Err(_) => Retarget::untold(intent, &look.world, &look.plan),
    }
}

/// Whether this pass may write now.
enum Leave {
    Granted(Permit),
    LookAgain,
    Held(PassHold),
}

/// Asks memory for leave to write.
async fn leave(pass: Pass<'_>, memory: &mut Read<Memory>, primary: &Primary, done: &mut Done) -> Leave {
    let Pass { intent, ports, settings, span, .. } = pass;
    let without_memory = |failure| {
        if settings.needs_memory {
            Leave::Held(PassHold::MemoryUnavailable(failure))
        } else {
            Leave::Granted(Permit::new(&ports.clock, super::commit::ACT_WITHIN))
        }
    };
    let known = match memory {
        Ok(memory) => memory.clone(),
        Err(failure) => return without_memory(failure.clone()),
    };
    match commit(intent, &known, primary, done.retarget.as_ref(), ports, span.deadline).await {
        Commit::Granted(permit, committed) => {
            done.committed = Some(committed.revision);
            *memory = Ok(*committed);
            Leave::Granted(permit)
        }
        Commit::Overtaken => Leave::LookAgain,
        Commit::Unavailable(failure) => without_memory(failure),
    }
}

/// The state was made for other endpoints than this entry has, so nothing is told from it and nothing rests on it.
fn of_others(intent: &Intent, memory: &Read<Memory>) -> Option<PassHold> {
    let memory = memory.as_ref().ok().filter(|memory| memory.is_of_others(intent))?;
    Some(PassHold::of_others(memory))
}
