//! The writes of one attempt: each part of the endpoints is written as soon as it has been read, and what opens it for a new
//! primary even before, where the state knows enough of it.
//!
//! Invariant 15: a part waits for its own reads and for its own turn at AWS, never for another part's. While one is waited for,
//! the members are asked again, so that an AWS that hangs does not keep the others from following the next primary.

use std::collections::BTreeMap;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::decision::{check, move_cause};
use super::lease::{Held, Stop, acquire};
use super::progress::{Progress, Review, lost};
use super::{Attempt, Ended, Pass};
use crate::limits::LeaseGuard;
use crate::runtime::apply::apply;
use crate::runtime::deadline::reads_until;
use crate::runtime::members::Members;
use crate::runtime::observe::{Observing, PartObservation, Planned};
use repoint_domain::audit::Checked;
use repoint_domain::observed::Read;
use repoint_domain::plan::Plan;
use repoint_domain::rates::{Needs, writes};
use repoint_domain::report::{PassHold, StepReport, StepResult};
use repoint_domain::spec::part::PartKey;
use repoint_domain::state::State;
use repoint_domain::values::moves::Move;
use repoint_domain::values::primary::Primary;
use repoint_domain::values::record::RecordChange;

/// An attempt that writes.
pub struct Acting<'a> {
    pass: Pass<'a>,
    primary: &'a Primary,
    observing: Observing,
    members: &'a mut Members,
    earlier: Progress,
    /// The state on which the verdict rests: every part is audited against it, the first as the last.
    known: Read<State>,
    lease: Option<Held>,
    /// Set once no more is taken on; what has begun is waited for.
    stop: Option<Stop>,
    /// Parts whose writes wait for their turn at AWS, and whether others do already.
    waiting: Vec<Ready>,
    is_preparing: bool,
    working: JoinSet<Event>,
    /// The parts that the primary joins before they are read.
    openings: BTreeMap<PartKey, Opening>,
    /// What became of the steps of each part.
    results: BTreeMap<PartKey, Vec<StepReport>>,
    /// The changes of records that lost a race.
    lost: Vec<RecordChange>,
}

/// A part that is to be written.
struct Ready {
    key: PartKey,
    checked: Checked,
}

/// What opens a part before it is read.
enum Opening {
    /// It is under way; and the part as read, if that came first.
    UnderWay(Option<Box<PartObservation>>),
    /// What became of its steps.
    Ended(Vec<StepReport>),
}

/// What an attempt has begun has ended.
enum Event {
    /// The writes of these parts had their turn, or did not have it in time.
    Prepared { parts: Vec<Ready>, is_in_time: bool },
    /// A part was written, or that was tried.
    Applied { key: PartKey, plan: Plan, steps: Vec<StepReport> },
}

impl<'a> Acting<'a> {
    pub fn new(
        pass: Pass<'a>,
        primary: &'a Primary,
        observing: Observing,
        members: &'a mut Members,
        earlier: Progress,
    ) -> Self {
        Self {
            pass,
            primary,
            known: observing.state.clone(),
            observing,
            members,
            earlier,
            lease: None,
            stop: None,
            waiting: Vec::new(),
            is_preparing: false,
            working: JoinSet::new(),
            openings: BTreeMap::new(),
            results: BTreeMap::new(),
            lost: Vec::new(),
        }
    }

    /// Takes parts as they are read, until all are written or a reason to stop has come.
    pub async fn run(mut self) -> Attempt {
        let (mut is_reading, said) = (true, self.observing.snapshot.clone());
        let (spec, ports, until) =
            (self.pass.spec, &self.pass.ports.members, reads_until(self.pass.span.deadline));
        loop {
            tokio::select! {
                biased;
                part = self.observing.next_planned(), if is_reading && self.stop.is_none() => match part {
                    Some(Planned::Unread(part)) => self.open(part).await,
                    Some(Planned::Read(part)) => self.read(part).await,
                    None => is_reading = false,
                },
                Some(event) = self.working.join_next() => self.worked(event).await,
                // What has not been read yet is waited for no longer: another primary needs the other parts now.
                () = self.members.name_another(spec, ports, &said, until), if is_reading && self.stop.is_none() => {
                    self.stop = Some(Stop::OutOfDate);
                }
                else => return self.end(),
            }
        }
    }

    /// The primary joins a part that is still being read: once in a pass, since what is read after that says what there is.
    async fn open(&mut self, unread: PartObservation) {
        if self.earlier.has_tried() {
            return;
        }
        let verdict = &self.observing.verdict;
        let checked = check(self.pass, &unread.plan, &unread.observed, verdict, &self.known);
        // What cannot be opened so is read first.
        let Some(checked) = checked.ok().filter(|checked| !checked.plan().is_empty()) else { return };
        let key = unread.part.key;
        self.openings.insert(key.clone(), Opening::UnderWay(None));
        self.send(Ready { key, checked }).await;
    }

    /// A part has been read: it is written if it differs.
    async fn read(&mut self, seen: PartObservation) {
        if let Some(Opening::UnderWay(read)) = self.openings.get_mut(&seen.part.key) {
            *read = Some(Box::new(seen));
            return;
        }
        let verdict = &self.observing.verdict;
        let checked = match check(self.pass, &seen.plan, &seen.observed, verdict, &self.known) {
            Ok(checked) => checked,
            Err(refusal) => {
                self.stop = Some(Stop::Held(PassHold::Refused(refusal.to_string())));
                return;
            }
        };
        if checked.plan().is_empty() || self.earlier.was_refused(checked.plan()) {
            return;
        }
        self.send(Ready { key: seen.part.key, checked }).await;
    }

    /// Writes a part, if need be when it is its turn at AWS.
    async fn send(&mut self, ready: Ready) {
        if self.needs(&ready).is_empty() {
            return self.write(ready).await;
        }
        self.waiting.push(ready);
        self.prepare();
    }

    /// Waits for the writes' turn before the lease is taken, which lasts for seconds. Parts that need no turn do not wait with
    /// them.
    fn prepare(&mut self) {
        if self.is_preparing || self.waiting.is_empty() || self.stop.is_some() {
            return;
        }
        self.is_preparing = true;
        let parts = std::mem::take(&mut self.waiting);
        let mut needs = Needs::new();
        for (key, count) in parts.iter().flat_map(|ready| self.needs(ready)) {
            *needs.entry(key).or_default() += count;
        }
        let (calls, until) = (self.pass.ports.calls.clone(), reads_until(self.pass.span.deadline));
        self.working.spawn(async move {
            let is_in_time = timeout_at(until, calls.prepare(&needs)).await.is_ok();
            Event::Prepared { parts, is_in_time }
        });
    }

    /// The requests that need a turn. What opens a part has it together with what will close it: the lease lasts for seconds, and
    /// where a hundred clusters fail over at once, the next turn may come later than that.
    fn needs(&self, ready: &Ready) -> Needs {
        let mut needs = writes(ready.checked.plan());
        match self.openings.get(&ready.key) {
            Some(Opening::UnderWay(_)) => needs.values_mut().for_each(|count| *count *= 2),
            Some(Opening::Ended(steps)) if is_done(steps) => needs.clear(),
            Some(Opening::Ended(_)) | None => {}
        }
        needs
    }

    /// Writes a part.
    async fn write(&mut self, ready: Ready) {
        let guard = match self.guard().await {
            Ok(guard) => guard,
            Err(stop) => {
                self.stop = Some(stop);
                return;
            }
        };
        let Ready { key, checked } = ready;
        let (ports, span) = (self.pass.ports.clone(), self.pass.span);
        let opened = match self.openings.get(&key) {
            Some(Opening::Ended(steps)) => steps.clone(),
            Some(Opening::UnderWay(_)) | None => Vec::new(),
        };
        self.working.spawn(async move {
            let steps = apply(&checked, &opened, &guard, &ports, span).await;
            Event::Applied { key, plan: checked.plan().clone(), steps }
        });
    }

    /// The lease's guard: that of an earlier part, while it lasts.
    async fn guard(&mut self) -> Result<LeaseGuard, Stop> {
        if let Some(Held { guard, .. }) = &self.lease {
            return if guard.is_valid() { Ok(guard.clone()) } else { Err(Stop::OutOfDate) };
        }
        let moves = self.moves();
        let held =
            acquire(self.pass, &mut self.observing, self.primary, moves.as_ref(), self.members).await?;
        let guard = held.guard.clone();
        self.lease = Some(held);
        Ok(guard)
    }

    /// Something that was begun has ended.
    async fn worked(&mut self, event: Result<Event, JoinError>) {
        match event {
            Ok(Event::Prepared { parts, is_in_time }) => {
                self.is_preparing = false;
                if !is_in_time && self.stop.is_none() {
                    self.stop = Some(Stop::Held(PassHold::RateLimited));
                }
                for ready in parts {
                    if self.stop.is_none() {
                        self.write(ready).await;
                    }
                }
                self.prepare();
            }
            Ok(Event::Applied { key, plan, steps }) => {
                self.applied(key.clone(), &plan, steps.clone());
                if let Some(Opening::UnderWay(read)) = self.openings.get_mut(&key) {
                    let read = read.take();
                    self.openings.insert(key, Opening::Ended(steps));
                    if let Some(seen) = read.filter(|_| self.stop.is_none()) {
                        self.read(*seen).await;
                    }
                }
            }
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }

    /// A part has been written, or that was tried.
    fn applied(&mut self, key: PartKey, plan: &Plan, steps: Vec<StepReport>) {
        let is_complete = is_done(&steps);
        let is_valid = self.lease.as_ref().is_some_and(|lease| lease.guard.is_valid());
        // What came too late for the lease was not sent, and lost nothing.
        let lost = if is_valid { lost(plan, &steps) } else { Vec::new() };
        // Once a pass: a process that loses again has the next pass.
        let looks_again = self.earlier.lost.is_empty() && !lost.is_empty();
        self.results.insert(key, steps);
        self.lost.extend(lost);
        if is_complete || (is_valid && !looks_again) || Instant::now() >= self.pass.span.deadline {
            return;
        }
        // The lease ran out in the middle, or another process was quicker: what was done is done, and the rest is decided
        // again.
        self.stop = Some(Stop::OutOfDate);
    }

    /// What is moved, and why. Once something was sent, the cause that was then decided stands.
    fn moves(&self) -> Option<Move> {
        let has_planned = !self.openings.is_empty() || self.observing.parts().next().is_some();
        if self.earlier.has_tried() || !has_planned {
            return self.earlier.moves.clone();
        }
        move_cause(self.pass.spec, &self.observing.observe())
    }

    /// Everything that was sent has ended.
    fn end(self) -> Attempt {
        let moves = self.moves();
        let observation = self.observing.observe();
        let is_out_of_date = matches!(self.stop, Some(Stop::OutOfDate));
        let committed = self.lease.as_ref().and_then(|lease| lease.revision).or(self.earlier.committed);
        let lost = self.earlier.lost.iter().chain(&self.lost).cloned().collect();
        let parts = self.observing.parts().map(|(part, plan)| Review {
            part,
            plan,
            is_sent: self.results.contains_key(&part.key),
        });
        let parts: Vec<_> = parts.collect();
        // A step that was skipped is decided again.
        let is_kept = |step: &StepReport| !is_out_of_date || step.result != StepResult::Skipped;
        let sent = self.results.values().flatten().filter(|step| is_kept(step)).cloned().collect();
        let steps = self.earlier.and_sent(self.primary, &parts, sent);
        let mut progress = Progress { steps, lost, moves, committed };
        // No commit has shown whether the state is still like that: neither that nothing is to be done nor a refusal rests on it.
        let is_unconfirmed = self.observing.is_remembered && self.lease.is_none();
        let hold = match self.stop {
            None | Some(Stop::Held(PassHold::Refused(_))) if is_unconfirmed => {
                return Attempt::Again(Ended { observation, hold: None, progress });
            }
            Some(Stop::OutOfDate) => return Attempt::Again(Ended { observation, hold: None, progress }),
            Some(Stop::Held(hold)) => Some(hold),
            None => None,
        };
        let abandoned = observation.state.as_ref().ok().and_then(|state| state.lease.as_ref());
        let is_right = hold.is_none() && self.lease.is_none() && observation.plan.is_empty();
        if let Some(abandoned) = abandoned.filter(|_| is_right) {
            progress.finish_abandoned(abandoned);
        }
        Attempt::Finished(Ended { observation, hold, progress })
    }
}

fn is_done(steps: &[StepReport]) -> bool {
    steps.iter().all(|step| step.result == StepResult::Done)
}
