//! Times as AWS writes them.
//!
//! The simulated world began with the year 2026; no clock is read.

use crate::Millis;

/// Seconds from 1970 to 2026.
pub(super) const WORLD_BEGAN: u64 = 1_767_225_600;

/// e.g. `2026-01-01T00:00:05.000Z`.
pub(super) fn iso(at: Millis) -> String {
    let seconds = WORLD_BEGAN + at / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days, for dates after 1970: years begin in March, so that leap days come last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", at % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_years_are_known() {
        assert_eq!(iso(0), "2026-01-01T00:00:00.000Z");
        assert_eq!(iso(1234), "2026-01-01T00:00:01.234Z");
        let day = 86_400_000;
        assert_eq!(iso((365 * 2 + 31 + 28) * day), "2028-02-29T00:00:00.000Z");
        assert_eq!(iso((365 * 3 + 1) * day - 1), "2028-12-31T23:59:59.999Z");
    }
}
