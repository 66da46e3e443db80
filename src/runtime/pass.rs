//! One pass over one cluster.
//!
//! Laws: idempotent (8), so a pass that finds everything right writes nothing and tells nobody; explained (11), so it
//! always ends with a report; crash anywhere (9), so it may end between any two of its calls.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::apply::{Span, apply};
use super::commit::{Commit, Patience, commit, is_abandoned, out_of_reach};
use super::look::{Look, look, look_until_promoted, reads_until};
use super::observe::members;
use super::tell::{self, tell};
use crate::domain::audit::{Checked, Refusal, audit};
use crate::domain::budget::writes;
use crate::domain::cluster::Timeline;
use crate::domain::endpoint::Endpoint;
use crate::domain::intent::Intent;
use crate::domain::memory::condition::findings;
use crate::domain::memory::fold::{Ended, Remembered, Rules};
use crate::domain::memory::{Acting, Memory};
use crate::domain::plan::{Lane, Plan};
use crate::domain::record::RecordChange;
use crate::domain::report::{self, ClusterReport, PassHold, StepReport, StepResult, VerdictReport};
use crate::domain::retarget::{Retarget, retarget};
use crate::domain::sight::Sight;
use crate::domain::verdict::{Primary, Verdict};
use crate::ports::{Permit, Ports};

/// How often a pass decides anew before it gives up: others cannot be quicker so many times unless something is wrong.
const ROUNDS: u32 = 10;
/// What was seen so long ago is not acted on before Patroni has said the same again, which costs AWS nothing.
const STALE_AFTER: Duration = Duration::from_millis(250);

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

/// What was done in the end.
struct Done {
    look: Look,
    /// What was done, and tried, in the order of trying.
    steps: Vec<StepReport>,
    /// What was tried when the permit ran out: perhaps done.
    unsure: Vec<StepReport>,
    /// The timeline of the primary for whom it was tried.
    tried_for: Option<Timeline>,
    /// What was refused since the record was not as it had been read, it seems.
    lost: Vec<RecordChange>,
    /// Why nothing was written, although something differs.
    hold: Option<PassHold>,
    retarget: Option<Retarget>,
    /// The revision of the commit that ends with this pass.
    committed: Option<u64>,
}

impl Done {
    fn new(look: Look) -> Self {
        Self {
            look,
            steps: Vec::new(),
            unsure: Vec::new(),
            tried_for: None,
            lost: Vec::new(),
            hold: None,
            retarget: None,
            committed: None,
        }
    }

    /// One that died after its writes is ended by whoever finds all as it should be, and told of.
    fn bury(&mut self) {
        let Some(dead) = self.look.memory.as_ref().ok().and_then(|memory| memory.acting.as_ref()) else {
            return;
        };
        if self.committed.is_none() {
            self.retarget = self.retarget.take().or_else(|| dead.moves.clone());
        }
        self.committed = Some(dead.revision);
    }

    /// A later look tells what became of the steps that nobody was sure of: one that is still needed is planned again,
    /// and one whose endpoint can be read and is right was done. A look that finds another primary tells nothing of them.
    fn and_then(mut self, intent: &Intent, look: Look) -> Self {
        let planned = report::planned_steps(&look.plan);
        let is_planned = |step: &StepReport| {
            planned.iter().any(|again| {
                (again.action, &again.endpoint, &again.target) == (step.action, &step.endpoint, &step.target)
            })
        };
        let is_known = |step: &StepReport| !look.plan.holds.iter().any(|hold| hold.endpoint == step.endpoint);
        if primary_of(&look).map(|primary| primary.timeline) == self.tried_for {
            let (again, settled): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.unsure).into_iter().partition(is_planned);
            for step in settled {
                self.steps.push(if is_known(&step) { step.found_done() } else { step });
            }
            self.unsure = again;
        }
        // Whoever has done nothing yet may have been waiting for one who has done it all, and told of it.
        let told = self.retarget.take().filter(|_| !self.steps.is_empty() || !self.unsure.is_empty());
        Self { retarget: told.or_else(|| story(intent, &look)), look, hold: None, ..self }
    }
}

/// The whole pass: look, commit, apply, tell.
pub async fn pass(intent: &Intent, ports: &Ports, settings: &Settings, mode: Mode) -> ClusterReport {
    let span = Span::of(settings.limit);
    let mut done = look_and_act(intent, ports, settings, mode, span).await;
    ports.calls.step_aside();
    done.steps.append(&mut done.unsure);
    let Look { world, memory, verdict, plan } = done.look;
    let blocked = out_of_reach(intent, &memory, ports).await;
    let (blocks, warns) = if settings.needs_memory { (blocked, None) } else { (None, blocked) };
    let hold = done.hold.or_else(|| blocks.map(PassHold::MemoryUnavailable));
    let mut holds = report::holds(&verdict, &plan);
    holds.extend(hold.as_ref().map(PassHold::report));
    let mut warnings = report::warnings(&verdict, &plan);
    warnings.extend(warns.as_ref().map(report::without_memory));
    let mut report = ClusterReport {
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

/// Looks, and acts on what was seen; and begins again when that was out of date.
async fn look_and_act(intent: &Intent, ports: &Ports, settings: &Settings, mode: Mode, span: Span) -> Done {
    let mut patience = Patience::default();
    let mut done: Option<Done> = None;
    for _ in 0..ROUNDS {
        let look = look_until_promoted(intent, ports, span.deadline).await;
        let mut now = match done {
            None => Done { retarget: story(intent, &look), ..Done::new(look) },
            Some(before) => before.and_then(intent, look),
        };
        let checked = match check(intent, &now.look) {
            Ok(checked) => checked,
            Err(refusal) => {
                now.hold = Some(PassHold::Refused(refusal.to_string()));
                return now;
            }
        };
        let Some(primary) = primary_of(&now.look).cloned() else { return now };
        if mode == Mode::DryRun {
            now.steps = report::planned_steps(checked.plan());
            return now;
        }
        if changes(checked.plan()).any(|change| now.lost.contains(change)) {
            // Nobody has changed it: it was refused for another reason.
            return now;
        }
        if let Some(other) = in_the_way(&now, &primary, &patience, ports) {
            info!(cluster.name = %intent.scope, by = %other.by, "another repoint is acting; waiting for it");
            if patience.wait(&other, intent, ports, span.deadline).await {
                done = Some(now);
                continue;
            }
            now.hold = Some(PassHold::Busy(other)).filter(|_| !checked.plan().is_empty());
            return now;
        }
        if checked.plan().is_empty() {
            now.bury();
            return now;
        }
        match prepared(intent, &now.look, checked.plan(), ports, span).await {
            Prepared::Yes => {}
            Prepared::TooLate => {
                now.hold = Some(PassHold::Crowded);
                return now;
            }
            Prepared::Stale => {
                done = Some(now);
                continue;
            }
        }
        let permit = match leave(intent, &mut now, &primary, ports, settings, span).await {
            Leave::Granted(permit) => permit,
            Leave::LookAgain => {
                done = Some(now);
                continue;
            }
            Leave::Held(hold) => {
                now.hold = Some(hold);
                return now;
            }
        };
        now.unsure.clear();
        let steps = apply(&checked, &permit, ports, span).await;
        let is_complete = steps.iter().all(|step| step.result == StepResult::Done);
        // What came too late for the permit was not sent, and lost nothing.
        let lost = if permit.is_valid() { lost(checked.plan(), &steps) } else { Vec::new() };
        // Once: the next pass is soon enough for whoever goes on losing.
        let looks_again = now.lost.is_empty() && !lost.is_empty();
        if is_complete || (permit.is_valid() && !looks_again) || Instant::now() >= span.deadline {
            now.steps.extend(steps);
            return now;
        }
        // The permit ran out in the middle, or somebody else was quicker; what was done is done, and the rest is decided
        // anew.
        let (sure, tried): (Vec<_>, Vec<_>) =
            steps.into_iter().partition(|step| step.result == StepResult::Done);
        now.steps.extend(sure);
        now.unsure = tried.into_iter().filter(|step| step.result == StepResult::Failed).collect();
        now.tried_for = Some(primary.timeline);
        now.lost.extend(lost);
        done = Some(now);
    }
    let mut last = match done {
        Some(done) => done,
        None => Done::new(look(intent, ports, span.deadline).await),
    };
    last.hold = Some(PassHold::Overtaken);
    last
}

fn changes(plan: &Plan) -> impl Iterator<Item = &RecordChange> {
    plan.lanes.iter().flat_map(|lane| match lane {
        Lane::Zone { changes, .. } => &changes[..],
        Lane::Group { .. } | Lane::Listener { .. } => &[],
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

fn check(intent: &Intent, look: &Look) -> Result<Checked, Refusal> {
    let nothing = Memory::default();
    audit(&look.plan, intent, &look.world, &look.verdict, look.memory.as_ref().unwrap_or(&nothing))
}

fn primary_of(look: &Look) -> Option<&Primary> {
    match &look.verdict {
        Verdict::Primary(primary) => Some(primary),
        Verdict::Hold(_) => None,
    }
}

fn story(intent: &Intent, look: &Look) -> Option<Retarget> {
    let primary = primary_of(look)?;
    match &look.memory {
        Ok(memory) => retarget(intent, memory, &look.world, primary, &look.plan),
        Err(_) => Retarget::untold(intent, &look.world, &look.plan),
    }
}

/// Whether the writes of a plan can be sent without waiting for others.
enum Prepared {
    Yes,
    Stale,
    TooLate,
}

/// Waits for the writes' turn before anything is committed to: a permit runs out within seconds.
async fn prepared(intent: &Intent, look: &Look, plan: &Plan, ports: &Ports, span: Span) -> Prepared {
    let began = Instant::now();
    if timeout_at(reads_until(span.deadline), ports.calls.prepare(&writes(plan))).await.is_err() {
        return Prepared::TooLate;
    }
    if began.elapsed() < STALE_AFTER {
        return Prepared::Yes;
    }
    let before = Sight::of(intent, look.world.sites.clone());
    let now = Sight::of(intent, members(intent, ports, span.deadline).await);
    if now.agrees(&before) { Prepared::Yes } else { Prepared::Stale }
}

/// Whether this pass may write now.
enum Leave {
    Granted(Permit),
    LookAgain,
    Held(PassHold),
}

/// Asks memory for leave to write.
async fn leave(
    intent: &Intent,
    now: &mut Done,
    primary: &Primary,
    ports: &Ports,
    settings: &Settings,
    span: Span,
) -> Leave {
    let without_memory = |failure| {
        if settings.needs_memory {
            Leave::Held(PassHold::MemoryUnavailable(failure))
        } else {
            Leave::Granted(Permit::new(&ports.clock, super::commit::ACT_WITHIN))
        }
    };
    let memory = match &now.look.memory {
        Ok(memory) => memory.clone(),
        Err(failure) => return without_memory(failure.clone()),
    };
    match commit(intent, &memory, primary, now.retarget.as_ref(), ports, span.deadline).await {
        Commit::Granted(permit, memory) => {
            now.committed = Some(memory.revision);
            now.look.memory = Ok(*memory);
            Leave::Granted(permit)
        }
        Commit::Overtaken => Leave::LookAgain,
        Commit::Unavailable(failure) => without_memory(failure),
    }
}

/// Another one's commit that has to be waited for.
fn in_the_way(now: &Done, primary: &Primary, patience: &Patience, ports: &Ports) -> Option<Acting> {
    let acting = now.look.memory.as_ref().ok()?.acting.as_ref()?;
    // Our own is in the way only if what was sent for an earlier primary may still arrive.
    let is_under_way = !now.unsure.is_empty() && now.tried_for != Some(primary.timeline);
    let is_over = (acting.by == ports.identity && !is_under_way)
        || patience.is_over(acting.revision)
        || is_abandoned(acting, ports.clock.now());
    (!is_over).then(|| acting.clone())
}
