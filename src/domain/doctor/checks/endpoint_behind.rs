//! Endpoints that a pass would change.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, unknown};
use crate::doctor::subject::Cluster;
use crate::report::{StepReport, describe, planned_steps};
use crate::spec::part::is_writer;
use crate::state::Lease;
use crate::values::endpoint::Endpoint;

pub const CHECK: Check = Check {
    id: "endpoint_behind",
    severity: Severity::Critical,
    title: "An endpoint does not follow the cluster",
    why: "A pass of repoint would change this endpoint now, so no pass has been made since the cluster changed, or none may change it. \
          Just after a failover that is a matter of seconds; if it is found again, no daemon, timer or function acts for this \
          cluster.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-register-targets.html",
    judge: Judge::Cluster(judge),
};

fn judge(cluster: &Cluster<'_>) -> Judgement {
    let (spec, its) = (cluster.spec(), cluster.its);
    let steps = planned_steps(&its.plan);
    let mut endpoints: Vec<&Endpoint> = steps.iter().map(|step| &step.endpoint).collect();
    endpoints.sort();
    endpoints.dedup();
    let lease = its.state.as_ref().ok().and_then(|state| state.lease.as_ref());
    // One that is older than a pass may last is a dead process's.
    let acts = |lease: &Lease| !cluster.facts.at.is_past(lease.since, cluster.facts.configured.deadline_ms);
    if let Some(lease) = lease.filter(|lease| !endpoints.is_empty() && acts(lease)) {
        return unknown(format!("{} is making a pass", lease.by));
    }
    let wrong = endpoints.into_iter().map(|endpoint| {
        let its = steps.iter().filter(|step| step.endpoint == *endpoint);
        let changes: Vec<String> = its.map(StepReport::summary).collect();
        let found = format!("{} needs: {}", describe(endpoint), changes.join("; "));
        let severity = if is_writer(spec, endpoint) { Severity::Critical } else { Severity::Warning };
        Wrong::new(found, format!("repoint run --cluster {}", spec.name)).with(severity)
    });
    Ok(wrong.collect())
}
