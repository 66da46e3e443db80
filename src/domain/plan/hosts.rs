//! The hosts of members, as any machine would use them.
//!
//! Invariant 8: nothing that only this machine believes reaches an endpoint.

use std::net::IpAddr;

use super::EndpointReason;
use crate::observed::Observed;
use crate::spec::Spec;
use crate::values::cluster::SiteName;
use crate::values::host::{is_fit, is_loopback, is_name};
use crate::values::primary::Primary;

/// What was seen, with the hosts of it as any machine would use them.
#[derive(Clone, Copy)]
pub(super) struct Hosts<'a> {
    pub observed: &'a Observed,
    /// The configuration itself names members by loopback addresses, or they are discovered there, as in a laboratory on
    /// one machine.
    are_local: bool,
}

impl<'a> Hosts<'a> {
    pub fn of(spec: &Spec, observed: &'a Observed, primary: &Primary) -> Self {
        Self { observed, are_local: are_local(spec, observed, primary.site.as_ref()) }
    }

    /// The addresses of a member's host, whether it is an address itself or a name.
    pub fn addresses(self, host: &str) -> Result<Vec<IpAddr>, EndpointReason> {
        let unfit = |why: String| Err(EndpointReason::AddressUnfit(why));
        if let Some(address) = literal(host, self.are_local)? {
            return Ok(vec![address]);
        }
        let addresses = match self.observed.names.get(host) {
            Some(Ok(addresses)) => addresses,
            Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
            None => return unfit(format!("the host name `{host}` was not resolved")),
        };
        let (fit, own): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|address| is_fit(**address));
        if fit.is_empty() && !own.is_empty() {
            let own = own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return unfit(format!(
                "`{host}` resolves to {own} here, which other machines cannot use (see /etc/hosts); {REMEDY}"
            ));
        }
        Ok(fit)
    }
}

/// Whether members of the site are configured or discovered at loopback addresses, which are then meant.
#[must_use]
pub fn are_local(spec: &Spec, observed: &Observed, site: Option<&SiteName>) -> bool {
    let members = spec.site(site).map_or(&[][..], |site| &site.members);
    let discovered = observed.discovered.get(&site.cloned()).into_iter().flatten().flatten();
    members.iter().chain(discovered).any(|url| url.host().parse().is_ok_and(is_loopback))
}

/// The address that a host is; `None` where it is a name.
///
/// # Errors
/// If it is neither, or an address that other machines cannot use.
pub fn literal(host: &str, are_local: bool) -> Result<Option<IpAddr>, EndpointReason> {
    let unfit = |why: String| Err(EndpointReason::AddressUnfit(why));
    match host.parse::<IpAddr>() {
        Ok(address) if (are_local && is_loopback(address)) || is_fit(address) => Ok(Some(address)),
        Ok(address) => {
            unfit(format!("Patroni reports the address {address}, which other machines cannot use; {REMEDY}"))
        }
        Err(_) if is_name(host) => Ok(None),
        Err(_) => unfit(format!("`{host}` is neither one address nor one host name; {REMEDY}")),
    }
}

/// What an operator does about a host that cannot be used.
pub(super) const REMEDY: &str =
    "give the member an address that all machines can use, in Patroni's `postgresql.connect_address`";

/// The one address of that family; with several there is no telling which one Patroni means.
pub(super) fn single_address(
    host: &str,
    addresses: &[IpAddr],
    family: &str,
    fits: impl Fn(&IpAddr) -> bool,
) -> Result<Option<IpAddr>, EndpointReason> {
    let mut fitting = addresses.iter().filter(|address| fits(address));
    match (fitting.next(), fitting.next()) {
        (Some(_), Some(_)) => {
            Err(EndpointReason::AddressUnfit(format!("`{host}` has several {family} addresses")))
        }
        (only, _) => Ok(only.copied()),
    }
}
