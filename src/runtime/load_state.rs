//! Loading the state, within a bound (invariant 10).

use std::time::Duration;

use tokio::time::Instant;

use super::deadline::by;
use crate::ports::Ports;
use repoint_domain::observed::Read;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;

/// The longest wait for the state store: both kinds answer within milliseconds, and no pass should hang on a dead one.
const LOAD_WITHIN: Duration = Duration::from_secs(3);

/// The state of an entry, or why it cannot be read.
///
/// # Errors
/// The store's own, or that it took too long.
pub async fn load_state(spec: &Spec, ports: &Ports, deadline: Instant) -> Read<State> {
    let deadline = deadline.min(Instant::now() + LOAD_WITHIN);
    by(deadline, "reading the state", &spec.name, ports.store.load(&spec.name)).await
}
