//! What systemd is told (`sd_notify(3)`).
//!
//! Law: it is told how long repoint may take, and need not be configured to know it. Where there is no systemd, nothing is
//! told.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

/// What ends by its own deadline may be late by this before systemd kills it.
const MARGIN: Duration = Duration::from_secs(5);

/// Tells systemd this.
pub fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "systemd was not told");
    }
}

/// What is under way, a start or an end, may take this long although the unit says less (`TimeoutStartSec`,
/// `TimeoutStopSec`).
pub fn may_take(time: Duration) -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from((time + MARGIN).as_micros()).unwrap_or(u32::MAX))
}
