//! The wait before an unfinished pass is made again.
//!
//! Invariant 10: each pass asks AWS, so the wait doubles from one unfinished pass to the next, up to a limit.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);

/// The waits between passes none of which was finished.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The next wait, no longer than `longest`.
    pub fn next(&mut self, longest: Duration) -> Duration {
        let wait = self.last.map_or(FIRST, |wait| wait * 2).min(longest);
        self.last = Some(wait);
        wait
    }
}
