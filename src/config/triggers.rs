//! How each entry point is triggered.

use std::path::PathBuf;
use std::time::Duration;

use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::function::FunctionName;

/// The daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// How often Patroni is asked.
    pub interval: Duration,
    /// How often AWS is asked even if nothing has changed.
    pub audit_interval: Duration,
    /// How long a running pass may continue after SIGTERM.
    pub grace: Duration,
    /// The socket where callbacks trigger the daemon.
    pub socket: PathBuf,
}

/// Patroni's callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// How it triggers a check.
    pub mode: CallbackMode,
}

/// How a callback triggers a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackMode {
    /// Through the daemon on this host, or in a process of its own if the daemon does not answer.
    Daemon,
    /// Through an SNS topic, which calls the Lambda.
    Sns(TopicArn),
    /// In a process of its own, detached from Patroni.
    Detached,
}

/// The Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lambda {
    /// Whether an invocation fails if a cluster is held.
    pub fail_on_hold: bool,
    /// The function itself, for doctor.
    pub function: Option<FunctionName>,
    /// The group of the schedules that call it, for doctor.
    pub schedule_group: Option<String>,
}
