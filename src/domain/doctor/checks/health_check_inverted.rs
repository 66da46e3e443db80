//! A health check in which healthy and unhealthy have changed places.

use super::health_checks::by_end;
use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine, unknown};
use crate::doctor::subject::Record;

pub const CHECK: Check = Check {
    id: "health_check_inverted",
    severity: Severity::Critical,
    title: "The health check of a failover record is inverted",
    why: "Route 53 takes an endpoint that answers for unhealthy, and one that is down for healthy. Clients get the SECONDARY while \
          the primary works, and the PRIMARY once it is down.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html",
    judge: Judge::Record(judge),
};

fn judge(record: &Record<'_>) -> Judgement {
    let Some(failover) = record.spec.failover else { return fine() };
    let Some((id, check)) = record.health_check()? else { return fine() };
    if !check.is_inverted || check.is_disabled {
        return fine();
    }
    if matches!(check.kind.as_str(), "CLOUDWATCH_METRIC" | "CALCULATED" | "RECOVERY_CONTROL") {
        return unknown(format!(
            "the health check {id} is inverted; whether its {} is meant that way was not read",
            check.kind
        ));
    }
    let wrong = Wrong::new(
        format!("Inverted is true for the health check {id} of type {}", check.kind),
        format!("aws route53 update-health-check --health-check-id {id} --no-inverted"),
    );
    Ok(vec![by_end(wrong, failover)])
}
