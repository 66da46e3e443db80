//! Load balancers and their listeners.

use super::attributes::Attributes;
use crate::observed::Read;
use crate::values::arn::VpcId;

/// What was read of a load balancer.
#[derive(Clone, Debug)]
pub struct BalancerFacts {
    /// `DescribeLoadBalancers`.
    pub balancer: Read<BalancerDescription>,
    /// `DescribeLoadBalancerAttributes`.
    pub attributes: Read<Attributes>,
    /// `DescribeListeners`.
    pub listeners: Read<Vec<ListenerFacts>>,
}

/// A load balancer (Elastic Load Balancing API, `LoadBalancer`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancerDescription {
    /// Its name.
    pub name: String,
    /// `network`, `application` or `gateway`.
    pub kind: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// `active`, `provisioning`, `failed`, …
    pub state: String,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Its DNS name.
    pub dns_name: String,
    /// The hosted zone of its DNS name, which an alias names.
    pub zone: Option<String>,
    /// Its Availability Zones by name, with the subnet in each.
    pub subnets: Vec<(String, String)>,
    /// The ids of its security groups; none for one that was created without.
    pub security_groups: Vec<String>,
}

/// A listener.
#[derive(Clone, Debug)]
pub struct ListenerFacts {
    /// Its ARN.
    pub arn: String,
    /// `TCP`, `TLS`, …
    pub protocol: String,
    /// The port that clients connect to.
    pub port: Option<u16>,
    /// The ARNs of the target groups that it forwards to.
    pub groups: Vec<String>,
    /// `DescribeListenerAttributes`.
    pub attributes: Read<Attributes>,
}
