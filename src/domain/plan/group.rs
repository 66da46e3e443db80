//! The steps for one target group.

use std::net::IpAddr;

use super::readers::{Holder, Places, Wanted, places};
use super::{EndpointReason, Hosts, Needs, TargetStep, primary_address, sole};
use crate::domain::cluster::Address;
use crate::domain::endpoint::{InstanceId, Target, TargetGroup, TargetType};
use crate::domain::intent::{GroupIntent, GroupRole};
use crate::domain::readers::Reader;
use crate::domain::verdict::Primary;
use crate::domain::world::World;

/// Register who belongs there, then deregister everything else. Where something goes, one that belongs there is registered
/// even if it is listed: what `DescribeTargetHealth` lists may be seconds old, and to register what is registered changes
/// nothing.
pub fn steps(
    wanted: &GroupIntent,
    hosts: Hosts,
    primary: &Primary,
    settling: &[Reader],
) -> Result<Needs<Vec<TargetStep>>, EndpointReason> {
    let world = hosts.world;
    let group = match world.groups.get(&wanted.arn) {
        Some(Ok(group)) => group,
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        None => return Ok(Needs::default()),
    };
    let mut registered: Vec<Target> = group.registered().cloned().collect();
    registered.sort();
    let places = match wanted.role {
        GroupRole::Writer => Places {
            belong: vec![target(wanted, group, primary_address(primary)?, hosts)?],
            stay: Vec::new(),
            worries: Vec::new(),
            unknown: None,
        },
        GroupRole::Reader { max_lag_bytes, primary_fallback } => {
            let readers = Wanted { max_lag_bytes, primary_fallback, settling };
            places(world, primary, readers, &Members { wanted, group, hosts, registered: &registered })?
        }
    };
    let Places { belong, stay, worries, unknown } = places;
    let first = belong.first().ok_or(EndpointReason::NoReader)?;
    let others: Vec<&Target> =
        registered.iter().filter(|other| !belong.contains(other) && !stay.contains(other)).collect();
    let mut missing: Vec<&Target> = belong.iter().filter(|target| !registered.contains(target)).collect();
    if missing.is_empty() && !others.is_empty() {
        missing.push(first);
    }
    let register = missing.into_iter().cloned().map(TargetStep::Register);
    let deregister = others.into_iter().cloned().map(TargetStep::Deregister);
    Ok(Needs { what: register.chain(deregister).collect(), worries, unknown })
}

/// A group, and how members stand in it.
struct Members<'a> {
    wanted: &'a GroupIntent,
    group: &'a TargetGroup,
    hosts: Hosts<'a>,
    registered: &'a [Target],
}

impl Holder<Target> for Members<'_> {
    fn place(&self, address: &Address) -> Result<Target, EndpointReason> {
        target(self.wanted, self.group, address, self.hosts)
    }

    fn may_be(&self, held: &Target, address: &Address) -> bool {
        may_be(self.wanted, self.group, held, address, self.hosts)
    }

    fn held(&self) -> &[Target] {
        self.registered
    }
}

/// Whether a target may be the member whose PostgreSQL is there, who cannot be placed for sure: it may if nobody knows where
/// that is, or if it is one of several places.
pub(super) fn may_be(
    wanted: &GroupIntent,
    group: &TargetGroup,
    held: &Target,
    address: &Address,
    hosts: Hosts,
) -> bool {
    let Ok(ips) = hosts.addresses(&address.host) else { return true };
    let is_there = match group.target_type {
        TargetType::Ip => held.id.parse().is_ok_and(|ip| ips.contains(&ip)),
        TargetType::Instance => match hosts.world.instances.get(wanted.arn.region()) {
            Some(Ok(instances)) => {
                let there = ips.iter().filter_map(|ip| instances.get(ip)).flatten();
                there.into_iter().any(|instance| instance.as_str() == held.id)
            }
            Some(Err(_)) | None => true,
        },
    };
    is_there && held.port == wanted.port.unwrap_or(address.port)
}

/// What the group lists for a member whose PostgreSQL is there.
pub(super) fn target(
    wanted: &GroupIntent,
    group: &TargetGroup,
    address: &Address,
    hosts: Hosts,
) -> Result<Target, EndpointReason> {
    let ip = target_ip(hosts, &address.host)?;
    let id = match group.target_type {
        TargetType::Ip => ip.to_string(),
        TargetType::Instance => instance_at(ip, wanted.arn.region(), hosts.world)?.to_string(),
    };
    Ok(Target { id, port: wanted.port.unwrap_or(address.port) })
}

/// The address to register: the IPv4 one, which is a target group's default, or else the IPv6 one.
fn target_ip(hosts: Hosts, host: &str) -> Result<IpAddr, EndpointReason> {
    let addresses = hosts.addresses(host)?;
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
