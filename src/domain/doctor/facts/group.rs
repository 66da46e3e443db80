//! Target groups.

use std::fmt;

use super::attributes::Attributes;
use crate::observed::Read;
use crate::values::arn::VpcId;
use crate::values::target::{HealthCheck, Target};

/// What was read of a target group.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// `DescribeTargetGroups`.
    pub group: Read<GroupDescription>,
    /// `DescribeTargetGroupAttributes`.
    pub attributes: Read<Attributes>,
    /// `DescribeTargetHealth`.
    pub targets: Read<Vec<TargetState>>,
}

/// A target group (Elastic Load Balancing API, `TargetGroup`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// `TCP`, `TLS`, …
    pub protocol: String,
    /// The port for targets that are registered without one.
    pub port: Option<u16>,
    /// `ip`, `instance`, `alb`, `lambda`.
    pub target_type: String,
    /// The VPC of its targets.
    pub vpc: Option<VpcId>,
    /// The ARNs of the load balancers that forward to it.
    pub balancers: Vec<String>,
    /// How it finds out which targets are healthy.
    pub check: Probe,
}

/// A health check with its rhythm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// `TCP`, `HTTP` or `HTTPS`.
    pub protocol: String,
    /// A number, or `traffic-port`.
    pub port: String,
    /// For HTTP.
    pub path: Option<String>,
    /// The HTTP status codes of a healthy target, such as `200-399`.
    pub codes: Option<String>,
    /// Seconds between two of them.
    pub interval_seconds: u32,
    /// Seconds after which one counts as failed.
    pub timeout_seconds: u32,
    /// How many make a target healthy.
    pub healthy_threshold: u32,
    /// How many make it unhealthy.
    pub unhealthy_threshold: u32,
}

impl From<&Probe> for HealthCheck {
    fn from(check: &Probe) -> Self {
        let Probe { protocol, port, path, codes, .. } = check.clone();
        Self { protocol, port, path, codes }
    }
}

/// A target with its health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetState {
    /// Which target.
    pub target: Target,
    /// `initial`, `healthy`, `unhealthy`, `unhealthy.draining`, `unused`, `draining`, `unavailable`, or a newer word.
    pub state: String,
    /// The reason code.
    pub reason: Option<String>,
    /// Its Availability Zone, or `all`.
    pub zone: Option<String>,
    /// The state of an administrative override, such as a zonal shift: `zonal_shift_active`.
    pub administrative_override: Option<String>,
}

impl TargetState {
    /// Whether it is registered: a draining one finishes what it has.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.state != "draining"
    }

    /// Whether the load balancer sends connections to it.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.state == "healthy"
    }

    /// Whether its health checks have just begun.
    #[must_use]
    pub fn is_initial(&self) -> bool {
        self.state == "initial"
    }
}

impl fmt::Display for TargetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.target, self.state)?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}
