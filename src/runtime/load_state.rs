//! Reads that every look makes, each within its bound.
//!
//! Invariant 10: no read outlasts its end. What could not be read is a [`Failure`], which is data.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::ports::Ports;
use repoint_domain::observed::Read;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::failure::{Failure, Kind};

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

/// A read that ends by the deadline.
pub(super) async fn by<T>(
    deadline: Instant,
    call: &str,
    resource: &impl ToString,
    read: impl Future<Output = Read<T>>,
) -> Read<T> {
    timeout_at(deadline, read).await.unwrap_or_else(|_| Err(too_late(call, resource)))
}

/// The failure of a call that the pass could not wait for.
pub fn too_late(call: &str, resource: &impl ToString) -> Failure {
    Failure::new(Kind::Unavailable, call, resource.to_string(), "no answer before the pass's deadline")
}
