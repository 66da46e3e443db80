//! Load balancers with public addresses.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::remedy::region;
use crate::doctor::subject::Balancer;

pub const CHECK: Check = Check {
    id: "balancer_internet_facing",
    severity: Severity::Warning,
    title: "The load balancer is open to the internet",
    why: "An internet-facing load balancer has public addresses, and its DNS name leads to these from inside the VPC, too. The \
          database can be found and attacked from everywhere, and clients in private subnets need a NAT gateway to reach it.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html",
    judge: Judge::Balancer(judge),
};

fn judge(balancer: &Balancer<'_>) -> Judgement {
    let its = balancer.description()?;
    if its.scheme != "internet-facing" {
        return fine();
    }
    let subnets: Vec<&str> = its.subnets.iter().map(|(_, subnet)| subnet.as_str()).collect();
    wrong(
        "Scheme is internet-facing",
        format!(
            "the scheme of a load balancer cannot be changed; create another one: aws elbv2 create-load-balancer --region {} --type \
             network --scheme internal --name {}-internal --subnets {}",
            region(balancer.arn),
            its.name,
            subnets.join(" ")
        ),
    )
}
