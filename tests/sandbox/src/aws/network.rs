//! VPCs: which addresses are inside one, and in which Availability Zone.
//!
//! An address belongs to the zone of its subnet; an address in no subnet is outside the VPC.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    base: IpAddr,
    prefix: u32,
}

impl Block {
    /// `base/prefix`.
    #[must_use]
    pub const fn new(base: [u8; 4], prefix: u32) -> Self {
        Self { base: IpAddr::V4(Ipv4Addr::new(base[0], base[1], base[2], base[3])), prefix }
    }

    /// `base/64`, of IPv6.
    #[must_use]
    pub const fn of_ipv6(base: Ipv6Addr) -> Self {
        Self { base: IpAddr::V6(base), prefix: 64 }
    }

    /// Whether the address is in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                address.to_bits() & mask == base.to_bits() & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                address.to_bits() & mask == base.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// A part of the VPC in one Availability Zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// e.g. `subnet-…`.
    pub id: String,
    /// Its addresses.
    pub block: Block,
    /// Its IPv6 addresses.
    pub ipv6: Option<Block>,
    /// e.g. `us-east-1a`.
    pub zone: String,
}

/// One VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// e.g. `vpc-…`.
    pub vpc: String,
    /// The VPC's addresses.
    pub block: Block,
    /// Its subnets.
    pub subnets: Vec<Subnet>,
}

/// The addresses that an `ip` target may have outside its VPC (ELB API, `TargetDescription`).
const PRIVATE: [Block; 4] = [
    Block::new([10, 0, 0, 0], 8),
    Block::new([172, 16, 0, 0], 12),
    Block::new([192, 168, 0, 0], 16),
    Block::new([100, 64, 0, 0], 10),
];

impl Network {
    /// 172.31.0.0/16 with a /20 in each of three zones, as a new account has it.
    #[must_use]
    pub fn default_vpc(region: &str) -> Self {
        Self::new(
            region,
            Block::new([172, 31, 0, 0], 16),
            &[0, 16, 32].map(|third| Block::new([172, 31, third, 0], 20)),
        )
    }

    /// A VPC whose subnets are in zones a, b, c and so on.
    #[must_use]
    pub fn new(region: &str, block: Block, subnets: &[Block]) -> Self {
        let subnets = subnets
            .iter()
            .zip('a'..)
            .map(|(block, message)| Subnet {
                id: format!("subnet-0000000000000000{message}"),
                block: *block,
                ipv6: None,
                zone: format!("{region}{message}"),
            })
            .collect();
        Self { vpc: "vpc-00000000000000001".to_owned(), block, subnets }
    }

    /// The same network as another VPC.
    #[must_use]
    pub fn called(self, vpc: &str) -> Self {
        Self { vpc: vpc.to_owned(), ..self }
    }

    /// The same with an IPv6 block in its first subnet.
    #[must_use]
    pub fn with_ipv6(mut self, base: Ipv6Addr) -> Self {
        if let Some(first) = self.subnets.first_mut() {
            first.ipv6 = Some(Block::of_ipv6(base));
        }
        self
    }

    /// The zone of an address; `None` outside the VPC.
    #[must_use]
    pub fn zone(&self, address: IpAddr) -> Option<&str> {
        let is_in = |subnet: &&Subnet| {
            subnet.block.contains(address) || subnet.ipv6.is_some_and(|block| block.contains(address))
        };
        self.subnets.iter().find(is_in).map(|subnet| subnet.zone.as_str())
    }
}

/// Whether an address outside the VPC may be a target at all. An IPv6 one may, in a peered VPC.
pub(super) fn is_private(address: IpAddr) -> bool {
    address.is_ipv6() || PRIVATE.iter().any(|block| block.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_zone_of_its_subnet() {
        let network = Network::default_vpc("eu-west-1");
        assert_eq!(network.zone(IpAddr::from([172, 31, 17, 4])), Some("eu-west-1b"));
        assert_eq!(network.zone(IpAddr::from([172, 32, 0, 1])), None);
    }

    #[test]
    fn private_ranges_end_where_the_rfc_says() {
        for (address, private) in [
            ([172, 31, 255, 255], true),
            ([172, 32, 0, 0], false),
            ([100, 127, 0, 1], true),
            ([100, 128, 0, 1], false),
        ] {
            assert_eq!(is_private(IpAddr::from(address)), private, "{address:?}");
        }
    }
}
