//! A target's states: registered, checked, draining, deregistered.
//!
//! What a target is at a time is worked out from this and the time; nothing needs a timer to fire.

use crate::Millis;

/// An address or instance with a port: what makes a registration unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// IP address or instance id.
    pub id: String,
    /// Port.
    pub port: u16,
}

/// A target as a request names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetDescription {
    /// IP address or instance id.
    pub id: String,
    /// `None` is the group's port.
    pub port: Option<u16>,
    /// A zone, or `all`.
    pub availability_zone: Option<String>,
}

impl TargetDescription {
    /// Without a zone.
    #[must_use]
    pub fn new(id: &str, port: u16) -> Self {
        Self { id: id.to_owned(), port: Some(port), availability_zone: None }
    }
}

/// `TargetHealthStateEnum`, as far as a Network Load Balancer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Being registered, or checked for the first time.
    Initial,
    /// Gets traffic.
    Healthy,
    /// Failed its checks.
    Unhealthy,
    /// Failed its checks, and keeps its connections for a while.
    UnhealthyDraining,
    /// Not registered, or its group is on no listener, or its instance does not run.
    Unused,
    /// Deregistered, and keeps its connections for a while.
    Draining,
}

impl State {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::UnhealthyDraining => "unhealthy.draining",
            Self::Unused => "unused",
            Self::Draining => "draining",
        }
    }
}

/// `TargetHealthReasonEnum`, as far as a Network Load Balancer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No check yet.
    RegistrationInProgress,
    /// Not enough checks yet.
    InitialHealthChecking,
    /// Enough checks failed.
    FailedHealthChecks,
    /// It was asked for, and is not registered.
    NotRegistered,
    /// Its group is on no listener.
    NotInUse,
    /// Its instance does not run.
    InvalidState,
    /// It was deregistered.
    DeregistrationInProgress,
}

impl Reason {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RegistrationInProgress => "Elb.RegistrationInProgress",
            Self::InitialHealthChecking => "Elb.InitialHealthChecking",
            Self::FailedHealthChecks => "Target.FailedHealthChecks",
            Self::NotRegistered => "Target.NotRegistered",
            Self::NotInUse => "Target.NotInUse",
            Self::InvalidState => "Target.InvalidState",
            Self::DeregistrationInProgress => "Target.DeregistrationInProgress",
        }
    }

    /// For a reader.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::RegistrationInProgress => "Target registration is in progress",
            Self::InitialHealthChecking => "Initial health checks in progress",
            Self::FailedHealthChecks => "Health checks failed",
            Self::NotRegistered => "Target is not registered to the target group",
            Self::NotInUse => "Target group is not configured to receive traffic from the load balancer",
            Self::InvalidState => "Target is in the stopped state",
            Self::DeregistrationInProgress => "Target deregistration is in progress",
        }
    }
}

/// A line of `DescribeTargetHealth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    /// Which.
    pub target: Target,
    /// Filled in by AWS for `ip` targets.
    pub availability_zone: Option<String>,
    /// The port that is checked.
    pub health_check_port: u16,
    /// State.
    pub state: State,
    /// Why, unless healthy.
    pub reason: Option<Reason>,
}

/// A registration.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) zone: Option<String>,
    pub(super) phase: Phase,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    Registered(Registered),
    Draining { since: Millis, until: Millis },
}

#[derive(Clone, Debug)]
pub(super) struct Registered {
    /// From here on it is checked.
    pub(super) ready_at: Millis,
    pub(super) next_check: Millis,
    pub(super) health: Health,
    /// Checks in a row that spoke against `health` (or, while that is unknown, the last result and how often).
    pub(super) streak: (bool, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Unknown,
    Healthy,
    Unhealthy { since: Millis },
}

impl Registered {
    /// Just registered, or its group just put on a listener.
    pub(super) fn new(now: Millis, delay: Millis, interval: Millis) -> Self {
        let ready_at = now + delay;
        Self { ready_at, next_check: ready_at + interval, health: Health::Unknown, streak: (false, 0) }
    }
}

impl Member {
    /// Draining is over, and nothing shows it any more.
    pub(super) fn is_gone(&self, now: Millis) -> bool {
        matches!(self.phase, Phase::Draining { until, .. } if until <= now)
    }

    pub(super) fn registered_mut(&mut self) -> Option<&mut Registered> {
        match &mut self.phase {
            Phase::Registered(registered) => Some(registered),
            Phase::Draining { .. } => None,
        }
    }
}
