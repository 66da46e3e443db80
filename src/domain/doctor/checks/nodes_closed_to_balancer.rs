//! The security groups of members, towards the load balancer.

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, Wrong, wrong_or};
use crate::doctor::facts::group::Probe;
use crate::doctor::nodes::{Node, nodes, peer};
use crate::doctor::remedy::{permissions, region};
use crate::doctor::security_groups::{Peer, SecurityGroups, lets_in, lets_some_in};
use crate::doctor::subject::{Balancer, known};
use crate::values::cidr::Cidr;
use crate::values::target::Family;

pub const CHECK: Check = Check {
    id: "nodes_closed_to_balancer",
    severity: Severity::Critical,
    title: "Members' security groups do not let the load balancer in",
    why: "Both PostgreSQL's port and the port of the health check must be open to the load balancer on every member. On a replica \
          this shows only once it is promoted: it never becomes healthy, or it is healthy and connections to it hang. Health checks \
          come from the load balancer's own addresses, whatever addresses clients have.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-register-targets.html",
    judge: Judge::Balancer(judge),
};

fn judge(balancer: &Balancer<'_>) -> Judgement {
    let group = balancer.group;
    let check = &group.description()?.check;
    let keeps_client_address = group.keeps_client_address()?;
    let read = known(group.network().map(|network| &network.security_groups))?;
    let nodes = nodes(&group)?;
    let mut gap = nodes.gap;
    let mut closed: BTreeMap<_, (Vec<&str>, Vec<Cidr>)> = BTreeMap::new();
    for node in &nodes.known {
        let from = peer(balancer, Family::of(node.address))?;
        let mut ports = BTreeSet::new();
        for port in node.ports(check) {
            match is_open(read, node, port, check, &from, keeps_client_address) {
                Ok(true) => {}
                Ok(false) => drop(ports.insert(port)),
                Err(why) => gap = gap.or(Some(why)),
            }
        }
        if !ports.is_empty() {
            let (names, networks) = closed.entry((&node.interface.security_groups, ports)).or_default();
            names.push(&node.name);
            networks.extend(from.networks);
        }
    }
    let source = balancer.description()?.security_groups.first();
    let wrong = closed.into_iter().map(|((ids, ports), (names, networks))| {
        Wrong::new(
            format!(
                "no rule of {} on {} allows TCP port {} from {}",
                ids.join(", "),
                names.join(", "),
                ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
                balancer.name()
            ),
            format!(
                "aws ec2 authorize-security-group-ingress --region {} --group-id {} --ip-permissions {}",
                region(balancer.arn),
                ids.first().map_or("", String::as_str),
                permissions(&ports, source, networks)
            ),
        )
    });
    wrong_or(wrong.collect(), gap)
}

/// Whether a node accepts what arrives at that port. Connections have the client's address where that is kept, and which
/// addresses clients have is not known: it is enough that some may connect.
fn is_open(
    read: &SecurityGroups,
    node: &Node<'_>,
    port: u16,
    check: &Probe,
    from: &Peer<'_>,
    keeps_client_address: bool,
) -> Result<bool, NotChecked> {
    let ids = &node.interface.security_groups;
    if keeps_client_address && port != node.health_port(check) {
        lets_some_in(read, ids, port)
    } else {
        lets_in(read, ids, port, from)
    }
}
