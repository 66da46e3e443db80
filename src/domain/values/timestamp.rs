//! Points in time, by the clock of one machine.

use serde::{Deserialize, Serialize};

/// Two clocks that are right may be so far apart, in milliseconds; a time that lies further ahead was written by a clock
/// that was wrong, or the own one has been set back.
const AHEAD_MS: u64 = 60 * 1000;

/// Milliseconds since 1970, by the clock of the machine that wrote them: for durations in reports, never for order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// In seconds since 1970.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a date in milliseconds has 41 bits")]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Milliseconds from `earlier` to here; 0 if the clock went backwards.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether this lies further ahead of `now` than two clocks may differ. When that really was is unknown.
    #[must_use]
    pub fn is_ahead_of(self, now: Self) -> bool {
        self.since(now) > AHEAD_MS
    }

    /// Whether so many milliseconds have gone by from `earlier` to here; they have, too, if `earlier` is still to come.
    #[must_use]
    pub fn is_past(self, earlier: Self, milliseconds: u64) -> bool {
        self.since(earlier) > milliseconds || earlier.is_ahead_of(self)
    }
}
