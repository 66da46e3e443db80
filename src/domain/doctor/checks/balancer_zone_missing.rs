//! The Availability Zones of a load balancer.

use std::collections::BTreeMap;

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine, wrong_or};
use crate::doctor::nodes::nodes;
use crate::doctor::remedy::region;
use crate::doctor::subject::Balancer;

pub const CHECK: Check = Check {
    id: "balancer_zone_missing",
    severity: Severity::Critical,
    title: "A member is in a zone that the load balancer is not in",
    why: "A target in an Availability Zone that is not enabled for the load balancer is `unused` (Target.NotInUse): it gets no \
          connections, with cross-zone load balancing too. Once the member there is the primary, the group has no usable target.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/availability-zones.html",
    judge: Judge::Balancer(judge),
};

/// The zone of targets outside the group's VPC, which are served from every zone.
const ALL: &str = "all";

fn judge(balancer: &Balancer<'_>) -> Judgement {
    let group = balancer.group;
    let its = balancer.description()?;
    if group.spec.availability_zone.is_some()
        || group.targets()?.iter().any(|its| its.zone.as_deref() == Some(ALL))
    {
        return fine();
    }
    let nodes = nodes(&group)?;
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for node in &nodes.known {
        let zone = node.interface.zone.as_deref();
        if let Some(zone) = zone.filter(|zone| !its.subnets.iter().any(|(enabled, _)| enabled == zone)) {
            missing.entry(zone).or_default().push(node.name.clone());
        }
    }
    let subnets: Vec<&str> = its.subnets.iter().map(|(_, subnet)| subnet.as_str()).collect();
    let wrong = missing.into_iter().map(|(zone, names)| {
        let subnet = nodes.known.iter().find(|node| node.interface.zone.as_deref() == Some(zone));
        let subnet = subnet.and_then(|node| node.interface.subnet.as_deref()).unwrap_or("SUBNET");
        let enabled: Vec<&str> = its.subnets.iter().map(|(zone, _)| zone.as_str()).collect();
        Wrong::new(
            format!("{} in {zone}; the load balancer is in {}", names.join(", "), enabled.join(", ")),
            format!(
                "aws elbv2 set-subnets --region {} --load-balancer-arn {} --subnets {} {subnet}",
                region(balancer.arn),
                balancer.arn,
                subnets.join(" ")
            ),
        )
    });
    wrong_or(wrong.collect(), nodes.gap)
}
