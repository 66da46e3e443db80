//! Target groups and their targets.
//!
//! A target is its id and its port, nothing else: AWS fills in the Availability Zone itself.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::values::arn::VpcId;
use crate::values::cluster::Address;

/// What the targets of a group are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetType {
    /// IP addresses.
    Ip,
    /// EC2 instances.
    Instance,
}

/// The family of the addresses that a group takes (`TargetGroup`, `IpAddressType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// `ipv4`.
    Ipv4,
    /// `ipv6`.
    Ipv6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// A target: what `RegisterTargets` and `DeregisterTargets` take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// An IP address or an instance id.
    pub id: String,
    /// The port on which it gets traffic.
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Address { host: self.id.clone(), port: self.port }.fmt(f)
    }
}

/// A target as `DescribeTargetHealth` lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetHealth {
    /// Which target.
    pub target: Target,
    /// `initial`, `healthy`, `unhealthy`, `unhealthy.draining`, `unused`, `draining`, `unavailable`, or a newer word.
    pub state: String,
    /// The reason code, such as `Target.FailedHealthChecks`.
    pub reason: Option<String>,
}

impl TargetHealth {
    /// Whether the target has been deregistered and only finishes what it has: it counts as absent, and may be
    /// registered again. `unhealthy.draining` is another thing: still registered.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.state == "draining"
    }
}

/// How a target group finds out whether a target is healthy (`DescribeTargetGroups`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// `TCP`, `HTTP` or `HTTPS`.
    pub protocol: String,
    /// A number, or `traffic-port`.
    pub port: String,
    /// For HTTP.
    pub path: Option<String>,
    /// The HTTP status codes of a healthy target, such as `200-399`.
    pub codes: Option<String>,
}

/// What never changes of a target group: a new one has another ARN (ELB API, `TargetGroup`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupKind {
    /// What its targets are.
    pub target_type: TargetType,
    /// The family of the addresses that it takes.
    pub family: Family,
    /// The VPC of its targets; unknown where nothing rests on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<VpcId>,
}

/// A target group as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// What its targets are.
    pub target_type: TargetType,
    /// The family of the addresses that it takes.
    pub family: Family,
    /// The VPC of its targets; unknown where nothing rests on it.
    pub vpc: Option<VpcId>,
    /// Its targets, draining ones included.
    pub targets: Vec<TargetHealth>,
    /// Its health check; read only where something rests on it.
    pub check: Option<HealthCheck>,
}

impl TargetGroup {
    /// A group of that kind, of whose targets nothing is known.
    #[must_use]
    pub fn unread(kind: &GroupKind) -> Self {
        let GroupKind { target_type, family, vpc } = kind.clone();
        Self { target_type, family, vpc, targets: Vec::new(), check: None }
    }

    /// What never changes of it.
    #[must_use]
    pub fn kind(&self) -> GroupKind {
        GroupKind { target_type: self.target_type, family: self.family, vpc: self.vpc.clone() }
    }

    /// The targets that are registered: draining ones are on their way out.
    pub fn registered(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|health| !health.is_draining()).map(|health| &health.target)
    }
}
