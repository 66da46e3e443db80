//! Health checks of groups behind a listener with weights.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Group;
use crate::spec::Strategy;

pub const CHECK: Check = Check {
    id: "weighted_asks_role",
    severity: Severity::Warning,
    title: "The groups of replicas are never healthy",
    why: "Behind a listener with weights each member has its own group, and a health check that only the primary passes fails in \
          all the others. After a failover the new primary's group needs several checks until it is healthy, and Route 53 counts a \
          load balancer as unhealthy if one of its groups has no healthy target. The weights choose the primary; let the health \
          check find out whether PostgreSQL accepts connections.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html",
    judge: Judge::Group(judge),
};

/// What answers 200 on the primary alone (`patroni/api.py`, `do_GET`); `/` is left out, which may be another server's.
const PATHS: [&str; 4] = ["/primary", "/master", "/leader", "/read-write"];

fn judge(group: &Group<'_>) -> Judgement {
    let check = &group.description()?.check;
    let path = check.path.as_deref().and_then(|path| path.split('?').next()).unwrap_or_default();
    if !matches!(group.spec.strategy, Strategy::Weighted { .. })
        || !check.protocol.starts_with("HTTP")
        || !PATHS.contains(&path)
    {
        return fine();
    }
    let arn = &group.spec.arn;
    wrong(
        format!("HealthCheckPath is {path}"),
        format!(
            "aws elbv2 modify-target-group --region {} --target-group-arn {arn} --health-check-protocol TCP --health-check-port \
             traffic-port",
            arn.region()
        ),
    )
}
