//! The PRIMARY of a failover pair without a health check.

use super::health_checks::of_alarm;
use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Record;
use crate::values::record::{Answer, Failover};

pub const CHECK: Check = Check {
    id: "failover_without_health_check",
    severity: Severity::Warning,
    title: "The PRIMARY of a failover pair has no health check",
    why: "Route 53 takes a PRIMARY without a health check, and an alias that does not evaluate its target's health, for healthy for \
          ever. The SECONDARY is never answered: the pair does nothing that a simple record would not do.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-failover.html",
    judge: Judge::Record(judge),
};

fn judge(record: &Record<'_>) -> Judgement {
    let spec = record.spec;
    if spec.failover != Some(Failover::Primary) || record.health_check_id()?.is_some() {
        return fine();
    }
    match record.set()?.map(|set| &set.answer) {
        Some(Answer::Alias(alias)) if alias.evaluate_target_health => fine(),
        Some(Answer::Alias(alias)) => wrong(
            format!("{} is an alias of {alias} with EvaluateTargetHealth false", spec.key),
            format!(
                "in the alias of each [[cluster.site]]: evaluate_target_health = true; then repoint run --cluster {}",
                record.cluster.spec().name
            ),
        ),
        // A new alias evaluates its target's health: the configuration demands it.
        None if spec.points_to.is_alias() => fine(),
        Some(Answer::Values { .. }) | None => {
            wrong(format!("{} is PRIMARY and has no health check", spec.key), of_alarm(record))
        }
    }
}
