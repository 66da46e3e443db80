//! The end of a pass: its report, the next state and the alerts.

use super::{Ended, Mode, Pass};
use crate::runtime::deadline::Cut;
use crate::runtime::notify::{self, Notified, notify};
use crate::runtime::observe::Observation;
use crate::runtime::save::unavailable;
use repoint_domain::alerts::{Loaded, PassOutcome, findings};
use repoint_domain::decide::verdict::Verdict;
use repoint_domain::observed::Observed;
use repoint_domain::plan::Plan;
use repoint_domain::report::status::{ClusterStatus, status};
use repoint_domain::report::{self, ClusterReport, PassHold, StepReport, VerdictReport};
use repoint_domain::state::State;

/// Reports what a pass ended with; one that may write also saves the next state and publishes alerts. The state is returned if
/// it is stored like that. What can be published later is not waited for once it is cut off.
pub async fn finish(pass: Pass<'_>, ended: Ended, cut: &Cut) -> (ClusterReport, Option<State>) {
    let Pass { spec, ports, settings, mode, span } = pass;
    let Ended { observation, hold, progress } = ended;
    let Observation { observed, state, verdict, plan } = observation;
    let steps: Vec<_> = progress.steps.into_iter().map(|tried| tried.step).collect();
    let blocked = unavailable(spec, &state, ports).await;
    let (blocks, warns) = if settings.needs_state { (blocked, None) } else { (None, blocked) };
    let hold = hold.or_else(|| blocks.map(PassHold::StateUnavailable));
    let mut holds = report::holds(&verdict, &plan);
    holds.extend(hold.as_ref().map(PassHold::report));
    let mut warnings = report::warnings(&verdict, &plan);
    warnings.extend(warns.as_ref().map(report::without_state));
    warnings.extend(report::undiscovered(&observed));
    let moves = progress.moves;
    let mut report = ClusterReport {
        name: spec.name.clone(),
        scope: spec.scope.clone(),
        outcome: report::outcome(mode == Mode::DryRun, &steps, &holds),
        verdict: VerdictReport::from(&verdict),
        cause: moves.as_ref().filter(|_| !steps.is_empty()).map(|moves| moves.cause),
        previous_primary: moves.as_ref().and_then(|moves| moves.previous.clone()),
        steps,
        holds,
        warnings,
        alerts: Vec::new(),
        is_unnotified: false,
        duration_ms: span.elapsed_ms(),
        api_calls: ports.calls.counts(),
        status: None,
    };
    if mode == Mode::DryRun {
        return (report, None);
    }
    let known = state.as_ref().ok();
    let findings = findings(spec, &observed, known, &verdict, &plan, &report.steps, hold.as_ref());
    let limits = &settings.alerts.limits;
    let findings = findings.with_cluster(spec, &observed, known, &verdict, limits, ports.clock.now());
    let outcome = PassOutcome {
        spec,
        steps: &report.steps,
        holds: &report.holds,
        loaded: state.as_ref().map(Loaded::from).unwrap_or_default(),
        observed: &observed,
        verdict: &verdict,
        findings: &findings,
        moves: moves.as_ref(),
        // While a write may still arrive, the lease stays, so that other processes wait for it as if this one had died.
        committed: progress.committed.filter(|_| !report.steps.iter().any(|step| step.may_arrive)),
    };
    let unread = state.as_ref().err().map(ToString::to_string);
    let notified = notify(&outcome, &report, state, settings, ports, cut).await;
    let mut status = status_after(pass, &observed, &verdict, &plan, &report.steps, &notified);
    status.state_error = unread;
    report.status = Some(Box::new(status));
    let stored = notified.is_stored.then(|| notified.state.clone());
    notify::add(&mut report, notified);
    report.api_calls = ports.calls.counts();
    (report, stored)
}

/// How the cluster stands after the pass, by the state as it is now known.
fn status_after(
    pass: Pass<'_>,
    observed: &Observed,
    verdict: &Verdict,
    plan: &Plan,
    steps: &[StepReport],
    notified: &Notified,
) -> ClusterStatus {
    let now = pass.ports.clock.now();
    let mut after = status(pass.spec, observed, &Ok(notified.state.clone()), verdict, plan, now).after(steps);
    for condition in &mut after.conditions {
        // Where an alert could not be published, metrics show it all the same.
        let grace = pass.settings.alerts.grace_of(condition.kind);
        condition.outlasts_grace |= now.since(condition.since) >= grace;
    }
    if !notified.is_stored {
        (after.retargets, after.alerts_pending, after.events) = (None, None, None);
    }
    after
}
