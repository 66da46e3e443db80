//! Health checks that have to choose among the members.

use std::collections::BTreeSet;

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Group;
use crate::plan::{apis_of, validate_health_check};
use crate::spec::{GroupRole, Strategy};

pub const CHECK: Check = Check {
    id: "health_check_unfit",
    severity: Severity::Critical,
    title: "The health check cannot choose among the members",
    why: "In a warm group every member is registered, and only the health check keeps clients from the wrong ones. One that every \
          member passes spreads writes over replicas. One that no member passes does so, too: without a healthy target a Network \
          Load Balancer sends connections to all of them. repoint changes nothing in such a group.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html",
    judge: Judge::Group(judge),
};

fn judge(group: &Group<'_>) -> Judgement {
    if !matches!(group.spec.strategy, Strategy::Warm { .. }) {
        return fine();
    }
    let check = &group.description()?.check;
    let (spec, observed) = (group.cluster.spec(), &group.cluster.its.observed);
    let apis: BTreeSet<_> =
        group.sites().flat_map(|site| apis_of(spec, observed, site.spec.name.as_ref())).collect();
    let Err(found) = validate_health_check(&check.into(), group.spec.role, &apis) else { return fine() };
    // The port that is asked already, if a member has its API there.
    let asked = apis.iter().find(|api| api.is_at(&check.port)).or(apis.first());
    let path = match group.spec.role {
        GroupRole::Writer => "/primary",
        GroupRole::Reader { .. } => "/replica",
    };
    let arn = &group.spec.arn;
    wrong(
        found,
        format!(
            "aws elbv2 modify-target-group --region {} --target-group-arn {arn} --health-check-protocol {} --health-check-port {} \
             --health-check-path {path} --matcher HttpCode=200",
            arn.region(),
            asked.map_or("HTTP", |api| api.protocol()),
            asked.map_or(8008, |api| api.port)
        ),
    )
}
