//! EC2: instances, subnets, security groups and routes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::observed::Read;
use crate::values::arn::{InstanceId, VpcId};
use crate::values::failure::{Failure, Kind};

/// What was read of the networks of a place.
#[derive(Clone, Debug)]
pub struct Network {
    /// `DescribeInstances`: those that have the members' addresses, by address.
    pub instances: Read<BTreeMap<IpAddr, Vec<Instance>>>,
    /// `DescribeSecurityGroups`: those of the members' instances and of the load balancers and of the Lambda, by id.
    pub security_groups: Read<BTreeMap<String, SecurityGroup>>,
    /// `DescribeSubnets`: those of the load balancers and of the Lambda, by id.
    pub subnets: Read<BTreeMap<String, Subnet>>,
    /// `DescribeRouteTables`: those of the Lambda's VPC.
    pub route_tables: Read<Vec<RouteTable>>,
    /// `DescribeVpcEndpoints`: those of the Lambda's VPC.
    pub endpoints: Read<Vec<VpcEndpoint>>,
}

impl Network {
    /// One of which nothing was read yet, or nothing could be; why.
    #[must_use]
    pub fn unread(why: &str) -> Self {
        let failure = || Failure::new(Kind::Unavailable, "ec2:Describe*", "the network", why);
        Self {
            instances: Err(failure()),
            security_groups: Err(failure()),
            subnets: Err(failure()),
            route_tables: Err(failure()),
            endpoints: Err(failure()),
        }
    }
}

/// An EC2 instance, by the interface that has the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The VPC of the interface.
    pub vpc: Option<VpcId>,
    /// The subnet of the interface.
    pub subnet: Option<String>,
    /// Its Availability Zone.
    pub zone: Option<String>,
    /// The ids of the interface's security groups.
    pub security_groups: Vec<String>,
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityGroup {
    /// What it lets in.
    pub ingress: Vec<Rule>,
    /// What it lets out.
    pub egress: Vec<Rule>,
}

/// A rule of a security group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// `tcp`, `-1` for all, …
    pub protocol: String,
    /// The first port; absent for all.
    pub from: Option<u16>,
    /// The last port; absent for all.
    pub to: Option<u16>,
    /// Networks, as `10.0.0.0/16` or `fd00::/8`.
    pub networks: Vec<String>,
    /// The ids of security groups.
    pub groups: Vec<String>,
    /// The ids of prefix lists, whose networks were not read.
    pub prefix_lists: Vec<String>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its VPC.
    pub vpc: VpcId,
    /// Its Availability Zone.
    pub zone: String,
    /// Its networks.
    pub networks: Vec<String>,
}

/// A route table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    /// Its VPC.
    pub vpc: VpcId,
    /// Whether it serves the subnets that have none of their own.
    pub is_main: bool,
    /// The subnets that have it.
    pub subnets: Vec<String>,
    /// Where its active routes lead: a network or a prefix list, and `local` or the id of a gateway.
    pub routes: Vec<(String, String)>,
}

/// An endpoint of a service in a VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcEndpoint {
    /// Its VPC.
    pub vpc: VpcId,
    /// Such as `com.amazonaws.eu-west-1.sns`.
    pub service: String,
    /// `available`, `pending`, …
    pub state: String,
    /// `Interface` or `Gateway`.
    pub kind: String,
}
