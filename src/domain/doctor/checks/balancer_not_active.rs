//! The state of load balancers.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine, wrong};
use crate::doctor::subject::Balancer;

pub const CHECK: Check = Check {
    id: "balancer_not_active",
    severity: Severity::Critical,
    title: "The load balancer does not work as it should",
    why: "A load balancer that has failed was never set up, and no client reaches anything through it. One that is impaired \
          forwards connections, and lacks what it needs to grow with them, mostly free addresses in its subnets.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html",
    judge: Judge::Balancer(judge),
};

fn judge(balancer: &Balancer<'_>) -> Judgement {
    let its = balancer.description()?;
    let found = format!("State.Code is {}", its.state);
    let subnets: Vec<&str> = its.subnets.iter().map(|(_, subnet)| subnet.as_str()).collect();
    match its.state.as_str() {
        "failed" => wrong(found, format!("delete the load balancer {} and create it again", its.name)),
        "active_impaired" => {
            let remedy =
                format!("have at least 8 free addresses in each of its subnets: {}", subnets.join(", "));
            Ok(vec![Wrong::new(found, remedy).with(Severity::Warning)])
        }
        _ => fine(),
    }
}
