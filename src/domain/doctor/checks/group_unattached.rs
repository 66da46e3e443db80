//! Target groups behind no load balancer.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Group;
use crate::spec::Strategy;

pub const CHECK: Check = Check {
    id: "group_unattached",
    severity: Severity::Critical,
    title: "No load balancer forwards to the target group",
    why: "A group behind no listener gets no connections, and its targets are `unused`: their health is not checked either. What \
          repoint registers there reaches no client.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html",
    judge: Judge::Group(judge),
};

fn judge(group: &Group<'_>) -> Judgement {
    let (its, arn) = (group.description()?, &group.spec.arn);
    // A pass puts a group with a weight behind its listener.
    if !its.balancers.is_empty() || matches!(group.spec.strategy, Strategy::Weighted { .. }) {
        return fine();
    }
    wrong(
        "LoadBalancerArns is empty",
        format!(
            "aws elbv2 create-listener --region {} --load-balancer-arn LOAD_BALANCER_ARN --protocol TCP --port {} --default-actions \
             Type=forward,TargetGroupArn={arn}",
            arn.region(),
            its.port.unwrap_or(5432)
        ),
    )
}
