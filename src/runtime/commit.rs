//! Taking the lease: one process writes for a cluster at a time, and only for what is newest.
//!
//! Invariants: never backwards (4), crash anywhere (9). The commit is a compare-and-swap of the state: it says for which timeline
//! this process acts, and it fails if another process has saved meanwhile.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::load_state::load_state;
use super::save::{RETRY_AFTER, save};
use crate::limits::LeaseGuard;
use crate::ports::Ports;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::moves::Move;
use repoint_domain::values::primary::Primary;

/// How long a lease lasts. A write at AWS's control plane takes a fraction of a second; one that is throttled for
/// longer than this is decided again.
pub const ACT_WITHIN: Duration = Duration::from_secs(3);
/// How long a commit is tried again where the store refuses at once: later, what was observed is too old to act on.
const RETRY_WITHIN: Duration = Duration::from_secs(1);
/// The state is read back for at least so long after a failed save, however much of the time the save took.
const AT_LEAST: Duration = Duration::from_millis(500);

/// How an attempt to commit ended.
#[derive(Debug)]
pub enum Commit {
    /// The lease is held; the state as it is now.
    Granted(LeaseGuard, Box<State>),
    /// Another process has saved first, so the pass has to observe again.
    Conflict,
    /// The state cannot be written.
    Unavailable(Failure),
}

/// Commits to act for `primary`. A conflict is only that another process has saved meanwhile; a store that is full,
/// throttled, locked, read-only or silent is unavailable.
pub async fn commit(
    spec: &Spec,
    state: &State,
    primary: &Primary,
    moves: Option<&Move>,
    ports: &Ports,
    deadline: Instant,
) -> Commit {
    let give_up_at = Instant::now() + RETRY_WITHIN;
    loop {
        let guard = LeaseGuard::new(&ports.clock, ACT_WITHIN);
        let next =
            state.committed(primary, moves, &ports.identity, ports.clock.now()).kept_for(spec).bounded();
        let Err(failure) = save(spec, &next, ports, deadline).await else {
            return Commit::Granted(guard, Box::new(next));
        };
        match load_state(spec, ports, deadline.max(Instant::now() + AT_LEAST)).await {
            // Our own commit, whose answer was lost, and which may have been sent twice.
            Ok(stored) if stored == next => return Commit::Granted(guard, Box::new(next)),
            Ok(stored) if failure.kind == Kind::Conflict || stored.revision != state.revision => {
                return Commit::Conflict;
            }
            Err(unread) if failure.kind == Kind::Conflict => return Commit::Unavailable(unread),
            Ok(_) if is_transient(&failure) && Instant::now() + RETRY_AFTER < give_up_at.min(deadline) => {
                sleep(RETRY_AFTER).await;
            }
            Ok(_) | Err(_) => return Commit::Unavailable(failure),
        }
    }
}

/// Whether a store that refused may take the same a moment later.
fn is_transient(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Throttled | Kind::Unavailable)
}
