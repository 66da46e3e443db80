//! The VPC: which addresses are inside it, and in which Availability Zone.
//!
//! Law: an address belongs to the zone of its subnet; an address in no subnet is outside the VPC.

use std::net::Ipv4Addr;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    base: Ipv4Addr,
    prefix: u32,
}

impl Block {
    /// `base/prefix`.
    #[must_use]
    pub const fn new(base: [u8; 4], prefix: u32) -> Self {
        Self { base: Ipv4Addr::new(base[0], base[1], base[2], base[3]), prefix }
    }

    /// Whether the address is in the range.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
        address.to_bits() & mask == self.base.to_bits() & mask
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
            .map(|(block, letter)| Subnet {
                id: format!("subnet-0000000000000000{letter}"),
                block: *block,
                zone: format!("{region}{letter}"),
            })
            .collect();
        Self { vpc: "vpc-00000000000000001".to_owned(), block, subnets }
    }

    /// The zone of an address; `None` outside the VPC.
    #[must_use]
    pub fn zone(&self, address: Ipv4Addr) -> Option<&str> {
        self.subnets.iter().find(|subnet| subnet.block.contains(address)).map(|subnet| subnet.zone.as_str())
    }
}

/// Whether an address outside the VPC may be a target at all.
pub(super) fn is_private(address: Ipv4Addr) -> bool {
    PRIVATE.iter().any(|block| block.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_zone_of_its_subnet() {
        let network = Network::default_vpc("eu-west-1");
        assert_eq!(network.zone(Ipv4Addr::new(172, 31, 17, 4)), Some("eu-west-1b"));
        assert_eq!(network.zone(Ipv4Addr::new(172, 32, 0, 1)), None);
    }

    #[test]
    fn private_ranges_end_where_the_rfc_says() {
        for (address, private) in [
            ([172, 31, 255, 255], true),
            ([172, 32, 0, 0], false),
            ([100, 127, 0, 1], true),
            ([100, 128, 0, 1], false),
        ] {
            assert_eq!(is_private(Ipv4Addr::from(address)), private, "{address:?}");
        }
    }
}
