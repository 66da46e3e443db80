//! Types of target groups.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Group;

pub const CHECK: Check = Check {
    id: "group_of_other_type",
    severity: Severity::Critical,
    title: "The target group takes neither addresses nor instances",
    why: "Members are registered as IP addresses or as EC2 instances. A group of another type takes neither, and its type cannot be \
          changed, so it never follows the primary.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html",
    judge: Judge::Group(judge),
};

fn judge(group: &Group<'_>) -> Judgement {
    let its = group.description()?;
    if ["ip", "instance"].contains(&its.target_type.as_str()) {
        return fine();
    }
    let arn = &group.spec.arn;
    wrong(
        format!("TargetType is {}", its.target_type),
        format!(
            "create another group: aws elbv2 create-target-group --region {} --name {}-ip --target-type ip --protocol TCP --port {} \
             --vpc-id {}",
            arn.region(),
            arn.name(),
            its.port.unwrap_or(5432),
            its.vpc.as_ref().map_or("VPC", |vpc| vpc.as_str())
        ),
    )
}
