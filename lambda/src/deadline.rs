//! The time limits of an invocation's passes.
//!
//! The answer comes before Lambda's deadline, at which Lambda kills the process, and no answer or alert is sent.

use std::time::Duration;

use repoint::app::Limits;

/// Reserved at the end of the invocation: to write the answer, to send it, and to send the log. It also covers a
/// difference between Lambda's clock and this machine's.
const KEPT_FOR_THE_ANSWER: Duration = Duration::from_millis(400);
/// A pass with less time would usually be cut off: reading from Patroni and AWS alone takes several hundred
/// milliseconds.
const LEAST: Duration = Duration::from_secs(1);
/// The part of the time that is reserved for alerts if there is not enough time for everything.
const TELLING: u32 = 4;

/// The limits of a pass that begins now, `left` before the invocation's deadline; `None` if there is too little time.
pub fn limits(configured: Limits, left: Duration) -> Option<Limits> {
    let usable = usable(left).filter(|usable| *usable >= LEAST)?;
    let notify = configured.notify.min(usable / TELLING);
    Some(Limits { pass: configured.pass.min(usable.saturating_sub(notify)), notify })
}

/// The time for passes, alerts included.
pub fn usable(left: Duration) -> Option<Duration> {
    left.checked_sub(KEPT_FOR_THE_ANSWER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(left_ms: u64) -> Option<(u128, u128)> {
        let configured = Limits { pass: Duration::from_secs(30), notify: Duration::from_secs(10) };
        let limits = limits(configured, Duration::from_millis(left_ms))?;
        Some((limits.pass.as_millis(), limits.notify.as_millis()))
    }

    #[test]
    fn a_long_deadline_changes_nothing() {
        assert_eq!(of(60_000), Some((30_000, 10_000)));
    }

    #[test]
    fn passing_and_telling_end_before_a_short_one() {
        for left in [1_400, 1_500, 3_000, 10_000, 20_000, 40_000] {
            let (pass, notify) = of(left).unwrap();
            assert!(
                pass + notify + 400 <= u128::from(left) && notify >= u128::from(left) / 6,
                "{left}: {pass}, {notify}"
            );
        }
    }

    #[test]
    fn too_little_is_too_little() {
        assert_eq!(of(1_399), None);
        assert_eq!(of(100), None);
        assert_eq!(of(0), None);
    }
}
