//! Load balancers without security groups.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::remedy::region;
use crate::doctor::subject::Balancer;

pub const CHECK: Check = Check {
    id: "balancer_without_security_groups",
    severity: Severity::Info,
    title: "The load balancer has no security group",
    why: "A load balancer that was created without security groups can never get one. Everything that reaches its addresses may \
          connect, and the members' security groups see its addresses instead of the clients'. They can only allow its subnets, \
          not the load balancer.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html",
    judge: Judge::Balancer(judge),
};

fn judge(balancer: &Balancer<'_>) -> Judgement {
    let its = balancer.description()?;
    if !its.security_groups.is_empty() {
        return fine();
    }
    let subnets: Vec<&str> = its.subnets.iter().map(|(_, subnet)| subnet.as_str()).collect();
    wrong(
        "SecurityGroups is empty",
        format!(
            "with the next load balancer: aws elbv2 create-load-balancer --region {} --type network --scheme {} --name {}-2 --subnets {} \
             --security-groups SECURITY_GROUP",
            region(balancer.arn),
            its.scheme,
            its.name,
            subnets.join(" ")
        ),
    )
}
