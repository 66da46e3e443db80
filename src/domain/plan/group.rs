//! The steps for one target group that holds the primary alone.

use std::net::IpAddr;

use super::{EndpointReason, TargetStep, addresses, primary_address, sole};
use crate::domain::endpoint::{InstanceId, Target, TargetType};
use crate::domain::intent::GroupIntent;
use crate::domain::verdict::Primary;
use crate::domain::world::World;

/// Register the primary, then deregister everything else. Where something goes, the primary is registered even if it is
/// listed: what `DescribeTargetHealth` lists may be seconds old, and to register what is registered changes nothing.
pub fn steps(
    wanted: &GroupIntent,
    world: &World,
    primary: &Primary,
) -> Result<Vec<TargetStep>, EndpointReason> {
    let group = match world.groups.get(&wanted.arn) {
        Some(Ok(group)) => group,
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        None => return Ok(Vec::new()),
    };
    let address = primary_address(primary)?;
    let ip = target_ip(world, &address.host)?;
    let id = match group.target_type {
        TargetType::Ip => ip.to_string(),
        TargetType::Instance => instance_at(ip, wanted.arn.region(), world)?.to_string(),
    };
    let target = Target { id, port: wanted.port.unwrap_or(address.port) };

    let mut others: Vec<&Target> = group.registered().filter(|other| **other != target).collect();
    others.sort();
    others.dedup();
    let is_missing = !group.registered().any(|other| *other == target);
    let register = (is_missing || !others.is_empty()).then(|| TargetStep::Register(target.clone()));
    let deregister = others.into_iter().cloned().map(TargetStep::Deregister);
    Ok(register.into_iter().chain(deregister).collect())
}

/// The address to register: the IPv4 one, which is a target group's default, or else the IPv6 one.
fn target_ip(world: &World, host: &str) -> Result<IpAddr, EndpointReason> {
    let addresses = addresses(world, host)?;
    let v4 = sole(host, &addresses, "IPv4", IpAddr::is_ipv4)?;
    let ip = match v4 {
        Some(ip) => Some(ip),
        None => sole(host, &addresses, "IPv6", IpAddr::is_ipv6)?,
    };
    ip.ok_or_else(|| EndpointReason::AddressUnfit(format!("`{host}` has no address")))
}

/// The instance that has the address. Private addresses repeat from one network to the next, and there is no telling
/// which of two instances is meant.
fn instance_at<'a>(ip: IpAddr, region: &str, world: &'a World) -> Result<&'a InstanceId, EndpointReason> {
    let instances = match world.instances.get(region) {
        None => return Err(EndpointReason::NoEc2),
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        Some(Ok(instances)) => instances,
    };
    let mut found = instances.get(&ip).into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(EndpointReason::NoInstance(ip)),
        (Some(one), Some(other)) => Err(EndpointReason::AddressUnfit(format!(
            "several instances have the address {ip}: {one}, {other}"
        ))),
    }
}
