//! One attempt of a pass: observe, decide, and write, or the reason why nothing is written.

use tracing::info;

use super::acting::Acting;
use super::decision::{check, move_cause};
use super::progress::{Progress, Tried};
use super::{Attempt, Ended, Mode, Pass};
use crate::runtime::lease_wait::{LeaseWait, is_abandoned};
use crate::runtime::members::Members;
use crate::runtime::observe::{Observing, begin_when_promoted};
use repoint_domain::observed::Read;
use repoint_domain::report::{PassHold, planned_steps};
use repoint_domain::spec::Spec;
use repoint_domain::state::{Lease, State};
use repoint_domain::values::primary::Primary;

/// Observes, and acts on what was observed.
pub async fn attempt(
    pass: Pass<'_>,
    members: &mut Members,
    lease_wait: &mut LeaseWait,
    earlier: Progress,
) -> Attempt {
    let Pass { spec, ports, span, .. } = pass;
    let observing = begin_when_promoted(spec, ports, span.deadline, members).await;
    if let Some(hold) = of_others(spec, &observing.state) {
        return Attempt::Finished(ended(&observing, Some(hold), earlier));
    }
    let Some(primary) = observing.verdict.leader().cloned() else {
        return Attempt::Finished(ended(&observing, None, earlier));
    };
    if pass.mode == Mode::DryRun {
        return Attempt::Finished(rehearse(pass, &primary, observing).await);
    }
    if let Some(lease) = held_lease(pass, &observing.state, &primary, lease_wait, &earlier) {
        info!(cluster.name = %spec.name, by = %lease.by, "another repoint process holds the lease; waiting");
        if lease_wait.wait(&lease, spec, ports, span.deadline).await {
            return Attempt::Again(ended(&observing, None, earlier));
        }
        return Attempt::Finished(locked(pass, lease, observing, earlier).await);
    }
    Acting::new(pass, &primary, observing, members, earlier).run().await
}

fn ended(observing: &Observing, hold: Option<PassHold>, progress: Progress) -> Ended {
    Ended { observation: observing.observe(), hold, progress }
}

/// The hold where the state was kept for other endpoints than this entry has: nothing rests on such a state.
fn of_others(spec: &Spec, state: &Read<State>) -> Option<PassHold> {
    let state = state.as_ref().ok().filter(|state| state.is_of_others(spec))?;
    Some(PassHold::of_others(state))
}

/// The lease that has to be waited for, if there is one: another process's, or our own while a write for an earlier primary
/// may still arrive.
fn held_lease(
    pass: Pass<'_>,
    state: &Read<State>,
    primary: &Primary,
    lease_wait: &LeaseWait,
    earlier: &Progress,
) -> Option<Lease> {
    let lease = state.as_ref().ok()?.lease.as_ref()?;
    let is_under_way = earlier.has_failed() && lease.timeline != primary.timeline;
    let is_over = (lease.by == pass.ports.identity && !is_under_way)
        || lease_wait.is_over(lease.revision)
        || is_abandoned(lease, pass.ports.clock.now(), pass.settings.limit);
    (!is_over).then(|| lease.clone())
}

/// The end of an attempt that waited for a lease as long as it could: it reports what it would have changed.
async fn locked(pass: Pass<'_>, lease: Lease, mut observing: Observing, earlier: Progress) -> Ended {
    while observing.next().await.is_some() {}
    let observation = observing.observe();
    let moves = if earlier.has_tried() { earlier.moves.clone() } else { move_cause(pass.spec, &observation) };
    let hold = (!observation.plan.is_empty()).then_some(PassHold::Locked(lease));
    Ended { observation, hold, progress: Progress { moves, ..earlier } }
}

/// The end of an attempt that may not write: it reports what it would change.
async fn rehearse(pass: Pass<'_>, primary: &Primary, mut observing: Observing) -> Ended {
    while observing.next().await.is_some() {}
    let observation = observing.observe();
    let moves = move_cause(pass.spec, &observation);
    let checked =
        check(pass, &observation.plan, &observation.observed, &observation.verdict, &observation.state);
    let (steps, hold) = match checked {
        Ok(checked) => (planned_steps(checked.plan()), None),
        Err(refusal) => (Vec::new(), Some(PassHold::Refused(refusal.to_string()))),
    };
    let tried = |step| Tried { timeline: primary.timeline, step };
    let steps = steps.into_iter().map(tried).collect();
    Ended { observation, hold, progress: Progress { steps, moves, ..Progress::default() } }
}
