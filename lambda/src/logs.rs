//! The log: JSON lines on stdout, for CloudWatch.
//!
//! Each line within an invocation has its request id, at every level. Lambda discards the answer of an asynchronous
//! invocation, so the log has everything that an engineer needs afterwards: one line that summarises each pass, and
//! one for each of its steps, as fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use repoint::app::{LogStream, panics};
use repoint::config::{Environment, LogFilter, LogLevel};
use repoint_domain::report::{Action, ClusterReport, Outcome, StepReport, StepResult, VerdictReport};
use repoint_domain::values::moves::MoveCause;
use tracing::{Level, enabled, error, info, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;

use crate::json_log::JsonLine;
use crate::summary::reasons;

/// The runtime's span around an invocation has the request id, so it is never filtered out.
const REQUEST_ID: &str = "lambda_runtime::layers::trace";

/// Starts logging. `REPOINT_LOG` is a filter, and overrides the level of Lambda's logging controls
/// (`AWS_LAMBDA_LOG_LEVEL`).
pub fn init(variables: &BTreeMap<String, String>) {
    let wanted = LogFilter::from_environment(&Environment::from_variables(variables.clone()));
    let default = || {
        let level = variables.get("AWS_LAMBDA_LOG_LEVEL").and_then(|level| LogLevel::parse(level));
        let level = level.unwrap_or(LogLevel::Info);
        LogFilter::ours(level).and("bootstrap", level)
    };
    let (filter, problem) = match wanted {
        Ok(filter) => (filter.unwrap_or_else(default), None),
        // A function that does not start is worse than a log that is too long.
        Err(problem) => (default(), Some(problem)),
    };
    let filter = EnvFilter::new(filter.and(REQUEST_ID, LogLevel::Info).to_string());
    let log = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .fmt_fields(JsonFields::new())
        .event_format(JsonLine)
        .with_env_filter(filter)
        .with_writer(Arc::new(LogStream::stdout()));
    // Fails only if a logger is installed already.
    drop(log.try_init());
    panics::log();
    if let Some(problem) = problem {
        warn!("the log has its default level: {problem}");
    }
}

/// Logs what a pass over a cluster did, and a summary, which has the embedded metrics (JSON text), if any.
pub fn notify(cluster: &ClusterReport, metrics: Option<&str>) {
    for step in &cluster.steps {
        tell_step(cluster, step);
    }
    let (name, outcome, duration_ms) = (&cluster.name, cluster.outcome.as_str(), cluster.duration_ms);
    let (verdict, primary) = match &cluster.verdict {
        VerdictReport::Primary(primary) => {
            (primary.kind.to_owned(), primary.member.as_ref().map(ToString::to_string))
        }
        VerdictReport::Hold { kind, .. } => (kind.as_str().to_owned(), None),
    };
    let steps = cluster.steps.len();
    let (cause, previous_primary) =
        (cluster.cause.map(MoveCause::as_str), cluster.previous_primary.as_deref());
    let why = (!reasons(cluster).is_empty()).then(|| reasons(cluster).join("; "));
    // One macro call for each level: the level is part of the code that the compiler generates.
    macro_rules! line {
        ($level:ident) => {
            $level!(
                cluster.name = %name, outcome, verdict, primary, cause, previous_primary, steps, duration_ms, why,
                members = metrics, "pass ended"
            )
        };
    }
    match cluster.outcome {
        // A log that begins at WARN keeps the metrics: Lambda itself, too, filters by the level that a line has.
        Outcome::Converged | Outcome::Changed if metrics.is_some() && !enabled!(Level::INFO) => line!(warn),
        Outcome::Converged | Outcome::Changed | Outcome::Planned => line!(info),
        Outcome::Held => line!(warn),
        Outcome::Failed => line!(error),
    }
    for warning in &cluster.warnings {
        warn!(cluster.name = %name, "{warning}");
    }
}

/// One step: what was changed, from what to what, and why.
fn tell_step(cluster: &ClusterReport, step: &StepReport) {
    let (name, cause, previous_primary) =
        (&cluster.name, cluster.cause.map(MoveCause::as_str), cluster.previous_primary.as_deref());
    let (action, result, endpoint) = (step.action.as_str(), step.result.as_str(), &step.endpoint);
    let target = Some(step.target.as_str());
    let (from, to) = match step.action {
        Action::RegisterTarget => (None, target),
        Action::DeregisterTarget => (target, None),
        Action::SetWeights | Action::ChangeRecord | Action::SetHaproxy => (step.replaces.as_deref(), target),
    };
    let (error, hint, at_ms) = (step.error.as_deref(), step.hint.as_deref(), step.at_ms);
    macro_rules! line {
        ($level:ident) => {
            $level!(
                cluster.name = %name, action, %endpoint, from, to, cause, previous_primary, result, error, hint, at_ms,
                "step"
            )
        };
    }
    match step.result {
        StepResult::Planned | StepResult::Done => line!(info),
        StepResult::Skipped => line!(warn),
        StepResult::Failed => line!(error),
    }
}
