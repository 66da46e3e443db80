//! How each face is triggered, and how it hands over.

use std::path::PathBuf;
use std::time::Duration;

use repoint_domain::values::arn::TopicArn;

/// The daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// How often Patroni is asked.
    pub interval: Duration,
    /// How often AWS is asked although nothing seems to have changed.
    pub audit_interval: Duration,
    /// How long a pass under way may go on after SIGTERM.
    pub grace: Duration,
    /// Where callbacks tell the daemon to look.
    pub socket: PathBuf,
}

/// Patroni's callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// To whom it hands over.
    pub mode: CallbackMode,
}

/// To whom a callback hands over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackMode {
    /// To the daemon on this host; to itself if it does not answer.
    Daemon,
    /// To an SNS topic, which triggers the Lambda.
    Sns(TopicArn),
    /// To itself, detached.
    Detached,
}

/// The Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lambda {
    /// Whether an invocation fails when a cluster is held.
    pub fail_on_hold: bool,
}
