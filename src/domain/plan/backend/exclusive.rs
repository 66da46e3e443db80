//! A backend with one unchecked server, which is where repoint points it.

use super::place::Place;
use crate::plan::{Context, EndpointReason, Needs, primary_address};
use crate::spec::BackendSpec;
use crate::values::haproxy::{Backend, Server, ServerChange, ServerState, Setting};

pub(super) fn changes(
    name: &str,
    wanted: &BackendSpec,
    backend: &Backend,
    context: &Context,
) -> Result<Needs<Vec<ServerChange>>, EndpointReason> {
    let place = Place::of(primary_address(context.primary)?, wanted.port, context.hosts)?;
    let is_it = |server: &&Server| server.name == name;
    let Some(server) = backend.servers.iter().find(is_it) else {
        return Err(EndpointReason::Backend(format!("it has no server `{name}`")));
    };
    if server.is_checked {
        let message = format!(
            "HAProxy checks its server {name}: with the strategy `exclusive` repoint alone decides; remove `check`"
        );
        return Err(EndpointReason::Backend(message));
    }
    if let Some(other) =
        backend.servers.iter().find(|other| other.name != name && other.state == ServerState::Up)
    {
        let message = format!(
            "{} gets connections as well: with the strategy `exclusive` it has one server",
            other.name
        );
        return Err(EndpointReason::Backend(message));
    }
    if place.is_of(server) && server.state == ServerState::Up {
        return Ok(Needs::default());
    }
    let target = match &server.target {
        Some(target) if place.is_of(server) => target.clone(),
        _ => place.target()?,
    };
    let after = Setting::new(&target, ServerState::Up);
    let change = ServerChange::of(server, after);
    Ok(Needs { what: vec![change], ..Needs::default() })
}
