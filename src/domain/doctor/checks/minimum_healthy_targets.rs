//! How many targets must be healthy.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::remedy::set_of_group;
use crate::doctor::subject::Group;
use crate::spec::{GroupRole, Strategy};

pub const CHECK: Check = Check {
    id: "minimum_healthy_targets",
    severity: Severity::Critical,
    title: "More healthy targets are required than there are primaries",
    why: "A writer's group has one healthy target at most: the primary. If a group must have more of them, a Network Load Balancer \
          counts it as unhealthy for ever. It then takes its zones out of its DNS name (`dns_failover`), or sends connections to \
          all registered targets, replicas included (`unhealthy_state_routing`).",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html",
    judge: Judge::Group(judge),
};

const PREFIXES: [&str; 2] =
    ["target_group_health.dns_failover", "target_group_health.unhealthy_state_routing"];

fn judge(group: &Group<'_>) -> Judgement {
    if group.spec.role != GroupRole::Writer {
        return fine();
    }
    let attributes = group.attributes()?;
    let registered = match group.spec.strategy {
        Strategy::Exclusive | Strategy::Weighted { .. } => 1,
        Strategy::Warm { .. } => {
            group.targets()?.iter().filter(|target| target.is_registered()).count() as u64
        }
    };
    let mut wrong = Vec::new();
    for prefix in PREFIXES {
        let (count, percentage) = (
            format!("{prefix}.minimum_healthy_targets.count"),
            format!("{prefix}.minimum_healthy_targets.percentage"),
        );
        // `off` is no number.
        if let Some(least) = attributes.number(&count).filter(|least| *least > 1) {
            let remedy = set_of_group(&group.spec.arn, &[(&count, "1")]);
            wrong.push(Wrong::new(format!("{count} is {least}"), remedy));
        }
        if let Some(least) = attributes.number(&percentage).filter(|least| least * registered > 100) {
            let remedy = set_of_group(&group.spec.arn, &[(&percentage, "off")]);
            wrong.push(Wrong::new(format!("{percentage} is {least}, of {registered} targets"), remedy));
        }
    }
    Ok(wrong)
}
