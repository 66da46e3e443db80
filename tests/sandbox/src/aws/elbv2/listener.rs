//! Load balancers and their listeners, which forward to target groups by weight.
//!
//! A group is in use while a listener names it, whatever its weight; one load balancer at a time may use it.

use std::collections::BTreeSet;

use super::super::Account;
use super::super::error::AwsError;
use super::super::service::{Operation, Service};
use super::target::{Member, Phase, Registered};
use super::{validation, well_formed};
use crate::Millis;

const CREATE_BALANCER: Operation = Operation::elb_write("elasticloadbalancing:CreateLoadBalancer");
const DESCRIBE_BALANCERS: Operation = Operation::elb_read("elasticloadbalancing:DescribeLoadBalancers");
const CREATE_LISTENER: Operation = Operation::elb_write("elasticloadbalancing:CreateListener");
const MODIFY_LISTENER: Operation = Operation::elb_write("elasticloadbalancing:ModifyListener");
const DESCRIBE_LISTENERS: Operation = Operation::elb_read("elasticloadbalancing:DescribeListeners");

/// A Network Load Balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Its name in DNS.
    pub dns_name: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
}

/// A group that a listener forwards to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The group's ARN.
    pub group: String,
    /// 0 to 999; `None` if the listener names the group alone, without weights.
    pub weight: Option<u32>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// ARN.
    pub arn: String,
    /// The load balancer's ARN.
    pub load_balancer: String,
    /// e.g. `TCP`.
    pub protocol: String,
    /// The port it listens on.
    pub port: u16,
    /// Where it forwards to.
    pub forwards: Vec<Forward>,
    /// `TargetGroupStickinessConfig`, `Enabled`; `None` where it was not given.
    pub is_sticky: Option<bool>,
}

impl Account {
    /// `CreateLoadBalancer`, of type `network`.
    ///
    /// # Errors
    /// `DuplicateLoadBalancerName`, `ValidationError`.
    pub fn create_load_balancer(
        &mut self,
        now: Millis,
        name: &str,
        scheme: &str,
    ) -> Result<LoadBalancer, AwsError> {
        self.call(now, CREATE_BALANCER, name, |account| {
            if name.is_empty() || name.len() > 32 {
                return Err(validation(format!("The load balancer name '{name}' is not valid")));
            }
            if account.balancing.load_balancers.values().any(|known| known.name == name) {
                let words = format!(
                    "A load balancer with the same name '{name}' exists, but with different settings"
                );
                return Err(AwsError::new("DuplicateLoadBalancerName", words));
            }
            let id = account.next_id();
            let balancer = LoadBalancer {
                arn: account.elb_arn(&format!("loadbalancer/net/{name}/{id}")),
                name: name.to_owned(),
                dns_name: format!("{name}-{id}.elb.{}.amazonaws.com", account.region),
                scheme: scheme.to_owned(),
            };
            account.balancing.load_balancers.insert(balancer.arn.clone(), balancer.clone());
            Ok(balancer)
        })
    }

    /// `DescribeLoadBalancers`: all, or those named.
    ///
    /// # Errors
    /// `LoadBalancerNotFound`.
    pub fn describe_load_balancers(
        &mut self,
        now: Millis,
        arns: &[String],
        names: &[String],
    ) -> Result<Vec<LoadBalancer>, AwsError> {
        self.call(now, DESCRIBE_BALANCERS, "*", |account| {
            let known = &account.balancing.load_balancers;
            let missing = names.iter().any(|name| !known.values().any(|it| it.name == *name));
            if missing || arns.iter().any(|arn| !known.contains_key(arn)) {
                return Err(balancer_not_found());
            }
            let all = arns.is_empty() && names.is_empty();
            let wanted = |it: &&LoadBalancer| all || arns.contains(&it.arn) || names.contains(&it.name);
            Ok(known.values().filter(wanted).cloned().collect())
        })
    }

    /// `CreateListener`.
    ///
    /// # Errors
    /// `LoadBalancerNotFound`, `DuplicateListener`, `TargetGroupNotFound`, `TargetGroupAssociationLimit`, `ValidationError`.
    pub fn create_listener(
        &mut self,
        now: Millis,
        load_balancer: &str,
        protocol: &str,
        port: u16,
        forwards: Vec<Forward>,
    ) -> Result<Listener, AwsError> {
        self.call(now, CREATE_LISTENER, load_balancer, |account| {
            if !account.balancing.load_balancers.contains_key(load_balancer) {
                return Err(balancer_not_found());
            }
            let same = |it: &Listener| it.load_balancer == load_balancer && it.port == port;
            if account.balancing.listeners.values().any(same) {
                let words = "A listener already exists on this port for this load balancer";
                return Err(AwsError::new("DuplicateListener", words));
            }
            account.check_forwards(load_balancer, &forwards)?;
            let arn =
                format!("{}/{}", load_balancer.replace(":loadbalancer/", ":listener/"), account.next_id());
            let listener = Listener {
                arn: arn.clone(),
                load_balancer: load_balancer.to_owned(),
                protocol: protocol.to_owned(),
                port,
                forwards,
                is_sticky: None,
            };
            account.balancing.listeners.insert(arn, listener.clone());
            account.note_use(now);
            Ok(listener)
        })
    }

    /// `ModifyListener`: where it forwards to. The action is replaced whole: stickiness that is not given is off.
    ///
    /// # Errors
    /// `ListenerNotFound`, `TargetGroupNotFound`, `TargetGroupAssociationLimit`, `ValidationError`.
    pub fn modify_listener(
        &mut self,
        now: Millis,
        arn: &str,
        forwards: Vec<Forward>,
        is_sticky: Option<bool>,
    ) -> Result<Listener, AwsError> {
        self.call(now, MODIFY_LISTENER, arn, |account| {
            well_formed(arn, "listener/", "listener")?;
            let Some(known) = account.balancing.listeners.get(arn) else { return Err(listener_not_found()) };
            account.check_forwards(&known.load_balancer.clone(), &forwards)?;
            let Some(listener) = account.balancing.listeners.get_mut(arn) else {
                return Err(listener_not_found());
            };
            listener.forwards = forwards;
            listener.is_sticky = is_sticky;
            let answer = listener.clone();
            account.note_use(now);
            Ok(answer)
        })
    }

    /// `DescribeListeners`: those of a load balancer, or those named.
    ///
    /// # Errors
    /// `ListenerNotFound`, `LoadBalancerNotFound`, `ValidationError`.
    pub fn describe_listeners(
        &mut self,
        now: Millis,
        load_balancer: Option<&str>,
        arns: &[String],
    ) -> Result<Vec<Listener>, AwsError> {
        self.call(now, DESCRIBE_LISTENERS, "*", |account| {
            let known = &account.balancing.listeners;
            match load_balancer {
                Some(arn) if !account.balancing.load_balancers.contains_key(arn) => Err(balancer_not_found()),
                Some(arn) => Ok(known.values().filter(|it| it.load_balancer == arn).cloned().collect()),
                None if arns.is_empty() => {
                    Err(validation("You must specify either listener ARNs or a load balancer ARN"))
                }
                None => {
                    arns.iter().map(|arn| known.get(arn).cloned().ok_or_else(listener_not_found)).collect()
                }
            }
        })
    }

    fn check_forwards(&self, load_balancer: &str, forwards: &[Forward]) -> Result<(), AwsError> {
        let names: BTreeSet<&str> = forwards.iter().map(|forward| forward.group.as_str()).collect();
        if forwards.is_empty() || names.len() != forwards.len() {
            return Err(validation("A forward action needs one or more different target groups"));
        }
        for forward in forwards {
            if forward.weight.is_some_and(|weight| weight > 999) {
                return Err(validation("The target group weight must be between 0 and 999"));
            }
            let group = self.balancing.groups.get(&forward.group);
            let Some(group) = group else {
                let words = format!("Target group '{}' not found", forward.group);
                return Err(AwsError::new("TargetGroupNotFound", words));
            };
            if group.members.latest().load_balancer.as_ref().is_some_and(|user| user != load_balancer) {
                let words =
                    "The following target groups cannot be associated with more than one load balancer: ";
                return Err(AwsError::new(
                    "TargetGroupAssociationLimit",
                    format!("{words}{}", forward.group),
                ));
            }
        }
        Ok(())
    }

    /// Targets of a group that comes into use are registered with the load balancer from now on.
    fn note_use(&mut self, now: Millis) {
        let (delay, keep) = (self.settings.registration_delay, self.lag(Service::Elbv2));
        for (arn, group) in &mut self.balancing.groups {
            let names = |it: &&Listener| it.forwards.iter().any(|forward| forward.group == *arn);
            let user = self.balancing.listeners.values().find(names).map(|it| it.load_balancer.clone());
            if group.members.latest().load_balancer == user {
                continue;
            }
            let interval = group.made.health_check.interval();
            let members = group.members.change(now, keep);
            if user.is_none() {
                members.targets.retain(|_, member| matches!(member.phase, Phase::Registered(_)));
            }
            for registered in members.targets.values_mut().filter_map(Member::registered_mut) {
                *registered = Registered::new(now, delay, interval);
            }
            members.load_balancer = user;
        }
    }
}

fn balancer_not_found() -> AwsError {
    AwsError::new("LoadBalancerNotFound", "One or more load balancers not found")
}

fn listener_not_found() -> AwsError {
    AwsError::new("ListenerNotFound", "One or more listeners not found")
}
