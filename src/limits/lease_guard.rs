//! Leave to write, and when it runs out.
//!
//! Law: between deciding and writing a process may be stopped for any time. What it knew is then too old, and nobody
//! waits for it any longer, so each write asks once more, as late as it can.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Clock;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::timestamp::Timestamp;

/// Leave to write for a while; or the leaves of several, which must all hold.
#[derive(Clone)]
pub struct LeaseGuard(Vec<Leave>);

#[derive(Clone)]
struct Leave {
    clock: Arc<dyn Clock>,
    began: Instant,
    began_at: Timestamp,
    valid_for: Duration,
}

impl Leave {
    fn held_for(&self) -> Duration {
        let by_date = Duration::from_millis(self.clock.now().since(self.began_at));
        self.began.elapsed().max(by_date)
    }
}

impl LeaseGuard {
    /// Begins now. It must be made before the commit is sent, so that it ends before others stop waiting.
    #[must_use]
    pub fn new(clock: &Arc<dyn Clock>, valid_for: Duration) -> Self {
        Self(vec![Leave { clock: clock.clone(), began: Instant::now(), began_at: clock.now(), valid_for }])
    }

    /// For a write in the name of several: it holds while all of theirs do. Nobody's is none.
    #[must_use]
    pub fn joint<'a>(guards: impl IntoIterator<Item = &'a Self>) -> Self {
        Self(guards.into_iter().flat_map(|guard| guard.0.iter().cloned()).collect())
    }

    /// When it ends at the latest.
    #[must_use]
    pub fn until(&self) -> Instant {
        let ends = self.0.iter().map(|leave| leave.began + leave.valid_for);
        ends.min().unwrap_or_else(Instant::now)
    }

    /// Whether it still holds. Two clocks are asked: the monotonic one stands still while a virtual machine does, and the
    /// other one can be set back.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|leave| leave.held_for() < leave.valid_for)
    }

    /// Refuses a call if it is over.
    ///
    /// # Errors
    /// Names the call that was not made.
    pub fn check(&self, call: &str, resource: &impl ToString) -> Result<(), Failure> {
        if self.is_valid() {
            return Ok(());
        }
        let ms = |of: fn(&Leave) -> Duration| self.0.iter().map(of).max().unwrap_or_default().as_millis();
        Err(Failure::new(
            Kind::Conflict,
            call,
            resource.to_string(),
            format!(
                "not sent: {} ms went by since this was decided, and {} ms are allowed",
                ms(Leave::held_for),
                ms(|leave| leave.valid_for)
            ),
        )
        .with_hint("the next pass looks again"))
    }
}

impl std::fmt::Debug for LeaseGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("leaves", &self.0.len()).finish_non_exhaustive()
    }
}
