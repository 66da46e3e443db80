//! The target that a member is in a group: its address, or the EC2 instance that has it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::observed::{Instance, Observed};
use crate::plan::EndpointReason;
use crate::plan::hosts::{Hosts, single_address};
use crate::spec::GroupSpec;
use crate::values::arn::InstanceId;
use crate::values::cluster::Address;
use crate::values::target::{Family, Target, TargetGroup, TargetType};

/// What the group lists for a member whose PostgreSQL is there.
pub(in crate::plan) fn target(
    wanted: &GroupSpec,
    group: &TargetGroup,
    address: &Address,
    hosts: Hosts,
) -> Result<Target, EndpointReason> {
    let host = &address.host;
    let ips = hosts.addresses(host)?;
    let id = match group.target_type {
        TargetType::Ip => target_ip(host, &ips, group.family)?.to_string(),
        TargetType::Instance => {
            instance_at(host, &ips, wanted.arn.region(), group, hosts.observed)?.to_string()
        }
    };
    Ok(Target { id, port: wanted.port.unwrap_or(address.port) })
}

/// The address to register: the one of the family that the group takes.
fn target_ip(host: &str, ips: &[IpAddr], family: Family) -> Result<IpAddr, EndpointReason> {
    let only = single_address(host, ips, &family.to_string(), |ip| Family::of(*ip) == family)?;
    only.ok_or_else(|| {
        EndpointReason::AddressUnfit(format!(
            "`{host}` has no {family} address, and the target group takes {family} addresses; name one in the cluster's \
             `addresses`"
        ))
    })
}

/// The instance in the group's VPC that has one of the host's addresses, on any of its interfaces. Private addresses repeat
/// from one VPC to the next.
fn instance_at<'a>(
    host: &str,
    ips: &[IpAddr],
    region: &str,
    group: &TargetGroup,
    observed: &'a Observed,
) -> Result<&'a InstanceId, EndpointReason> {
    let unfit = |why: String| Err(EndpointReason::AddressUnfit(why));
    let Some(first) = ips.first() else { return unfit(format!("`{host}` has no address")) };
    let instances = match observed.instances.get(region) {
        None => return Err(EndpointReason::NoEc2),
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        Some(Ok(instances)) => instances,
    };
    let there = || ips.iter().filter_map(|ip| instances.get(ip)).flatten();
    let here: BTreeSet<&InstanceId> = there()
        .filter(|instance| instance.may_be_in(group.vpc.as_ref()))
        .map(|instance| &instance.id)
        .collect();
    let mut found = here.into_iter();
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(one), Some(other)) => {
            unfit(format!("several instances have the address {first}: {one}, {other}"))
        }
        (None, _) => match (there().next(), &group.vpc) {
            (Some(Instance { id, vpc: Some(its) }), Some(vpc)) => unfit(format!(
                "no running EC2 instance has the address {first} in {vpc}, the target group's VPC; {id} has it in {its}"
            )),
            _ => Err(EndpointReason::NoInstance(*first)),
        },
    }
}

/// Whether a target may be the member whose PostgreSQL is there, which cannot be placed for sure: it may if it is unknown where
/// that is, or if it is one of several places.
pub(super) fn may_be(
    wanted: &GroupSpec,
    group: &TargetGroup,
    held: &Target,
    address: &Address,
    hosts: Hosts,
) -> bool {
    let Ok(ips) = hosts.addresses(&address.host) else { return true };
    let is_there = match group.target_type {
        TargetType::Ip => held.id.parse().is_ok_and(|ip| ips.contains(&ip)),
        TargetType::Instance => match hosts.observed.instances.get(wanted.arn.region()) {
            Some(Ok(instances)) => {
                let mut there = ips.iter().filter_map(|ip| instances.get(ip)).flatten();
                there.any(|instance| instance.id.as_str() == held.id)
            }
            Some(Err(_)) | None => true,
        },
    };
    is_there && held.port == wanted.port.unwrap_or(address.port)
}
