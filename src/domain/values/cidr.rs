//! Networks in CIDR notation, such as `10.0.0.0/16` or `fd00::/8` (RFC 4632, RFC 4291).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::target::Family;

/// A network: an address, and how many of its leading bits all of its addresses share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

/// It is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network such as 10.0.0.0/16")]
pub struct NotANetwork(String);

impl Cidr {
    /// Whether it has every address of the other one.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.length <= other.length && self.family() == other.family() && {
            let beyond = size(self.address) - u32::from(self.length);
            // A shift by all 128 bits leaves nothing to compare.
            let shared = |address| bits(address).checked_shr(beyond).unwrap_or(0);
            shared(self.address) == shared(other.address)
        }
    }

    /// Whether some address is in both: of two networks that share one, one contains the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The family of its addresses.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }
}

fn size(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl From<IpAddr> for Cidr {
    /// The network of that address alone.
    fn from(address: IpAddr) -> Self {
        Self { address, length: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Cidr {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let parts = text.split_once('/').and_then(|(address, length)| {
            Some(Self { address: address.parse().ok()?, length: length.parse().ok()? })
        });
        let fits = |network: &Self| u32::from(network.length) <= size(network.address);
        parts.filter(fits).ok_or_else(|| NotANetwork(text.to_owned()))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}
