//! Target groups: their settings and their targets.
//!
//! The set-up is checked when it is given, so that the rest can rely on it.

use std::collections::BTreeMap;

use super::super::Account;
use super::super::error::AwsError;
use super::super::history::History;
use super::super::service::Operation;
use super::target::{Member, Target};
use super::{group_not_found, validation, well_formed};
use crate::Millis;

const CREATE: Operation = Operation::elb_write("elasticloadbalancing:CreateTargetGroup");
const DESCRIBE: Operation = Operation::elb_read("elasticloadbalancing:DescribeTargetGroups");
const MODIFY_ATTRIBUTES: Operation = Operation::elb_write("elasticloadbalancing:ModifyTargetGroupAttributes");
const DESCRIBE_ATTRIBUTES: Operation =
    Operation::elb_read("elasticloadbalancing:DescribeTargetGroupAttributes");

/// What a target's id is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetType {
    /// An EC2 instance id.
    #[default]
    Instance,
    /// An IP address.
    Ip,
}

impl TargetType {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Ip => "ip",
        }
    }
}

/// The family of its addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpAddressType {
    /// `ipv4`.
    #[default]
    Ipv4,
    /// `ipv6`.
    Ipv6,
}

impl IpAddressType {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// How targets are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// `TCP`, `HTTP` or `HTTPS`.
    pub protocol: String,
    /// `None` is the port of the target (`traffic-port`).
    pub port: Option<u16>,
    /// For HTTP.
    pub path: Option<String>,
    /// 5 to 300.
    pub interval_seconds: u64,
    /// 2 to 120.
    pub timeout_seconds: u64,
    /// 2 to 10 successes in a row.
    pub healthy_threshold: u32,
    /// 2 to 10 failures in a row.
    pub unhealthy_threshold: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            protocol: "TCP".to_owned(),
            port: None,
            path: None,
            interval_seconds: 30,
            timeout_seconds: 10,
            healthy_threshold: 5,
            unhealthy_threshold: 2,
        }
    }
}

impl HealthCheck {
    /// `GET path` on `port`, as fast as AWS allows: 5 s, two in a row.
    #[must_use]
    pub fn fastest_http(port: u16, path: &str) -> Self {
        Self {
            protocol: "HTTP".to_owned(),
            port: Some(port),
            path: Some(path.to_owned()),
            interval_seconds: 5,
            timeout_seconds: 2,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
        }
    }

    pub(super) fn interval(&self) -> Millis {
        self.interval_seconds * 1000
    }

    fn check(&self) -> Result<(), AwsError> {
        let within = |name: &str, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            let bound = if value < low {
                format!("greater than or equal to {low}")
            } else {
                format!("less than or equal to {high}")
            };
            Err(validation(format!(
                "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must \
                 have value {bound}"
            )))
        };
        within("healthCheckIntervalSeconds", self.interval_seconds, 5, 300)?;
        within("healthCheckTimeoutSeconds", self.timeout_seconds, 2, 120)?;
        within("healthyThresholdCount", self.healthy_threshold.into(), 2, 10)?;
        within("unhealthyThresholdCount", self.unhealthy_threshold.into(), 2, 10)?;
        if self.timeout_seconds > self.interval_seconds {
            return Err(validation(format!(
                "Health check timeout '{}' must be smaller than or equal to the interval '{}'",
                self.timeout_seconds, self.interval_seconds
            )));
        }
        if !["TCP", "HTTP", "HTTPS"].contains(&self.protocol.as_str()) {
            return Err(validation(format!(
                "Health check protocol '{}' must be one of 'HTTP, HTTPS, TCP'",
                self.protocol
            )));
        }
        Ok(())
    }
}

/// A target group to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTargetGroup {
    /// At most 32 letters, digits and hyphens.
    pub name: String,
    /// `ip` or `instance`.
    pub target_type: TargetType,
    /// `ipv4` or `ipv6`.
    pub ip_address_type: IpAddressType,
    /// The VPC of its targets; the default one if none is given.
    pub vpc: Option<String>,
    /// e.g. `TCP`.
    pub protocol: String,
    /// For targets registered without a port.
    pub port: u16,
    /// How targets are checked.
    pub health_check: HealthCheck,
}

/// A target group as it is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// ARN.
    pub arn: String,
    /// As it was made.
    pub made: NewTargetGroup,
    /// The load balancers whose listeners forward to it.
    pub load_balancers: Vec<String>,
}

#[derive(Clone, Debug)]
pub(in crate::aws) struct Group {
    pub(super) made: NewTargetGroup,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) members: History<Members>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    pub(super) targets: BTreeMap<Target, Member>,
    /// The load balancer that uses the group.
    pub(super) load_balancer: Option<String>,
}

/// Attributes, and what a Network Load Balancer's group starts with (ELB API, `TargetGroupAttribute`).
const ATTRIBUTES: [(&str, &str); 8] = [
    ("deregistration_delay.timeout_seconds", "300"),
    ("deregistration_delay.connection_termination.enabled", "false"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
    ("preserve_client_ip.enabled", ""),
    ("proxy_protocol_v2.enabled", "false"),
    ("stickiness.enabled", "false"),
    ("target_health_state.unhealthy.connection_termination.enabled", "true"),
    ("target_health_state.unhealthy.draining_interval_seconds", "0"),
];

impl Group {
    pub(super) fn seconds(&self, attribute: &str) -> Millis {
        self.attributes.get(attribute).and_then(|value| value.parse::<Millis>().ok()).unwrap_or_default()
            * 1000
    }
}

impl Account {
    /// `CreateTargetGroup`; the answer has its ARN. Asked again for the same, it answers the same.
    ///
    /// # Errors
    /// `DuplicateTargetGroupName`, `ValidationError`.
    pub fn create_target_group(&mut self, now: Millis, new: NewTargetGroup) -> Result<TargetGroup, AwsError> {
        self.call(now, CREATE, &new.name.clone(), |account| {
            let usable = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if new.name.is_empty() || new.name.len() > 32 || !new.name.chars().all(usable) {
                return Err(validation(format!("Target group name '{}' is not valid", new.name)));
            }
            new.health_check.check()?;
            if let Some((arn, group)) =
                account.balancing.groups.iter().find(|(_, it)| it.made.name == new.name)
            {
                if group.made == new {
                    return Ok(described(arn, group));
                }
                let words = format!(
                    "A target group with the same name '{}' exists, but with different settings",
                    new.name
                );
                return Err(AwsError::new("DuplicateTargetGroupName", words));
            }
            let id = account.next_id();
            let arn = account.elb_arn(&format!("targetgroup/{}/{id}", new.name));
            let mut attributes: BTreeMap<String, String> =
                ATTRIBUTES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let preserves = new.target_type == TargetType::Instance;
            attributes.insert("preserve_client_ip.enabled".to_owned(), preserves.to_string());
            let group = Group { made: new, attributes, members: History::new(now, Members::default()) };
            let answer = described(&arn, &group);
            account.balancing.groups.insert(arn, group);
            Ok(answer)
        })
    }

    /// `DescribeTargetGroups`: all, or those named.
    ///
    /// # Errors
    /// `TargetGroupNotFound` if one of them is not there, `ValidationError`.
    pub fn describe_target_groups(
        &mut self,
        now: Millis,
        arns: &[String],
        names: &[String],
    ) -> Result<Vec<TargetGroup>, AwsError> {
        self.call(now, DESCRIBE, "*", |account| {
            let groups = &account.balancing.groups;
            for arn in arns {
                well_formed(arn, "targetgroup/", "target group")?;
                groups.get(arn).ok_or_else(group_not_found)?;
            }
            if names.iter().any(|name| !groups.values().any(|group| group.made.name == *name)) {
                return Err(group_not_found());
            }
            let all = arns.is_empty() && names.is_empty();
            let wanted =
                |arn: &String, group: &Group| all || arns.contains(arn) || names.contains(&group.made.name);
            Ok(groups
                .iter()
                .filter(|(arn, it)| wanted(arn, it))
                .map(|(arn, it)| described(arn, it))
                .collect())
        })
    }

    /// `DescribeTargetGroupAttributes`.
    ///
    /// # Errors
    /// `TargetGroupNotFound`, `ValidationError`.
    pub fn describe_target_group_attributes(
        &mut self,
        now: Millis,
        arn: &str,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        self.call(now, DESCRIBE_ATTRIBUTES, "*", |account| Ok(account.group(arn)?.attributes.clone()))
    }

    /// `ModifyTargetGroupAttributes`; the answer has all attributes.
    ///
    /// # Errors
    /// `TargetGroupNotFound`, `ValidationError`.
    pub fn modify_target_group_attributes(
        &mut self,
        now: Millis,
        arn: &str,
        changes: &[(String, String)],
    ) -> Result<BTreeMap<String, String>, AwsError> {
        self.call(now, MODIFY_ATTRIBUTES, arn, |account| {
            let group = account.group_mut(arn)?;
            for (name, value) in changes {
                if !ATTRIBUTES.iter().any(|(known, _)| known == name) {
                    return Err(validation(format!("Target group attribute key '{name}' is not recognized")));
                }
                let limit = match name.as_str() {
                    "deregistration_delay.timeout_seconds" => 3600,
                    "target_health_state.unhealthy.draining_interval_seconds" => 360_000,
                    _ => continue,
                };
                if !value.parse::<u64>().is_ok_and(|seconds| seconds <= limit) {
                    let words = format!("'{name}' must be between '0' and '{limit}' inclusive");
                    return Err(validation(words));
                }
            }
            group.attributes.extend(changes.iter().cloned());
            Ok(group.attributes.clone())
        })
    }
}

fn described(arn: &str, group: &Group) -> TargetGroup {
    let load_balancers = group.members.latest().load_balancer.iter().cloned().collect();
    TargetGroup { arn: arn.to_owned(), made: group.made.clone(), load_balancers }
}
