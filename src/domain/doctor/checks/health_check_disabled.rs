//! A health check that is switched off.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Record;
use crate::values::record::Failover;

pub const CHECK: Check = Check {
    id: "health_check_disabled",
    severity: Severity::Warning,
    title: "The health check of a failover record is disabled",
    why: "Route 53 takes a disabled health check for healthy. The PRIMARY is then answered even while the primary is down, and the \
          SECONDARY never is. Health checks are often disabled for maintenance and forgotten.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html",
    judge: Judge::Record(judge),
};

fn judge(record: &Record<'_>) -> Judgement {
    if record.spec.failover != Some(Failover::Primary) {
        return fine();
    }
    match record.health_check()? {
        Some((id, check)) if check.is_disabled => wrong(
            format!("Disabled is true for the health check {id}"),
            format!("aws route53 update-health-check --health-check-id {id} --no-disabled"),
        ),
        _ => fine(),
    }
}
