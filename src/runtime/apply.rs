//! Applying the steps of a plan, group by group.
//!
//! Invariants: open before close (6), so a step whose predecessor failed is skipped; bounded (10). It decides nothing: only
//! the steps of a plan that was [`Checked`] are done.

use std::future::Future;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::deadline::{Span, too_late};
use crate::limits::LeaseGuard;
use crate::ports::Ports;
use repoint_domain::audit::Checked;
use repoint_domain::plan::{ListenerStep, StepGroup, TargetStep};
use repoint_domain::report::{StepReport, StepResult};
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::failure::Failure;
use repoint_domain::values::haproxy::{BackendKey, ServerChange};
use repoint_domain::values::record::{RecordChange, ZoneId};
use repoint_domain::values::target::Target;

/// Once the lease has run out nothing is sent; a request that is under way has this long to be answered.
const LAST_WORD: Duration = Duration::from_millis(100);

/// What the steps of one apply share.
struct Writing<'a> {
    /// What was done under the same lease, and is not sent again.
    done: &'a [StepReport],
    ports: &'a Ports,
    guard: &'a LeaseGuard,
    span: Span,
    /// The end of the lease or of the pass.
    until: Instant,
}

/// Applies a plan: the step groups at the same time, the steps of each in order. Targets that were registered under the same
/// lease are not registered again.
pub async fn apply(
    checked: &Checked,
    done: &[StepReport],
    guard: &LeaseGuard,
    ports: &Ports,
    span: Span,
) -> Vec<StepReport> {
    let writing = &Writing { done, ports, guard, span, until: span.deadline.min(guard.until()) };
    let step_groups = checked.plan().step_groups.iter().map(|step_group| async move {
        match step_group {
            StepGroup::Group { arn, steps } => group(arn, steps, writing).await,
            StepGroup::Listeners { steps } => listeners(steps, writing).await,
            StepGroup::Zone { zone, changes } => records(zone, changes, writing).await,
            StepGroup::Backend { key, changes } => servers(key, changes, writing).await,
        }
    });
    join_all(step_groups).await.into_iter().flatten().collect()
}

/// What was done of a group's steps, each only if the one before it was done.
#[derive(Default)]
struct Sequence {
    reports: Vec<StepReport>,
    is_stopped: bool,
}

impl Sequence {
    /// These travel in one call.
    async fn next(
        &mut self,
        planned: impl Iterator<Item = StepReport>,
        (action, resource): (&str, &impl ToString),
        call: impl Future<Output = Result<(), Failure>>,
        writing: &Writing<'_>,
    ) {
        if self.is_stopped {
            self.reports.extend(planned.map(StepReport::skipped));
            return;
        }
        let call = async {
            writing.guard.check(action, resource)?;
            call.await
        };
        let sent_ms = writing.span.elapsed_ms();
        let result = timeout_at(writing.until, call).await;
        let result = result.unwrap_or_else(|_| Err(too_late(action, resource)));
        self.is_stopped = result.is_err();
        let at_ms = writing.span.elapsed_ms();
        self.reports.extend(planned.map(|step| step.ended(&result, at_ms).sent_at(sent_ms)));
    }
}

async fn group(arn: &GroupArn, steps: &[TargetStep], writing: &Writing<'_>) -> Vec<StepReport> {
    let mut done = Sequence::default();
    targets(arn, &steps.iter().collect::<Vec<_>>(), &mut done, writing).await;
    done.reports
}

/// Neighbouring steps of one kind travel in one call.
async fn targets(arn: &GroupArn, steps: &[&TargetStep], done: &mut Sequence, writing: &Writing<'_>) {
    let Writing { ports, guard, .. } = writing;
    let report = |step: &TargetStep| StepReport::of_target(Endpoint::Group(arn.clone()), step);
    let is_done =
        |earlier: &&StepReport, step| earlier.result == StepResult::Done && earlier.is_same(&report(step));
    let earlier = |step| writing.done.iter().find(|earlier| is_done(earlier, step));
    for same in steps.chunk_by(|a, b| std::mem::discriminant(*a) == std::mem::discriminant(*b)) {
        done.reports.extend(same.iter().filter_map(|step| earlier(step)).cloned());
        let same: Vec<&TargetStep> = same.iter().copied().filter(|step| earlier(step).is_none()).collect();
        if same.is_empty() {
            continue;
        }
        let planned = same.iter().map(|step| report(step));
        let targets: Vec<Target> = same.iter().map(|step| target(step).clone()).collect();
        let registers = matches!(same.first(), Some(TargetStep::Register(_)));
        let (action, call) = if registers {
            ("elasticloadbalancing:RegisterTargets", ports.groups.register(arn, &targets, guard))
        } else {
            ("elasticloadbalancing:DeregisterTargets", ports.groups.deregister(arn, &targets, guard))
        };
        done.next(planned, (action, arn), call, writing).await;
    }
}

/// No listener waits for another, but the targets that got the connections stay until all listeners have moved.
async fn listeners(steps: &[ListenerStep], writing: &Writing<'_>) -> Vec<StepReport> {
    const ACTION: &str = "elasticloadbalancing:ModifyListener";
    let mut done = Sequence::default();
    let mut have_all_moved = true;
    for same in steps.chunk_by(|a, b| behind(a).is_some() && behind(a) == behind(b)) {
        match same {
            [ListenerStep::Weights(weights), ..] => {
                let arn = &weights.listener;
                let planned = std::iter::once(StepReport::of_weights(weights));
                let call = writing.ports.listeners.forward(arn, &weights.after, writing.guard);
                let is_open = !done.is_stopped;
                done.next(planned, (ACTION, arn), call, writing).await;
                have_all_moved &= !done.is_stopped;
                done.is_stopped = !is_open;
            }
            [ListenerStep::Target(group, _), ..] => {
                done.is_stopped |= !have_all_moved;
                let steps: Vec<&TargetStep> = same.iter().filter_map(target_step).collect();
                targets(group, &steps, &mut done, writing).await;
            }
            [] => {}
        }
    }
    done.reports
}

/// The target group that a step is about.
fn behind(step: &ListenerStep) -> Option<&GroupArn> {
    match step {
        ListenerStep::Target(group, _) => Some(group),
        ListenerStep::Weights(_) => None,
    }
}

fn target_step(step: &ListenerStep) -> Option<&TargetStep> {
    match step {
        ListenerStep::Target(_, step) => Some(step),
        ListenerStep::Weights(_) => None,
    }
}

fn target(step: &TargetStep) -> &Target {
    match step {
        TargetStep::Register(target) | TargetStep::Deregister(target) => target,
    }
}

/// The changes of a backend's servers, one after the other.
async fn servers(key: &BackendKey, changes: &[ServerChange], writing: &Writing<'_>) -> Vec<StepReport> {
    let mut done = Sequence::default();
    for change in changes {
        let planned = std::iter::once(StepReport::of_server(key, change));
        let call = writing.ports.backends.change(key, change, writing.guard);
        done.next(planned, ("set server", key), call, writing).await;
    }
    done.reports
}

/// The changes of a zone, together.
async fn records(zone: &ZoneId, changes: &[RecordChange], writing: &Writing<'_>) -> Vec<StepReport> {
    let call = writing.ports.zones.change(zone, changes, writing.guard);
    let until = writing.span.deadline.min(writing.until + LAST_WORD);
    let sent_ms = writing.span.elapsed_ms();
    let results = timeout_at(until, call)
        .await
        .unwrap_or_else(|_| vec![Err(too_late("route53:ChangeResourceRecordSets", zone)); changes.len()]);
    let at_ms = writing.span.elapsed_ms();
    let planned = changes.iter().map(StepReport::of_record);
    planned.zip(results).map(|(step, result)| step.sent(result, at_ms).sent_at(sent_ms)).collect()
}
