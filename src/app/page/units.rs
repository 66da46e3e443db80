//! Numbers and times as a reader expects them.

use maud::{Markup, html};

use repoint_domain::values::timestamp::Timestamp;
use repoint_domain::values::units;
use repoint_domain::values::utc::Utc;

/// Date and time to the second, in UTC and without saying so.
pub fn time(at: Timestamp) -> Markup {
    html! { time datetime=(Utc(at)) { (units::time(Utc(at))) } }
}

/// A duration to the minute.
pub fn minutes(seconds: u64) -> String {
    match seconds / 60 {
        0 => "less than 1 min".to_owned(),
        minutes @ 1..60 => format!("{minutes} min"),
        minutes @ 60..1440 => format!("{} h {} min", minutes / 60, minutes % 60),
        minutes => format!("{} d {} h", minutes / 1440, minutes / 60 % 24),
    }
}

/// A number with its thousands apart.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}
