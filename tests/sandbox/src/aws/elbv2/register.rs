//! `RegisterTargets` and `DeregisterTargets`.
//!
//! A request is checked whole before anything is changed; registering what is registered and deregistering what is
//! not there both succeed and change nothing (ELB API).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::Account;
use super::super::ec2::InstanceState;
use super::super::error::AwsError;
use super::super::network;
use super::super::service::{Operation, Service};
use super::group::{IpAddressType, NewTargetGroup, TargetType};
use super::target::{Member, Phase, Registered, Target, TargetDescription};
use super::validation;
use crate::Millis;

const REGISTER: Operation = Operation::elb_write("elasticloadbalancing:RegisterTargets");
const DEREGISTER: Operation = Operation::elb_write("elasticloadbalancing:DeregisterTargets");

impl Account {
    /// `RegisterTargets`. A draining target may be registered again; it starts over.
    ///
    /// # Errors
    /// `TargetGroupNotFound`, `InvalidTarget`, `ValidationError`.
    pub fn register_targets(
        &mut self,
        now: Millis,
        arn: &str,
        targets: &[TargetDescription],
    ) -> Result<(), AwsError> {
        self.call(now, REGISTER, arn, |account| {
            let made = &account.group(arn)?.made;
            let (port, interval) = (made.port, made.health_check.interval());
            let mut admitted = Vec::new();
            for target in targets {
                let zone = match made.target_type {
                    TargetType::Ip => account.zone_of_address(made, target)?,
                    TargetType::Instance => account.zone_of_instance(made, target)?,
                };
                admitted.push((Target { id: target.id.clone(), port: target.port.unwrap_or(port) }, zone));
            }
            let (delay, keep) = (account.settings.registration_delay, account.lag(Service::Elbv2));
            let group = account.group_mut(arn)?;
            admitted.retain(|(target, _)| {
                let known = group.members.latest().targets.get(target);
                !matches!(known, Some(Member { phase: Phase::Registered(_), .. }))
            });
            if admitted.is_empty() {
                return Ok(());
            }
            let members = group.members.change(now, keep);
            members.targets.retain(|_, member| !member.is_gone(now));
            for (target, zone) in admitted {
                let phase = Phase::Registered(Registered::new(now, delay, interval));
                members.targets.insert(target, Member { zone, phase });
            }
            Ok(())
        })
    }

    /// `DeregisterTargets`. Without a port, all registrations of that id on the group's port.
    ///
    /// # Errors
    /// `TargetGroupNotFound`, `ValidationError`.
    pub fn deregister_targets(
        &mut self,
        now: Millis,
        arn: &str,
        targets: &[TargetDescription],
    ) -> Result<(), AwsError> {
        self.call(now, DEREGISTER, arn, |account| {
            let keep = account.lag(Service::Elbv2);
            let group = account.group_mut(arn)?;
            let until = now + group.seconds("deregistration_delay.timeout_seconds");
            let port = group.made.port;
            let leaving: Vec<Target> = targets
                .iter()
                .map(|target| Target { id: target.id.clone(), port: target.port.unwrap_or(port) })
                .filter(|target| {
                    let known = group.members.latest().targets.get(target);
                    matches!(known, Some(Member { phase: Phase::Registered(_), .. }))
                })
                .collect();
            if leaving.is_empty() {
                return Ok(());
            }
            let members = group.members.change(now, keep);
            members.targets.retain(|_, member| !member.is_gone(now));
            for target in leaving {
                // A target that no load balancer uses has no connections to wait for.
                if members.load_balancer.is_none() {
                    members.targets.remove(&target);
                } else if let Some(member) = members.targets.get_mut(&target) {
                    member.phase = Phase::Draining { since: now, until };
                }
            }
            Ok(())
        })
    }

    /// The zone that AWS fills in. Words as clients have met them (aws-load-balancer-controller#561, #3714).
    fn zone_of_address(
        &self,
        group: &NewTargetGroup,
        target: &TargetDescription,
    ) -> Result<Option<String>, AwsError> {
        let id = &target.id;
        let (family, parsed) = match group.ip_address_type {
            IpAddressType::Ipv4 => ("IPv4", id.parse::<Ipv4Addr>().map(IpAddr::V4)),
            IpAddressType::Ipv6 => ("IPv6", id.parse::<Ipv6Addr>().map(IpAddr::V6)),
        };
        let Ok(address) = parsed else {
            return Err(AwsError::new(
                "InvalidTarget",
                format!("The IP address '{id}' is not a valid {family} address"),
            ));
        };
        let network = self.network_of(group.vpc.as_deref());
        match (network.zone(address), target.availability_zone.as_deref()) {
            (Some(inside), None) => Ok(Some(inside.to_owned())),
            (Some(inside), Some(asked)) if inside == asked => Ok(Some(inside.to_owned())),
            (Some(inside), Some(asked)) => Err(validation(format!(
                "The IP address '{id}' is within the VPC, and cannot have its Availability Zone overridden to \
                 '{asked}' from '{inside}'"
            ))),
            (None, _) if !network::is_private(address) => Err(AwsError::new(
                "InvalidTarget",
                format!("The IP address '{id}' is not a private IP address, and is not in the VPC"),
            )),
            (None, Some(asked)) => Ok(Some(asked.to_owned())),
            (None, None) => Err(validation(format!(
                "The Availability Zone is required for IP address '{id}' because it is not in the VPC"
            ))),
        }
    }

    /// An instance's zone cannot be given by the caller, and is not returned.
    fn zone_of_instance(
        &self,
        group: &NewTargetGroup,
        target: &TargetDescription,
    ) -> Result<Option<String>, AwsError> {
        let id = &target.id;
        let vpc = &self.network_of(group.vpc.as_deref()).vpc;
        if self.instance_vpc(id).is_some_and(|its| its != *vpc) {
            let words = format!("The following targets are not in the target group VPC '{vpc}': '{id}'");
            return Err(AwsError::new("InvalidTarget", words));
        }
        let words = match self.instance_state(id) {
            Some(InstanceState::Running) if target.availability_zone.is_some() => {
                return Err(validation(
                    "You cannot specify an Availability Zone for a target of type 'instance'",
                ));
            }
            Some(InstanceState::Running) => return Ok(None),
            Some(_) => {
                format!("The following targets are not in a running state and cannot be registered: '{id}'")
            }
            None => format!("The instance ID '{id}' is not valid"),
        };
        Err(AwsError::new("InvalidTarget", words))
    }
}
