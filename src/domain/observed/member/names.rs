//! Which entry of a `/cluster` means a member that does not say its name, as Patroni does not before 3.2.
//!
//! Invariant 2: a name is given on evidence alone, and not knowing it is not having another one. What a member's `api_url` says
//! may be good inside the members' own network only: where it differs from where a member was asked, its PostgreSQL's
//! address can still show which entry is its own.

use std::net::{IpAddr, SocketAddr};

use crate::observed::{ClusterMember, MemberAnswer};
use crate::values::cluster::{ApiUrl, Role};

/// The entry of the member that was asked at `url`: by its REST address, or by its PostgreSQL's if that is one entry's
/// alone.
pub(super) fn entry<'a>(
    members: &'a [ClusterMember],
    url: &ApiUrl,
    answer: &MemberAnswer,
) -> Option<&'a ClusterMember> {
    let exact = members.iter().find(|listed| is_rest_of(listed, url, answer.peer));
    exact.or_else(|| {
        let its = |listed: &&ClusterMember| is_on_host(listed, url, answer.peer);
        let mut found = members.iter().filter(its);
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only).filter(|listed| may_be(listed, answer)),
            _ => None,
        }
    })
}

/// Whether the entry's REST address is where the member was asked, or the address that answered.
pub(super) fn is_rest_of(listed: &ClusterMember, url: &ApiUrl, peer: Option<SocketAddr>) -> bool {
    let Some(api) = &listed.api_url else { return false };
    api == url || (peer.is_some() && address(api) == peer)
}

fn address(api: &ApiUrl) -> Option<SocketAddr> {
    Some(SocketAddr::new(api.host().parse::<IpAddr>().ok()?, api.port()))
}

/// Whether the entry's PostgreSQL is on the host that was asked. Where its REST API is on that host too, and on another
/// port, it is another member on the same machine.
fn is_on_host(listed: &ClusterMember, url: &ApiUrl, peer: Option<SocketAddr>) -> bool {
    let peer_ip = peer.map(|peer| peer.ip());
    let is_there = |host: &str| {
        host.eq_ignore_ascii_case(url.host()) || host.parse::<IpAddr>().is_ok_and(|ip| peer_ip == Some(ip))
    };
    let is_neighbour = listed.api_url.as_ref().is_some_and(|api| is_there(api.host()));
    !is_neighbour && listed.reported.as_ref().is_some_and(|address| is_there(&address.host))
}

/// A proxy on one member's host may lead to another member: one that claims to be the primary is not listed as a replica.
fn may_be(listed: &ClusterMember, answer: &MemberAnswer) -> bool {
    let claims = |own: &crate::observed::MemberStatus| own.answers_primary && own.role == Role::Primary;
    listed.role.leads() || !answer.status.as_ref().is_ok_and(claims)
}
