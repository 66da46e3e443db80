//! Cross-zone load balancing.

use std::collections::BTreeSet;

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::nodes::{Node, nodes};
use crate::doctor::remedy::set_of_group;
use crate::doctor::subject::Balancer;
use crate::spec::GroupRole;

pub const CHECK: Check = Check {
    id: "cross_zone_off",
    severity: Severity::Critical,
    title: "Cross-zone load balancing is off",
    why: "A Network Load Balancer then sends a connection only to targets in the zone that it came in through. One primary is in \
          one zone: every other zone has no target and leaves the load balancer's DNS name, and clients that still have its \
          address are refused.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html",
    judge: Judge::Balancer(judge),
};

/// The group's own attribute takes precedence over the load balancer's, unless it says that it uses that.
const NAME: &str = "load_balancing.cross_zone.enabled";

fn judge(balancer: &Balancer<'_>) -> Judgement {
    let group = balancer.group;
    if matches!(group.spec.role, GroupRole::Reader { .. }) || balancer.description()?.subnets.len() < 2 {
        return fine();
    }
    let is_on = match group.attributes()?.is_on(NAME) {
        Some(is_on) => Some(is_on),
        None => balancer.attributes()?.is_on(NAME),
    };
    match is_on {
        Some(true) => return fine(),
        Some(false) => {}
        None => {
            return unknown(format!("{NAME} is neither true nor false for the group or the load balancer"));
        }
    }
    // Where all members are in one zone, the primary never leaves it, and neither does the load balancer's DNS name.
    if nodes(&group).is_ok_and(|nodes| {
        let zone = |node: &Node<'_>| node.interface.zone.clone();
        let zones: BTreeSet<_> = nodes.known.iter().map(zone).collect();
        nodes.gap.is_none() && zones.len() == 1 && !zones.contains(&None)
    }) {
        return fine();
    }
    wrong(
        format!("{NAME} is false for {}", group.spec.arn.name()),
        set_of_group(&group.spec.arn, &[(NAME, "true")]),
    )
}
