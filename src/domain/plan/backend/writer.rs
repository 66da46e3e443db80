//! A warm backend that leads to the primary.

use std::iter::once;

use super::place::Place;
use super::put;
use crate::observed::ClusterMember;
use crate::observed::member::{members, primarys_view};
use crate::plan::readers::unplaced;
use crate::plan::{Context, EndpointReason, Needs, WarningReason, primary_address};
use crate::spec::BackendSpec;
use crate::values::cluster::{Address, MemberName};
use crate::values::haproxy::{Backend, Server, ServerChange, ServerState, Setting, is_name};
use crate::values::primary::Rival;

/// A member that HAProxy can reach.
struct Found<'a> {
    name: Option<&'a MemberName>,
    place: Place,
    state: ServerState,
}

/// Opens the primary's server, then closes the others. The server of a member is the one at its address, or else the one of its
/// name, which is led there: the member may have a new machine.
pub(super) fn changes(
    server_options: Option<&str>,
    wanted: &BackendSpec,
    backend: &Backend,
    context: &Context,
) -> Result<Needs<Vec<ServerChange>>, EndpointReason> {
    let place = |address: &Address| Place::of(address, wanted.port, context.hosts);
    let primary = Found {
        name: context.primary.member.as_ref(),
        place: place(primary_address(context.primary)?)?,
        state: ServerState::Up,
    };
    let (others, warnings, lists_members) = others(wanted, context);
    let found: Vec<Found> = once(primary).chain(others).collect();
    let is_of_member = |server: &Server| found.iter().any(|member| member.place.is_of(server));
    let (mut changes, mut claimed, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for (number, member) in found.iter().enumerate() {
        let its: Vec<&Server> = backend.servers.iter().filter(|server| member.place.is_of(server)).collect();
        if its.is_empty() {
            match led_or_added(member, server_options, backend, is_of_member) {
                Ok(change) => {
                    claimed.push(change.server.clone());
                    changes.push(change);
                }
                Err(reason) if number == 0 => return Err(reason),
                // Another member that has no place holds up no other.
                Err(reason) => missing.extend(member.name.map(|name| unplaced(name, reason))),
            }
        }
        // Two members behind one address are one server: the primary comes first.
        let its: Vec<&Server> = its.into_iter().filter(|server| !claimed.contains(&server.name)).collect();
        claimed.extend(its.iter().map(|server| server.name.clone()));
        changes.extend(its.into_iter().filter_map(|server| put(server, member.state)));
    }
    // What belongs to no member gets no writes; one whose name is not resolved gets none anyway.
    let strays = backend.servers.iter().filter(|server| !claimed.contains(&server.name));
    let strays = strays.filter(|server| server.target.is_some() && server.state != ServerState::Maintenance);
    let is_called_so =
        |server: &Server, member: &Found| member.name.is_some_and(|name| name.as_str() == server.name);
    let may_go = |server: &Server| {
        server_options.is_some()
            && lists_members
            && !found.iter().any(|member| is_called_so(server, member))
            && !is_remembered(server, wanted, context)
    };
    changes.extend(strays.filter_map(|server| match put(server, ServerState::Down) {
        None if may_go(server) => put(server, ServerState::Gone),
        put => put,
    }));
    let warnings = warnings.into_iter().chain(missing).collect();
    Ok(Needs { what: changes, warnings, unknown: None })
}

/// The server of a member's name, led to where the member is now; or a new one.
fn led_or_added(
    member: &Found,
    server_options: Option<&str>,
    backend: &Backend,
    is_of_member: impl Fn(&Server) -> bool,
) -> Result<ServerChange, EndpointReason> {
    let target = member.place.target()?;
    let after = Setting::new(&target, member.state);
    let is_called_so = |server: &&Server| member.name.is_some_and(|name| name.as_str() == server.name);
    if let Some(server) = backend.servers.iter().find(|server| is_called_so(server) && !is_of_member(server))
    {
        return Ok(ServerChange::of(server, after));
    }
    let name = member.name.filter(|name| may_be_added(name, backend));
    let (Some(name), Some(options)) = (name, server_options) else {
        return Err(EndpointReason::NoServer(target));
    };
    let options = Some(options.to_owned());
    Ok(ServerChange { server: name.to_string(), before: None, options, after })
}

/// HAProxy has each name once, and one that is taken here is at another member's address.
fn may_be_added(name: &MemberName, backend: &Backend) -> bool {
    is_name(name.as_str()) && !backend.servers.iter().any(|server| server.name == name.as_str())
}

/// Whether a server is that of a member which may come back: a member that is down is listed no more after Patroni's `ttl`.
fn is_remembered(server: &Server, wanted: &BackendSpec, context: &Context) -> bool {
    let known = context.state.members_of(context.primary.site.as_ref());
    known.iter().any(|(name, known)| {
        let place = known.address.as_ref().map(|address| Place::of(address, wanted.port, context.hosts));
        name.as_str() == server.name
            || place.is_some_and(|place| place.is_ok_and(|place| place.is_of(server)))
    })
}

/// The other members, each with what its server should be; those that cannot be placed; and whether the members are known. One
/// whose address is not known has a server that belongs to no member.
fn others<'a>(wanted: &BackendSpec, context: &Context<'a>) -> (Vec<Found<'a>>, Vec<WarningReason>, bool) {
    let Context { primary, hosts, .. } = *context;
    let members = members(hosts.observed.answers_of(primary.site.as_ref()));
    let view = primary.member.as_ref().and_then(|name| primarys_view(&members, name));
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    for listed in view.into_iter().flat_map(|view| &view.members) {
        let Some(address) = listed.address.as_ref().filter(|_| Some(&listed.name) != primary.member.as_ref())
        else {
            continue;
        };
        match Place::of(address, wanted.port, hosts) {
            Ok(place) => found.push(Found {
                name: Some(&listed.name),
                place,
                state: state_of(listed, &primary.rivals),
            }),
            Err(reason) => warnings.push(unplaced(&listed.name, reason)),
        }
    }
    (found, warnings, view.is_some())
}

/// A check on Patroni finds a rival good as well: only maintenance keeps clients from it.
fn state_of(listed: &ClusterMember, rivals: &[Rival]) -> ServerState {
    if rivals.iter().any(|rival| rival.member == listed.name.as_str()) {
        ServerState::Maintenance
    } else {
        ServerState::Down
    }
}
