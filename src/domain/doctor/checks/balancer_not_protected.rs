//! Deletion protection of load balancers.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::remedy::set_of_balancer;
use crate::doctor::subject::Balancer;

pub const CHECK: Check = Check {
    id: "balancer_not_protected",
    severity: Severity::Info,
    title: "The load balancer can be deleted by accident",
    why: "A deleted load balancer cannot be restored. A new one has another DNS name, other addresses and no listeners, and every \
          alias and every client that names the old one has to be changed.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-load-balancer-attributes.html",
    judge: Judge::Balancer(judge),
};

const NAME: &str = "deletion_protection.enabled";

fn judge(balancer: &Balancer<'_>) -> Judgement {
    if balancer.attributes()?.is_on(NAME).unwrap_or(false) {
        return fine();
    }
    wrong(format!("{NAME} is false"), set_of_balancer(balancer.arn, &[(NAME, "true")]))
}
