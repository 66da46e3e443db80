//! Network Load Balancers: target groups, targets, load balancers, listeners.
//!
//! A target's state follows from when it was registered, from what its health checks found, and from whether its
//! group is on a listener. Nothing is faster here than AWS says it is.
//! Sources: the ELB API reference (version 2015-12-01) and the NLB guide, "Target health status".

pub mod group;
pub mod health;
pub mod listener;
pub mod register;
pub mod routes;
pub mod target;

use std::collections::BTreeMap;

use self::group::Group;
use self::listener::{Listener, LoadBalancer};
use super::Account;
use super::error::AwsError;

/// What the account has of Elastic Load Balancing, by ARN.
#[derive(Clone, Debug, Default)]
pub(super) struct Balancing {
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) load_balancers: BTreeMap<String, LoadBalancer>,
    pub(super) listeners: BTreeMap<String, Listener>,
}

impl Account {
    fn elb_arn(&self, rest: &str) -> String {
        format!("arn:{}:elasticloadbalancing:{}:{}:{rest}", self.partition(), self.region, self.id)
    }

    fn group(&self, arn: &str) -> Result<&Group, AwsError> {
        well_formed(arn, "targetgroup/", "target group")?;
        self.balancing.groups.get(arn).ok_or_else(group_not_found)
    }

    fn group_mut(&mut self, arn: &str) -> Result<&mut Group, AwsError> {
        well_formed(arn, "targetgroup/", "target group")?;
        self.balancing.groups.get_mut(arn).ok_or_else(group_not_found)
    }
}

fn group_not_found() -> AwsError {
    AwsError::new("TargetGroupNotFound", "One or more target groups not found")
}

fn validation(message: impl Into<String>) -> AwsError {
    AwsError::new("ValidationError", message)
}

/// `arn:partition:elasticloadbalancing:region:account:kind/…`.
fn well_formed(arn: &str, kind: &str, noun: &str) -> Result<(), AwsError> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "elasticloadbalancing", _, _, rest] if rest.starts_with(kind) => Ok(()),
        _ => Err(validation(format!("'{arn}' is not a valid {noun} ARN"))),
    }
}
