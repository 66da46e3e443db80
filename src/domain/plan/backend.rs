//! The changes of HAProxy's backends.
//!
//! Invariants: open before close (6), never empty (5). HAProxy checks a warm backend's servers by itself, and goes on when
//! repoint does not run: so repoint says what it knows sooner, and leaves nothing behind that would keep a check from being
//! heeded. The one exception is a rival, whose check says that it is the primary: it is in maintenance while it is a rival.

mod exclusive;
mod place;
mod readers;
mod writer;

use super::{Context, EndpointReason, Needs, Plan, StepGroup};
use crate::spec::{BackendSpec, BackendStrategy, GroupRole};
use crate::values::endpoint::Endpoint;
use crate::values::haproxy::{Backend, Server, ServerChange, ServerState};

/// Adds the changes that each backend needs, and the backends that are held.
pub(super) fn plan(context: &Context, plan: &mut Plan) {
    for wanted in &context.spec.backends {
        let needs = needs(wanted, context);
        let changes = plan.take(&Endpoint::Backend(wanted.key.clone()), needs).unwrap_or_default();
        if !changes.is_empty() {
            plan.step_groups.push(StepGroup::Backend { key: wanted.key.clone(), changes });
        }
    }
}

fn needs(wanted: &BackendSpec, context: &Context) -> Result<Needs<Vec<ServerChange>>, EndpointReason> {
    let backend = match context.hosts.observed.backends.get(&wanted.key) {
        Some(Ok(backend)) => backend,
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        None => return Ok(Needs::default()),
    };
    match (&wanted.strategy, wanted.role) {
        (BackendStrategy::Exclusive { server }, _) => exclusive::changes(server, wanted, backend, context),
        (BackendStrategy::Warm { server_options }, role) => {
            are_checked(backend)?;
            match role {
                GroupRole::Writer => writer::changes(server_options.as_deref(), wanted, backend, context),
                GroupRole::Reader { max_lag_bytes, primary_fallback } => {
                    readers::changes((max_lag_bytes, primary_fallback), wanted, backend, context)
                }
            }
        }
    }
}

/// A server that is not checked is up for ever, and takes no `health down`.
fn are_checked(backend: &Backend) -> Result<(), EndpointReason> {
    match backend.servers.iter().find(|server| !server.is_checked) {
        None => Ok(()),
        Some(unchecked) => Err(EndpointReason::Backend(format!(
            "HAProxy does not check its server {}: give it `check` and `option httpchk OPTIONS /primary`, or use the strategy \
             `exclusive`",
            unchecked.name
        ))),
    }
}

/// The server, in that state; `None` where it is in it already and has no sessions that should end.
fn put(server: &Server, state: ServerState) -> Option<ServerChange> {
    let mut after = server.setting();
    (after.state, after.sessions) = (state, 0);
    let is_so = server.state == state && (state == ServerState::Up || server.sessions == 0);
    (!is_so).then(|| ServerChange::of(server, after))
}
