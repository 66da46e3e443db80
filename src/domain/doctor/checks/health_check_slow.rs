//! How long a health check takes.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Group;
use crate::spec::Strategy;

pub const CHECK: Check = Check {
    id: "health_check_slow",
    severity: Severity::Warning,
    title: "The health check is slow",
    why: "A target changes its health only after several health checks in a row, and connections follow its health. This time is \
          added to every failover. The fastest that a Network Load Balancer has is two checks, 5 s apart; its own defaults need 150 s \
          until a target is healthy.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html",
    judge: Judge::Group(judge),
};

const LONGEST_SECONDS: u32 = 20;

fn judge(group: &Group<'_>) -> Judgement {
    // Behind a listener with weights the new primary's target is healthy before it gets a weight.
    if matches!(group.spec.strategy, Strategy::Weighted { .. }) {
        return fine();
    }
    let check = &group.description()?.check;
    let (healthy, unhealthy) = (check.healthy_threshold, check.unhealthy_threshold);
    if check.interval_seconds.saturating_mul(healthy.max(unhealthy)) <= LONGEST_SECONDS {
        return fine();
    }
    let arn = &group.spec.arn;
    wrong(
        format!(
            "a check every {} s, {healthy} in a row until healthy and {unhealthy} until unhealthy",
            check.interval_seconds
        ),
        format!(
            "aws elbv2 modify-target-group --region {} --target-group-arn {arn} --health-check-interval-seconds 5 \
             --health-check-timeout-seconds 2 --healthy-threshold-count 2 --unhealthy-threshold-count 2",
            arn.region()
        ),
    )
}
