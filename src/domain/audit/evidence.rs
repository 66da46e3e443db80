//! What the members' answers say of a target or of a value of a record set.

use std::net::IpAddr;

use super::{Refusal, Seen};
use crate::observed::{ClusterMember, MemberStatus, Observed};
use crate::spec::Spec;
use crate::values::cluster::{PostgresState, Role};
use crate::values::host::{is_fit, is_loopback};

pub(super) fn may_be_read_from(listed: &ClusterMember, max_lag_bytes: u64) -> bool {
    !listed.noloadbalance && listed.lag_bytes.is_some_and(|lag| lag <= max_lag_bytes)
}

/// Whether a member that is in may stay whatever its lag: just after another one has begun to lead, if it says that it is
/// a replica and lives.
pub(super) fn may_still_be_read_from(listed: &ClusterMember, seen: &Seen) -> bool {
    // Before 3.2 a member does not report its name; then any live replica counts.
    let is_its = |own: &&MemberStatus| own.name.as_ref().is_none_or(|name| *name == listed.name);
    let answers = seen.observed.answers_of(seen.primary.site.as_ref()).values();
    let mut statuses = answers.filter_map(|answer| answer.status.as_ref().ok()).filter(is_its);
    let is_live_replica = |own: &MemberStatus| {
        !own.answers_primary && own.role == Role::Replica && !matches!(own.state, PostgresState::Other(_))
    };
    seen.leads_newly && !listed.noloadbalance && statuses.any(is_live_replica)
}

/// No address is one that each machine has for itself, unless the members are configured or discovered at such addresses.
pub(super) fn usable_anywhere<'a>(
    endpoint: &str,
    places: impl Iterator<Item = &'a str>,
    spec: &Spec,
    seen: &Seen,
) -> Result<(), Refusal> {
    let site = &seen.primary.site;
    let configured = spec.site(site.as_ref()).into_iter().flat_map(|site| &site.members);
    let discovered = seen.observed.discovered.get(site).into_iter().flatten().flatten();
    let is_lab = configured.chain(discovered).filter_map(|url| url.host().parse().ok()).any(is_loopback);
    let mut ips = places.filter_map(|place| place.parse::<IpAddr>().ok());
    match ips.find(|ip| !(is_fit(*ip) || is_lab && is_loopback(*ip))) {
        Some(ip) => Err(Refusal::OwnView { endpoint: endpoint.to_owned(), at: ip.to_string() }),
        None => Ok(()),
    }
}

pub(super) fn ips_of(host: &str, observed: &Observed) -> Vec<IpAddr> {
    match (host.parse(), observed.names.get(host)) {
        (Ok(ip), _) => vec![ip],
        (Err(_), Some(Ok(ips))) => ips.clone(),
        (Err(_), _) => Vec::new(),
    }
}

/// Whether it is unknown where a listed member is, so that a value of a record set may be its address (invariant 2).
pub(super) fn hides(seen: &Seen) -> bool {
    let Seen { observed, primary, .. } = *seen;
    let views =
        observed.answers_of(primary.site.as_ref()).values().filter_map(|answer| answer.view.as_ref().ok());
    let mut listed = views.flat_map(|view| &view.members);
    listed.any(|listed| {
        listed.address.as_ref().is_none_or(|address| ips_of(&address.host, observed).is_empty())
    })
}
