//! A warm backend that leads to the replicas which may be read from.
//!
//! A server that an operator has put into maintenance or drains stays so: repoint has no use for that here.

use super::place::Place;
use super::put;
use crate::plan::readers::{Holder, Places, Wanted, places};
use crate::plan::{Context, EndpointReason, Needs};
use crate::spec::BackendSpec;
use crate::values::cluster::Address;
use crate::values::haproxy::{Backend, Server, ServerChange, ServerState};
use crate::values::target::Target;

/// Opens the servers of readers, then closes the others, if one is left that is open.
pub(super) fn changes(
    (max_lag_bytes, primary_fallback): (u64, bool),
    wanted: &BackendSpec,
    backend: &Backend,
    context: &Context,
) -> Result<Needs<Vec<ServerChange>>, EndpointReason> {
    let up = backend.servers.iter().filter(|server| server.state == ServerState::Up);
    let up: Vec<Target> = up.filter_map(|server| server.target.clone()).collect();
    let readers = Wanted { max_lag_bytes, primary_fallback, settling: context.settling };
    let holder = Servers { wanted, backend, context, up: &up };
    let Places { belong, stay, warnings, unknown } =
        places(context.hosts.observed, context.primary, readers, &holder)?;
    let is_in = |targets: &[Target], server: &Server| {
        server.target.as_ref().is_some_and(|target| targets.contains(target))
    };
    let of_readers = || backend.servers.iter().filter(|server| is_in(&belong, server));
    let mut changes: Vec<ServerChange> = of_readers()
        .filter(|server| server.state == ServerState::Down)
        .filter_map(|server| put(server, ServerState::Up))
        .collect();
    if !changes.is_empty() || of_readers().any(|server| server.state == ServerState::Up) {
        let others = backend.servers.iter().filter(|server| !is_in(&belong, server) && !is_in(&stay, server));
        let others = others.filter(|server| server.state == ServerState::Up);
        changes.extend(others.filter_map(|server| put(server, ServerState::Down)));
    }
    Ok(Needs { what: changes, warnings, unknown })
}

/// A backend, and how members stand in it.
struct Servers<'a> {
    wanted: &'a BackendSpec,
    backend: &'a Backend,
    context: &'a Context<'a>,
    up: &'a [Target],
}

impl Holder<Target> for Servers<'_> {
    fn place(&self, address: &Address) -> Result<Target, EndpointReason> {
        let place = Place::of(address, self.wanted.port, self.context.hosts)?;
        let server = self.backend.servers.iter().find(|server| place.is_of(server));
        match server.and_then(|server| server.target.clone()) {
            Some(target) => Ok(target),
            None => Err(EndpointReason::NoServer(place.target()?)),
        }
    }

    fn may_be(&self, held: &Target, address: &Address) -> bool {
        let Ok(place) = Place::of(address, self.wanted.port, self.context.hosts) else { return true };
        self.backend.servers.iter().any(|server| server.target.as_ref() == Some(held) && place.is_of(server))
    }

    fn held(&self) -> &[Target] {
        self.up
    }
}
