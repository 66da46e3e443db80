//! A health check of an alarm that counts as healthy without data.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Record;
use crate::values::record::Failover;

pub const CHECK: Check = Check {
    id: "health_check_without_data",
    severity: Severity::Warning,
    title: "The health check of a failover record is healthy without data",
    why: "The metric of an alarm often ends together with what it measures. Route 53 then takes the PRIMARY for healthy, even if it \
          was unhealthy before.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html",
    judge: Judge::Record(judge),
};

fn judge(record: &Record<'_>) -> Judgement {
    if record.spec.failover != Some(Failover::Primary) {
        return fine();
    }
    match record.health_check()? {
        Some((id, check)) if !check.is_disabled && check.insufficient_data.as_deref() == Some("Healthy") => {
            wrong(
                format!("InsufficientDataHealthStatus is Healthy for the health check {id}"),
                format!(
                    "aws route53 update-health-check --health-check-id {id} --insufficient-data-health-status LastKnownStatus"
                ),
            )
        }
        _ => fine(),
    }
}
