//! A failover alias of a load balancer that Route 53 does not take for healthy.

use crate::doctor::aliases::is_same;
use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, Wrong, fine};
use crate::doctor::subject::{Cluster, Group, Record, known};
use crate::plan::is_of_primary;
use crate::spec::Strategy;
use crate::values::record::{Answer, Failover};

pub const CHECK: Check = Check {
    id: "alias_balancer_unhealthy",
    severity: Severity::Critical,
    title: "A failover alias evaluates a load balancer that is not healthy",
    why: "Route 53 takes a Network Load Balancer for healthy only while each of its target groups has a healthy target; a group \
          without targets counts as unhealthy. With one group for each member, a health check on /primary makes all but one \
          unhealthy. Route 53 then answers with the SECONDARY although the primary takes writes.",
    link: "https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html",
    judge: Judge::Record(judge),
};

fn judge(record: &Record<'_>) -> Judgement {
    // While both ends are unhealthy, the PRIMARY is answered: the SECONDARY's target does not matter.
    if record.spec.failover != Some(Failover::Primary) {
        return fine();
    }
    let Some(Answer::Alias(alias)) = record.set()?.map(|set| &set.answer) else { return fine() };
    if !alias.evaluate_target_health {
        return fine();
    }
    let facts = record.cluster.facts;
    let mut arn = None;
    for (its_arn, its) in &facts.balancers {
        if is_same(&alias.dns_name, &known(Some(&its.balancer))?.dns_name) {
            arn = Some(its_arn);
        }
    }
    let Some(arn) = arn else { return fine() };
    let mut wrong = Vec::new();
    let clusters = facts.clusters.iter().map(|its| Cluster { facts, its });
    for group in clusters.flat_map(Cluster::groups) {
        if group.description()?.balancers.contains(arn) {
            wrong.extend(unhealthy(&group)?);
        }
    }
    Ok(wrong)
}

/// What is wrong with a group behind the alias. The group that the primary is in has a check of its own.
fn unhealthy(group: &Group<'_>) -> Result<Option<Wrong>, NotChecked> {
    let (arn, targets) = (&group.spec.arn, group.targets()?);
    if targets.is_empty() {
        let cluster = &group.cluster.spec().name;
        return Ok(Some(Wrong::new(
            format!("target group {} has no targets", arn.name()),
            format!("repoint run --cluster {cluster}"),
        )));
    }
    let is_weighted = matches!(group.spec.strategy, Strategy::Weighted { .. });
    let is_unhealthy = targets.iter().all(|target| target.state.starts_with("unhealthy"));
    let check = &group.description()?.check;
    let path = check.path.as_deref().filter(|path| is_of_primary(path));
    let Some(path) = path.filter(|_| is_weighted && is_unhealthy) else { return Ok(None) };
    Ok(Some(Wrong::new(
        format!("target group {} has no healthy target; its health check asks for {path}", arn.name()),
        format!("aws elbv2 modify-target-group --target-group-arn {arn} --health-check-path /health"),
    )))
}
