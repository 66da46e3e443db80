//! Doing: the steps of a plan, lane by lane.
//!
//! Laws: open before close (6), so a step whose predecessor failed is skipped; bounded (10). It must never decide: what
//! is not in the plan is not done, and only a plan that was [`Checked`] is.

use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::observe::too_late;
use crate::domain::audit::Checked;
use crate::domain::endpoint::{Endpoint, GroupArn, Target};
use crate::domain::failure::{Failure, Kind};
use crate::domain::plan::{Lane, TargetStep};
use crate::domain::record::{RecordChange, ZoneId};
use crate::domain::report::StepReport;
use crate::ports::{Permit, Ports};

/// When the pass began and when it must end.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its beginning.
    pub began: Instant,
    /// Its deadline.
    pub deadline: Instant,
}

impl Span {
    /// Milliseconds since the beginning.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What the steps of one apply share.
struct Writing<'a> {
    ports: &'a Ports,
    permit: &'a Permit,
    span: Span,
    /// The end of the permit or of the pass.
    until: Instant,
}

/// Applies a plan: the lanes at the same time, the steps of a lane in order.
pub async fn apply(checked: &Checked, permit: &Permit, ports: &Ports, span: Span) -> Vec<StepReport> {
    let writing = &Writing { ports, permit, span, until: span.deadline.min(permit.until()) };
    let lanes = checked.plan().lanes.iter().map(|lane| async move {
        match lane {
            Lane::Group { arn, steps } => group(arn, steps, writing).await,
            Lane::Zone { zone, changes } => records(zone, changes, writing).await,
        }
    });
    join_all(lanes).await.into_iter().flatten().collect()
}

/// Neighbouring steps of one kind travel in one call.
async fn group(arn: &GroupArn, steps: &[TargetStep], writing: &Writing<'_>) -> Vec<StepReport> {
    let Writing { ports, permit, span, until } = writing;
    let endpoint = Endpoint::Group(arn.clone());
    let mut reports = Vec::with_capacity(steps.len());
    let mut is_stopped = false;
    for same in steps.chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b)) {
        let planned = same.iter().map(|step| StepReport::of_target(endpoint.clone(), step));
        if is_stopped {
            reports.extend(planned.map(StepReport::skipped));
            continue;
        }
        let targets: Vec<Target> = same.iter().map(|step| target(step).clone()).collect();
        let registers = matches!(same.first(), Some(TargetStep::Register(_)));
        let (action, call) = if registers {
            ("elasticloadbalancing:RegisterTargets", ports.groups.register(arn, &targets, permit))
        } else {
            ("elasticloadbalancing:DeregisterTargets", ports.groups.deregister(arn, &targets, permit))
        };
        let call = async {
            permit.check(action, arn)?;
            call.await
        };
        let result = timeout_at(*until, call).await.unwrap_or_else(|_| Err(too_late(action, arn)));
        is_stopped = result.is_err();
        let at_ms = span.elapsed_ms();
        reports.extend(planned.map(|step| step.ended(&result, at_ms)));
    }
    reports
}

fn target(step: &TargetStep) -> &Target {
    match step {
        TargetStep::Register(target) | TargetStep::Deregister(target) => target,
    }
}

/// One batch for the zone. Route 53 refuses a batch whole, so a refused one is sent again change by change: the
/// innocent ones go through.
async fn records(zone: &ZoneId, changes: &[RecordChange], writing: &Writing<'_>) -> Vec<StepReport> {
    let mut results = vec![change(zone, changes, writing).await; changes.len()];
    let mut at_ms = writing.span.elapsed_ms();
    if changes.len() > 1 && results.iter().filter_map(|result| result.as_ref().err()).any(is_refusal) {
        results = join_all(changes.chunks(1).map(|one| change(zone, one, writing))).await;
        at_ms = writing.span.elapsed_ms();
    }
    let planned = changes.iter().map(StepReport::of_record);
    planned.zip(&results).map(|(step, result)| step.ended(result, at_ms)).collect()
}

fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Conflict | Kind::Invalid | Kind::NotFound)
}

async fn change(zone: &ZoneId, changes: &[RecordChange], writing: &Writing<'_>) -> Result<(), Failure> {
    const ACTION: &str = "route53:ChangeResourceRecordSets";
    let call = async {
        writing.permit.check(ACTION, zone)?;
        writing.ports.zones.change(zone, changes, writing.permit).await
    };
    timeout_at(writing.until, call).await.unwrap_or_else(|_| Err(too_late(ACTION, zone)))
}
