//! Notifications to systemd (`sd_notify(3)`).
//!
//! repoint reports its own time limits, so that the unit need not be configured for them. Without systemd nothing is
//! sent.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

/// How far something may exceed its own deadline before systemd kills it.
const MARGIN: Duration = Duration::from_secs(5);

/// Sends a notification.
pub fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "systemd could not be notified");
    }
}

/// Extends the timeout of a start or a stop beyond that of the unit (`TimeoutStartSec`, `TimeoutStopSec`).
pub fn may_take(time: Duration) -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from((time + MARGIN).as_micros()).unwrap_or(u32::MAX))
}
