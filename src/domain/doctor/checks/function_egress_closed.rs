//! What the Lambda's security groups let out.

use super::function_network::{apis, judged, vpc};
use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, Wrong, fine, unknown};
use crate::doctor::facts::network::Instance;
use crate::doctor::security_groups::{Peer, lets_out};
use crate::doctor::subject::{Function, known};
use crate::values::cidr::Cidr;

pub const CHECK: Check = Check {
    id: "function_egress_closed",
    severity: Severity::Critical,
    title: "The Lambda's security groups do not let it out to a member",
    why: "The function's connections to Patroni's REST API end with a timeout: the member counts as unreachable, and a pass may be \
          held.",
    link: "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html",
    judge: Judge::Function(judge),
};

fn judge(function: &Function<'_>) -> Judgement {
    let configuration = function.configuration()?;
    let Some(vpc) = vpc(configuration) else { return fine() };
    let (network, ids) = (function.network()?, &configuration.security_groups);
    if ids.is_empty() {
        return unknown("the security groups of the function were not read");
    }
    let groups = known(Some(&network.security_groups))?;
    let has_groups = ids.iter().filter_map(|id| groups.get(id)).flat_map(|group| &group.egress);
    let has_groups = has_groups.into_iter().any(|rule| !rule.groups.is_empty());
    judged(apis(function.facts).into_iter().filter_map(|(url, address)| Some((url, address?))).map(
        |(url, address)| {
            let instance = network.instances.as_ref().ok().and_then(|all| one(all.get(&address)?, vpc));
            let peer = Peer {
                groups: instance.map_or(&[], |instance| &instance.security_groups[..]),
                networks: vec![Cidr::from(address)],
            };
            if lets_out(groups, ids, url.port(), &peer)? {
                return Ok(None);
            }
            if instance.is_none() && has_groups {
                return Err(NotChecked::Unknown(format!("the security groups of {address} were not read")));
            }
            let first = &ids[0];
            let (port, ranges) =
                (url.port(), if address.is_ipv4() { "IpRanges=[{CidrIp=" } else { "Ipv6Ranges=[{CidrIpv6=" });
            Ok(Some(Wrong::new(
                format!("no egress rule of {} allows TCP port {port} of {address}", ids.join(", ")),
                format!(
                    "aws ec2 authorize-security-group-egress --group-id {first} --ip-permissions \
                     'IpProtocol=tcp,FromPort={port},ToPort={port},{ranges}{}}}]'",
                    Cidr::from(address)
                ),
            )))
        },
    ))
}

/// The instance with that address: that of the VPC, where two VPCs use it.
fn one<'a>(instances: &'a [Instance], vpc: &str) -> Option<&'a Instance> {
    let in_vpc = instances.iter().find(|its| its.vpc.as_ref().is_some_and(|its| its.as_str() == vpc));
    in_vpc.or(match instances {
        [only] => Some(only),
        _ => None,
    })
}
