//! The security groups of a load balancer, towards clients.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::remedy::region;
use crate::doctor::security_groups::lets_some_in;
use crate::doctor::subject::{Listener, known};

pub const CHECK: Check = Check {
    id: "balancer_closed_to_clients",
    severity: Severity::Critical,
    title: "The load balancer's security groups let no client in",
    why: "A load balancer with security groups accepts a connection only if a rule allows the listener's port. No rule does, so \
          clients wait until their own timeout, except for those that come through PrivateLink if rules are not enforced there. \
          Health checks succeed all the same: they are not subject to inbound rules.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html",
    judge: Judge::Listener(judge),
};

fn judge(listener: &Listener<'_>) -> Judgement {
    let balancer = listener.balancer;
    let ids = &balancer.description()?.security_groups;
    let (Some(id), Some(port)) = (ids.first(), listener.its.port) else { return fine() };
    let read = known(balancer.group.network().map(|network| &network.security_groups))?;
    if lets_some_in(read, ids, port)? {
        return fine();
    }
    wrong(
        format!("no rule of {} allows TCP port {port}", ids.join(", ")),
        format!(
            "aws ec2 authorize-security-group-ingress --region {} --group-id {id} --protocol tcp --port {port} --cidr NETWORK_OF_THE_CLIENTS",
            region(balancer.arn)
        ),
    )
}
