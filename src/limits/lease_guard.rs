//! Whether a lease is still held.
//!
//! Invariant 4: between deciding and writing, a process may be stopped for any time. What it knew is then too old, and other
//! processes have stopped waiting for it, so each write checks its guard as late as it can.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Clock;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::timestamp::Timestamp;

/// The right to write for a while; or the rights of several passes, which must all be valid.
#[derive(Clone)]
pub struct LeaseGuard(Vec<Term>);

#[derive(Clone)]
struct Term {
    clock: Arc<dyn Clock>,
    began: Instant,
    began_at: Timestamp,
    valid_for: Duration,
}

impl Term {
    fn held_for(&self) -> Duration {
        let by_date = Duration::from_millis(self.clock.now().since(self.began_at));
        self.began.elapsed().max(by_date)
    }
}

impl LeaseGuard {
    /// Begins now. It must be made before the commit is sent, so that it ends before other processes stop waiting.
    #[must_use]
    pub fn new(clock: &Arc<dyn Clock>, valid_for: Duration) -> Self {
        Self(vec![Term { clock: clock.clone(), began: Instant::now(), began_at: clock.now(), valid_for }])
    }

    /// For a write of several passes: it is valid while all of theirs are, and never if there are none.
    #[must_use]
    pub fn joint<'a>(guards: impl IntoIterator<Item = &'a Self>) -> Self {
        Self(guards.into_iter().flat_map(|guard| guard.0.iter().cloned()).collect())
    }

    /// When it ends at the latest.
    #[must_use]
    pub fn until(&self) -> Instant {
        let ends = self.0.iter().map(|term| term.began + term.valid_for);
        ends.min().unwrap_or_else(Instant::now)
    }

    /// Whether it is still valid. Two clocks are read: the monotonic one stands still while a virtual machine does, and the
    /// other one can be set back.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|term| term.held_for() < term.valid_for)
    }

    /// Refuses a call if it is no longer valid.
    ///
    /// # Errors
    /// Names the call that was not made.
    pub fn check(&self, call: &str, resource: &impl ToString) -> Result<(), Failure> {
        if self.is_valid() {
            return Ok(());
        }
        let ms = |of: fn(&Term) -> Duration| self.0.iter().map(of).max().unwrap_or_default().as_millis();
        Err(Failure::new(
            Kind::Conflict,
            call,
            resource.to_string(),
            format!(
                "not sent: the lease ran out ({} ms since it was taken, limit {} ms)",
                ms(Term::held_for),
                ms(|term| term.valid_for)
            ),
        )
        .with_hint("the next pass decides again"))
    }
}

impl std::fmt::Debug for LeaseGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaseGuard").field("terms", &self.0.len()).finish_non_exhaustive()
    }
}
