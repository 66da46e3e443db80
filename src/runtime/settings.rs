//! How passes are made, and whether they may write.

use std::time::Duration;

use repoint_domain::alerts::Rules;

/// How passes are made.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest that a pass may take, notifying left out.
    pub limit: Duration,
    /// The longest that notifying may take. It comes after the limit: that a pass ran out of time is itself worth an alert.
    pub notify_within: Duration,
    /// Whether the state store must be available before anything is written.
    pub needs_state: bool,
    /// When alerts are published.
    pub alerts: Rules,
}

/// Whether a pass may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It changes what differs, and publishes alerts.
    Apply,
    /// It reports what it would change.
    DryRun,
}
