//! What the attempts of a pass have done so far.
//!
//! An attempt is given it, and returns the next one; nothing of it changes meanwhile. A write whose answer was late may have
//! been done, or may still arrive: only a later observation for the same primary shows which (invariant 4).

use repoint_domain::plan::Plan;
use repoint_domain::report::{self, StepReport, StepResult};
use repoint_domain::spec::part::Part;
use repoint_domain::state::Lease;
use repoint_domain::values::cluster::Timeline;
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::moves::Move;
use repoint_domain::values::primary::Primary;
use repoint_domain::values::record::RecordChange;

/// What a pass has done so far.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The steps that were done or tried.
    pub steps: Vec<Tried>,
    /// The changes of records that were refused because another process seems to have changed the record first.
    pub lost: Vec<RecordChange>,
    /// What is moved, and why.
    pub moves: Option<Move>,
    /// The revision of the commit that ends with this pass.
    pub committed: Option<u64>,
}

/// A step, and the timeline of the primary for which it was tried.
#[derive(Clone, Debug)]
pub struct Tried {
    pub timeline: Timeline,
    pub step: StepReport,
}

/// A part as a later attempt has found it.
#[derive(Clone, Copy)]
pub struct Review<'a> {
    pub part: &'a Part,
    pub plan: &'a Plan,
    /// Whether that attempt has sent the plan.
    pub is_sent: bool,
}

impl Progress {
    /// Whether anything was sent. The cause of the move that was then decided stands.
    pub fn has_tried(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Whether something was sent of which it is not known that it was done: it may still arrive.
    pub fn has_failed(&self) -> bool {
        self.steps.iter().any(|tried| tried.step.result == StepResult::Failed)
    }

    /// Whether a plan has a change that was refused before. Since it has not changed, it was refused for another reason than a
    /// lost race.
    pub fn was_refused(&self, plan: &Plan) -> bool {
        plan.record_changes().any(|change| self.lost.contains(change))
    }

    /// All steps, after an attempt for `primary` that has found `parts` like this and has sent `sent`: first what is known to
    /// be done, last what earlier attempts have left open.
    pub fn and_sent(self, primary: &Primary, parts: &[Review<'_>], sent: Vec<StepReport>) -> Vec<Tried> {
        let earlier = self.steps.into_iter().filter_map(|tried| tried.reviewed(primary, parts));
        let (done, open): (Vec<_>, Vec<_>) = earlier.partition(|tried| tried.step.result == StepResult::Done);
        let sent = sent.into_iter().map(|step| Tried { timeline: primary.timeline, step });
        done.into_iter().chain(sent).chain(open).collect()
    }

    /// The pass found everything as it should be, so it ends the commit of a process that died after its writes, and reports
    /// that process's move.
    pub fn finish_abandoned(&mut self, abandoned: &Lease) {
        if self.committed.is_none() {
            self.moves = self.moves.take().or_else(|| abandoned.moves.clone());
        }
        self.committed = Some(abandoned.revision);
    }
}

impl Tried {
    /// What is known of a step now; `None` if it was sent again, and so has a newer result. One that is still needed is planned
    /// again; one that is not planned again was done, if its endpoint can be read.
    fn reviewed(self, primary: &Primary, parts: &[Review<'_>]) -> Option<Self> {
        if self.step.result == StepResult::Done {
            return Some(self);
        }
        let Some(Review { plan, is_sent, .. }) =
            parts.iter().find(|review| review.part.covers(&self.step.endpoint))
        else {
            return Some(self);
        };
        let is_planned = report::planned_steps(plan).iter().any(|again| again.is_same(&self.step));
        if self.timeline != primary.timeline || is_planned {
            return (!is_sent).then_some(self);
        }
        let is_known = !plan.holds.iter().any(|hold| hold.endpoint == self.step.endpoint);
        Some(if is_known { Self { step: self.step.found_done(), ..self } } else { self })
    }
}

/// The changes before which another process seems to have changed the record.
pub fn lost(plan: &Plan, steps: &[StepReport]) -> Vec<RecordChange> {
    let is_lost = |change: &&RecordChange| {
        let endpoint = Endpoint::Record(change.after.key.clone());
        steps.iter().any(|step| step.lost_a_race && step.endpoint == endpoint)
    };
    plan.record_changes().filter(is_lost).cloned().collect()
}
