//! Points in time as RFC 3339 writes them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::timestamp::Timestamp;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The last year that RFC 3339 can write.
const LAST_YEAR: u64 = 9999;

/// A point in time, written in UTC: `2026-11-29T03:12:45.123Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub Timestamp);

impl Utc {
    /// Reads a date (its midnight in UTC), or a date and a time with or without an offset; without one it is UTC.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let midnight = i64::try_from(days(date)? * DAY_MS).ok()?;
        if rest.is_empty() {
            return at(midnight);
        }
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let (time, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len()));
        at(midnight + time_ms(time)? - offset_ms(offset)?)
    }
}

fn at(milliseconds: i64) -> Option<Utc> {
    u64::try_from(milliseconds).ok().map(|milliseconds| Utc(Timestamp(milliseconds)))
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Timestamp(time)) = self;
        let (year, month, day) = date(time / DAY_MS);
        let (seconds, milliseconds) = (time % DAY_MS / 1000, time % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Utc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is no time")))
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

/// The date so many days after 1970 began.
fn date(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    while days >= days_of_year(year) {
        if year == LAST_YEAR {
            return (LAST_YEAR, 12, 31);
        }
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

/// The days from the beginning of 1970 to a date.
fn days(date: &str) -> Option<u64> {
    let (year, rest) = date.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let exists = year >= 1970 && (1..=12).contains(&month) && day >= 1 && day <= days_of_month(year, month);
    let years = (1970..year).map(days_of_year).sum::<u64>();
    let months = (1..month).map(|month| days_of_month(year, month)).sum::<u64>();
    exists.then(|| years + months + day - 1)
}

/// `HH:MM`, `HH:MM:SS`, or that with a fraction of a second.
fn time_ms(time: &str) -> Option<i64> {
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let (hour, rest) = time.split_once(':')?;
    let (minute, second) = rest.split_once(':').unwrap_or((rest, "00"));
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    let is_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    // A leap second is the first second of the next minute.
    let exists = hour < 24 && minute < 60 && second <= 60 && is_digits;
    let milliseconds: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let whole = ((hour * 60 + minute) * 60 + second) * 1000 + milliseconds;
    i64::try_from(whole).ok().filter(|_| exists)
}

/// `Z`, `+HH:MM` or `-HH:MM`.
fn offset_ms(offset: &str) -> Option<i64> {
    let (sign, ahead) = match offset.split_at_checked(1) {
        None | Some(("Z" | "z", "")) => return Some(0),
        Some(("+", ahead)) => (1, ahead),
        Some(("-", ahead)) => (-1, ahead),
        Some(_) => return None,
    };
    Some(sign * time_ms(ahead)?)
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}
