//! Waiting for another process's lease.
//!
//! Invariant 4: while one process acts, the others wait. One that died or was stopped is waited for no longer than
//! [`TAKE_OVER_AFTER`], and by then its own guard has run out.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::commit::ACT_WITHIN;
use super::load_state::load_state;
use crate::ports::Ports;
use repoint_domain::spec::Spec;
use repoint_domain::state::Lease;
use repoint_domain::values::timestamp::Timestamp;

/// How long another process's lease is respected, counted from when it was first seen, so that clocks need not agree.
/// Beyond [`ACT_WITHIN`], a request that was sent in the last moment has as long again to arrive.
pub const TAKE_OVER_AFTER: Duration = Duration::from_secs(6);
/// A pass with less time than this cannot wait for another process's lease and then act.
const WAIT_AND_ACT: Duration = TAKE_OVER_AFTER.saturating_add(ACT_WITHIN);
/// A lease of that age does not stop a pass that is too short to wait, which it would stop for ever. Two clocks are trusted
/// for that and for nothing else, since any clock may jump, and the SDK corrects for a wrong one when it
/// signs (`aws_runtime::service_clock_skew`).
const ABANDONED_AFTER_MS: u64 = 15 * 60 * 1000;
/// How often the state is read while another process acts.
const READ_EVERY: Duration = Duration::from_millis(100);

/// Whether a pass with that much time is too short to wait, and the lease was abandoned so long ago that it need not wait. A
/// lease whose time is still to come was taken by a process whose clock was wrong.
#[must_use]
pub fn is_abandoned(lease: &Lease, now: Timestamp, limit: Duration) -> bool {
    limit < WAIT_AND_ACT && now.since(lease.since) > ABANDONED_AFTER_MS
}

/// How long this pass has been waiting for another process.
#[derive(Debug, Default)]
pub struct LeaseWait {
    /// The revision of the other process's commit, and when it was first seen.
    watched: Option<(u64, Instant)>,
}

impl LeaseWait {
    /// Waits until the other process has ended, or its lease has been waited for long enough; `false` if the deadline comes
    /// first.
    pub async fn wait(&mut self, lease: &Lease, spec: &Spec, ports: &Ports, deadline: Instant) -> bool {
        let mut revision = lease.revision;
        loop {
            let seen = match self.watched {
                Some((watched, seen)) if watched == revision => seen,
                _ => Instant::now(),
            };
            self.watched = Some((revision, seen));
            if self.is_over(revision) {
                return true;
            }
            if Instant::now() + READ_EVERY >= deadline {
                return false;
            }
            sleep(READ_EVERY).await;
            match load_state(spec, ports, deadline).await.map(|state| state.lease) {
                Ok(None) => return true,
                Ok(Some(lease)) => revision = lease.revision,
                // The store may come back; the deadline bounds the wait.
                Err(_) => {}
            }
        }
    }

    /// Whether the lease of that revision has been waited for long enough.
    #[must_use]
    pub fn is_over(&self, revision: u64) -> bool {
        self.watched.is_some_and(|(watched, seen)| watched == revision && seen.elapsed() >= TAKE_OVER_AFTER)
    }
}
