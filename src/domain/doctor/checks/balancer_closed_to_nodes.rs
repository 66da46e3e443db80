//! The security groups of a load balancer, towards the members.

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine, wrong_or};
use crate::doctor::nodes::{Node, nodes};
use crate::doctor::remedy::{permissions, region};
use crate::doctor::security_groups::lets_out;
use crate::doctor::subject::{Balancer, known};

pub const CHECK: Check = Check {
    id: "balancer_closed_to_nodes",
    severity: Severity::Critical,
    title: "The load balancer's security groups keep it from members",
    why: "Connections and health checks from the load balancer are subject to the outbound rules of its security groups. Without \
          a rule for the port of the health check a member never becomes healthy; without one for PostgreSQL's port it is healthy \
          and no connection arrives.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html",
    judge: Judge::Balancer(judge),
};

fn judge(balancer: &Balancer<'_>) -> Judgement {
    let group = balancer.group;
    let ids = &balancer.description()?.security_groups;
    let Some(id) = ids.first() else { return fine() };
    let check = &group.description()?.check;
    let read = known(group.network().map(|network| &network.security_groups))?;
    let nodes = nodes(&group)?;
    let mut gap = nodes.gap;
    let mut closed: BTreeMap<BTreeSet<u16>, Vec<&Node<'_>>> = BTreeMap::new();
    for node in &nodes.known {
        let mut ports = BTreeSet::new();
        for port in node.ports(check) {
            match lets_out(read, ids, port, &node.peer()) {
                Ok(true) => {}
                Ok(false) => drop(ports.insert(port)),
                Err(why) => gap = gap.or(Some(why)),
            }
        }
        if !ports.is_empty() {
            closed.entry(ports).or_default().push(node);
        }
    }
    let wrong = closed.into_iter().map(|(ports, nodes)| {
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        let groups = nodes.iter().filter_map(|node| node.interface.security_groups.first());
        let addresses = nodes.iter().map(|node| node.address.into());
        Wrong::new(
            format!(
                "no outbound rule of {} allows TCP port {} of {}",
                ids.join(", "),
                ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
                names.join(", ")
            ),
            format!(
                "aws ec2 authorize-security-group-egress --region {} --group-id {id} --ip-permissions {}",
                region(balancer.arn),
                permissions(&ports, groups, addresses)
            ),
        )
    });
    wrong_or(wrong.collect(), gap)
}
