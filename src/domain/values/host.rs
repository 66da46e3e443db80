//! What a member's `host` may be: text that every machine reads in the same way.
//!
//! Invariant 8: nothing that only this machine believes reaches an endpoint. A name may stand in this machine's own hosts file,
//! as Debian's installer and cloud-init put `127.0.1.1` and the node's own name there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether any machine of a network may have this address: not loopback, unspecified, link-local, broadcast or multicast,
/// nor one of those as an IPv4-mapped IPv6 address.
#[must_use]
pub fn is_fit(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_fit_v4(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| is_fit_v6(ip), is_fit_v4),
    }
}

fn is_fit_v4(ip: Ipv4Addr) -> bool {
    // The whole of 0.0.0.0/8 is "this network" (RFC 1122).
    let is_here = ip.octets()[0] == 0 || ip.is_loopback();
    !(is_here || ip.is_link_local() || ip.is_multicast() || ip.is_broadcast())
}

fn is_fit_v6(ip: Ipv6Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_unicast_link_local() || ip.is_multicast())
}

/// Whether an address is this machine's own, of either family.
#[must_use]
pub fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

/// Whether a text is a host name (RFC 1123, and `_`, which some use): labels of letters, digits and hyphens. What ends in a
/// number, such as `010.0.0.1` or `0x7f.1`, is taken for an IPv4 address by some and for a name by others, and so is none.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let labels = || name.split('.');
    (1..=253).contains(&name.len()) && labels().all(is_label) && !labels().next_back().is_some_and(is_number)
}

/// Whether a host name says of itself where it is: `pg1` alone is completed by each machine with its own search list, and
/// would be a top-level domain in a CNAME.
#[must_use]
pub fn is_qualified_name(text: &str) -> bool {
    is_name(text) && text.strip_suffix('.').unwrap_or(text).contains('.')
}

fn is_label(label: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(is_plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
