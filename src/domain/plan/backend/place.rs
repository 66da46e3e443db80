//! Which server a member is.

use std::net::IpAddr;

use crate::plan::EndpointReason;
use crate::plan::hosts::{Hosts, single_address};
use crate::values::cluster::Address;
use crate::values::haproxy::Server;
use crate::values::target::{Family, Target};

/// Where a member's PostgreSQL is for HAProxy: at one of these addresses.
pub struct Place {
    host: String,
    ips: Vec<IpAddr>,
    port: u16,
}

impl Place {
    /// Of a member whose PostgreSQL listens there; `port` is the configured one.
    pub fn of(address: &Address, port: Option<u16>, hosts: Hosts) -> Result<Self, EndpointReason> {
        let ips = hosts.addresses(&address.host)?;
        Ok(Self { host: address.host.clone(), ips, port: port.unwrap_or(address.port) })
    }

    /// Whether a server leads there.
    pub fn is_of(&self, server: &Server) -> bool {
        server.target.as_ref().is_some_and(|target| {
            target.port == self.port && target.id.parse().is_ok_and(|ip| self.ips.contains(&ip))
        })
    }

    /// Where a server should lead: to the one IPv4 address, or else the one IPv6 address.
    pub fn target(&self) -> Result<Target, EndpointReason> {
        let of = |family: Family| {
            single_address(&self.host, &self.ips, &family.to_string(), move |ip| Family::of(*ip) == family)
        };
        let ip = of(Family::Ipv4)?.map_or_else(|| of(Family::Ipv6), |ip| Ok(Some(ip)))?;
        let ip = ip.ok_or_else(|| EndpointReason::AddressUnfit(format!("`{}` has no address", self.host)))?;
        Ok(Target { id: ip.to_string(), port: self.port })
    }
}
