//! The log: JSON lines on stdout, for CloudWatch.
//!
//! Law: each line within an invocation carries its request id, whatever the level, and each cluster has one line that
//! sums up its pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use repoint::app::{LogStream, panics};
use repoint::domain::report::{ClusterReport, Outcome, VerdictReport};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;

use crate::line::JsonLine;
use crate::sentence::reasons;

/// The runtime's span around an invocation holds the request id, so it is never filtered out.
const REQUEST_ID: &str = "lambda_runtime::layers::trace=info";

/// Begins to log. `REPOINT_LOG` is a filter, and overrules the level that Lambda's own logging controls set
/// (`AWS_LAMBDA_LOG_LEVEL`).
pub fn init(variables: &BTreeMap<String, String>) {
    let wanted = variables.get("REPOINT_LOG").and_then(|filter| EnvFilter::try_new(filter).ok());
    let filter = wanted.unwrap_or_else(|| {
        let level = variables.get("AWS_LAMBDA_LOG_LEVEL").map_or("info", |level| level_of(level));
        EnvFilter::new(format!("error,repoint={level},bootstrap={level}"))
    });
    let filter = match REQUEST_ID.parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let log = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .fmt_fields(JsonFields::new())
        .event_format(JsonLine)
        .with_env_filter(filter)
        .with_writer(Arc::new(LogStream::stdout()));
    // It fails only where something logs already.
    drop(log.try_init());
    panics::log();
}

/// Lambda's names for levels.
fn level_of(name: &str) -> &'static str {
    match name.to_ascii_uppercase().as_str() {
        "TRACE" => "trace",
        "DEBUG" => "debug",
        "WARN" => "warn",
        "ERROR" | "FATAL" => "error",
        _ => "info",
    }
}

/// Sums up the pass over a cluster.
pub fn tell(cluster: &ClusterReport) {
    let (name, outcome, duration_ms) = (&cluster.name, cluster.outcome.as_str(), cluster.duration_ms);
    let (verdict, primary) = match &cluster.verdict {
        VerdictReport::Primary(primary) => {
            (primary.kind.to_owned(), primary.member.as_ref().map(ToString::to_string))
        }
        VerdictReport::Hold { kind, .. } => (kind.as_str().to_owned(), None),
    };
    let steps = cluster.steps.len();
    let why = (!reasons(cluster).is_empty()).then(|| reasons(cluster).join("; "));
    // One macro call for each level: the level is part of what the compiler builds for it.
    macro_rules! line {
        ($level:ident) => {
            $level!(cluster.name = %name, outcome, verdict, primary, steps, duration_ms, why, "pass ended")
        };
    }
    match cluster.outcome {
        Outcome::Converged | Outcome::Changed | Outcome::Planned => line!(info),
        Outcome::Held => line!(warn),
        Outcome::Failed => line!(error),
    }
    for warning in &cluster.warnings {
        warn!(cluster.name = %name, "{warning}");
    }
}
