//! A pass as metrics, in CloudWatch's embedded metric format: CloudWatch Logs takes them out of the log line.
//!
//! The rules are those of the CloudWatch User Guide, "Specification: Embedded metric format". The only dimension is the
//! function's name: each further value would be eight more metrics to pay for, and the line names the cluster anyway.

use repoint_domain::decide::verdict::HoldKind;
use repoint_domain::report::{ClusterReport, Outcome, VerdictReport};
use repoint_domain::state::Severity;
use repoint_domain::values::timestamp::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The namespace of all metrics.
const NAMESPACE: &str = "repoint";
/// The dimension, as `AWS/Lambda` has it.
const DIMENSION: &str = "FunctionName";

/// A unit, as CloudWatch spells it.
#[derive(Clone, Copy, Debug, Serialize)]
enum Unit {
    Count,
    Milliseconds,
}

/// The definition of one metric; its value is a member of the line itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: Unit,
}

/// Which members of the line are metrics.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    /// One set of dimensions.
    dimensions: [[&'static str; 1]; 1],
    metrics: Vec<Definition>,
}

/// The member `_aws`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    /// In milliseconds since 1970.
    timestamp: u64,
    cloud_watch_metrics: [Directive; 1],
}

/// What the line of a pass has besides its fields, as JSON.
pub fn embedded_metrics(cluster: &ClusterReport, function: &str, now: Timestamp) -> String {
    let metrics = metrics(cluster);
    let definitions = metrics.iter().map(|(name, unit, _)| Definition { name, unit: *unit }).collect();
    let directive = Directive { namespace: NAMESPACE, dimensions: [[DIMENSION]], metrics: definitions };
    let metadata = Metadata { timestamp: now.0, cloud_watch_metrics: [directive] };
    let values = metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value.into()));
    let mut line: Map<String, Value> = values.collect();
    line.insert(DIMENSION.to_owned(), function.into());
    line.insert("_aws".to_owned(), json!(metadata));
    Value::Object(line).to_string()
}

/// Name, unit and value of each metric. Counts are written when they are 0, too, since an alarm ends by a value.
fn metrics(cluster: &ClusterReport) -> Vec<(&'static str, Unit, u64)> {
    let is = |outcome| u64::from(cluster.outcome == outcome);
    let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    let critical =
        conditions.filter(|its| its.outlasts_grace && its.kind.severity() == Severity::Critical).count();
    let mut metrics = vec![
        ("Clusters", Unit::Count, 1),
        ("Held", Unit::Count, is(Outcome::Held)),
        ("Failed", Unit::Count, is(Outcome::Failed)),
        ("Changed", Unit::Count, is(Outcome::Changed)),
        ("NoPrimary", Unit::Count, u64::from(lacks_primary(&cluster.verdict))),
        ("ConditionsCritical", Unit::Count, u64::try_from(critical).unwrap_or(u64::MAX)),
        ("PassDuration", Unit::Milliseconds, cluster.duration_ms),
    ];
    metrics.extend(cluster.followed_ms().map(|delay| ("RetargetDelay", Unit::Milliseconds, delay)));
    metrics
}

/// Whether no primary is known where there should be one: a standby cluster has none.
fn lacks_primary(verdict: &VerdictReport) -> bool {
    matches!(verdict, VerdictReport::Hold { kind, .. } if *kind != HoldKind::StandbyCluster)
}
