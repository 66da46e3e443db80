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

    /// The date and time in UTC by ISO 8601, to the millisecond and without a zone: `2026-11-29T11:20:41.123`.
    #[must_use]
    pub fn utc(self) -> String {
        let (days, rest) = (self.0 / 86_400_000, self.0 % 86_400_000);
        // Days of the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
        let day = days + 719_468;
        let (era, day) = (day / 146_097, day % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (year, month) =
            (era * 400 + year + u64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
        let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
        format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{:03}",
            rest / 1_000 % 60,
            rest % 1_000
        )
    }
}
