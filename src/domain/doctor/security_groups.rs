//! What the rules of security groups let through.
//!
//! A connection gets through if a rule of one of the groups allows it (EC2 user guide, "Security group rules"). What rests on
//! something that was not read, such as the networks of a prefix list, is not known: neither open nor closed (invariant 2).

use std::collections::BTreeMap;

use super::check::NotChecked;
use super::facts::network::{Rule, SecurityGroup};
use crate::values::cidr::Cidr;

/// Security groups as they were read, by id.
pub type SecurityGroups = BTreeMap<String, SecurityGroup>;

/// The other end of connections: where they come from, or where they go.
#[derive(Clone, Debug, Default)]
pub struct Peer<'a> {
    /// The ids of its security groups, each of which all of its interfaces have.
    pub groups: &'a [String],
    /// The networks that its addresses are in; an address may be any of them. Empty where they are not known.
    pub networks: Vec<Cidr>,
}

/// Whether an interface with the security groups `ids` accepts TCP connections to that port from every address of `from`.
///
/// # Errors
/// If that rests on something that was not read.
pub fn lets_in(
    read: &SecurityGroups,
    ids: &[String],
    port: u16,
    from: &Peer<'_>,
) -> Result<bool, NotChecked> {
    allows(read, ids, |group| &group.ingress, port, from)
}

/// Whether an interface with the security groups `ids` may open TCP connections to that port of every address of `to`.
///
/// # Errors
/// If that rests on something that was not read.
pub fn lets_out(read: &SecurityGroups, ids: &[String], port: u16, to: &Peer<'_>) -> Result<bool, NotChecked> {
    allows(read, ids, |group| &group.egress, port, to)
}

/// Whether some rule accepts TCP connections to that port, wherever they come from.
///
/// # Errors
/// If a group was not read, and no other one has such a rule.
pub fn lets_some_in(read: &SecurityGroups, ids: &[String], port: u16) -> Result<bool, NotChecked> {
    let (groups, unread) = groups(read, ids);
    let mut rules = groups.iter().flat_map(|group| &group.ingress);
    match unread {
        _ if rules.any(|rule| is_about(rule, port)) => Ok(true),
        Some(unread) => Err(unread),
        None => Ok(false),
    }
}

fn allows(
    read: &SecurityGroups,
    ids: &[String],
    rules: fn(&SecurityGroup) -> &Vec<Rule>,
    port: u16,
    peer: &Peer<'_>,
) -> Result<bool, NotChecked> {
    let (groups, unread) = groups(read, ids);
    let rules: Vec<&Rule> = groups.into_iter().flat_map(rules).filter(|rule| is_about(rule, port)).collect();
    if rules.iter().flat_map(|rule| &rule.groups).any(|group| peer.groups.contains(group)) {
        return Ok(true);
    }
    let networks: Vec<Cidr> =
        rules.iter().flat_map(|rule| &rule.networks).filter_map(|network| network.parse().ok()).collect();
    let is_in = |network: &Cidr| networks.iter().any(|allowed| allowed.contains(network));
    if !peer.networks.is_empty() && peer.networks.iter().all(is_in) {
        return Ok(true);
    }
    let out: Vec<&Cidr> = peer.networks.iter().filter(|network| !is_in(network)).collect();
    let is_wholly_out = |network: &&Cidr| !networks.iter().any(|allowed| allowed.overlaps(network));
    let unknown = |why: String| Err(NotChecked::Unknown(why));
    let prefix_list = rules.iter().find_map(|rule| rule.prefix_lists.first());
    if let Some(unread) = unread {
        Err(unread)
    } else if let Some(list) = prefix_list {
        unknown(format!(
            "a rule of {} allows port {port} for the prefix list {list}, whose networks were not read",
            ids.join(", ")
        ))
    } else if peer.networks.is_empty() && !networks.is_empty() {
        unknown(format!(
            "rules of {} allow port {port} for networks, and the addresses of the other end are not known",
            ids.join(", ")
        ))
    } else if let Some(partly) = out.first().filter(|_| !out.iter().any(is_wholly_out)) {
        unknown(format!(
            "rules of {} allow port {port} for a part of {partly}, and which addresses are used there is not known",
            ids.join(", ")
        ))
    } else {
        Ok(false)
    }
}

/// The groups of these ids, and the first that was not read.
fn groups<'a>(read: &'a SecurityGroups, ids: &[String]) -> (Vec<&'a SecurityGroup>, Option<NotChecked>) {
    let unread = ids.iter().find(|id| !read.contains_key(*id));
    let unread = unread.map(|id| NotChecked::Unknown(format!("the security group {id} was not read")));
    (ids.iter().filter_map(|id| read.get(id)).collect(), unread)
}

/// Whether a rule is about TCP connections to that port.
fn is_about(rule: &Rule, port: u16) -> bool {
    match rule.protocol.as_str() {
        "-1" => true,
        "tcp" | "6" => rule.from.is_none_or(|from| from <= port) && rule.to.is_none_or(|to| port <= to),
        _ => false,
    }
}
