//! Leave to write, and when it runs out.
//!
//! Law: between deciding and writing a process may be stopped for any time. What it knew is then too old, and nobody
//! waits for it any longer, so each write asks once more, as late as it can.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Clock;
use crate::domain::failure::{Failure, Kind};
use crate::domain::memory::Timestamp;

/// Leave to write for a while.
#[derive(Clone)]
pub struct Permit {
    clock: Arc<dyn Clock>,
    began: Instant,
    began_at: Timestamp,
    valid_for: Duration,
}

impl Permit {
    /// Begins now. It must be made before the commit is sent, so that it ends before others stop waiting.
    #[must_use]
    pub fn new(clock: &Arc<dyn Clock>, valid_for: Duration) -> Self {
        Self { clock: clock.clone(), began: Instant::now(), began_at: clock.now(), valid_for }
    }

    /// When it ends at the latest.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.began + self.valid_for
    }

    /// Whether it still holds. Two clocks are asked: the monotonic one stands still while a virtual machine does, and the
    /// other one can be set back.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.held_for() < self.valid_for
    }

    fn held_for(&self) -> Duration {
        let by_date = Duration::from_millis(self.clock.now().since(self.began_at));
        self.began.elapsed().max(by_date)
    }

    /// Refuses a call if it is over.
    ///
    /// # Errors
    /// Names the call that was not made.
    pub fn check(&self, call: &str, resource: &impl ToString) -> Result<(), Failure> {
        if self.is_valid() {
            return Ok(());
        }
        Err(Failure {
            kind: Kind::Conflict,
            call: call.to_owned(),
            resource: resource.to_string(),
            message: format!(
                "not sent: {} ms went by since this was decided, and {} ms are allowed",
                self.held_for().as_millis(),
                self.valid_for.as_millis()
            ),
        })
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("valid_for", &self.valid_for).finish_non_exhaustive()
    }
}
