//! Reads that every look makes, each within its bound.
//!
//! Invariant 10: no read outlasts its end. What could not be read is a [`Failure`], which is data.

use std::time::Duration;

use tokio::time::Instant;

use super::deadline::by;
use crate::ports::Ports;
use repoint_domain::observed::Read;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;

/// The longest wait for memory: both stores answer within milliseconds, and no pass should hang on a dead one.
const RECALL_WITHIN: Duration = Duration::from_secs(3);

/// What is remembered, or why it cannot be told.
///
/// # Errors
/// The store's own, or that it took too long.
pub async fn load_state(spec: &Spec, ports: &Ports, deadline: Instant) -> Read<State> {
    let deadline = deadline.min(Instant::now() + RECALL_WITHIN);
    by(deadline, "reading memory", &spec.name, ports.store.load(&spec.name)).await
}
