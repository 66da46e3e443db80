//! Target groups, load balancers and listeners.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ForwardActionConfig, Listener, LoadBalancer, TargetGroup, TargetHealthDescription,
};
use futures::future::join_all;

use super::{Inspect, not_listed, number, port, text};
use repoint_domain::doctor::facts::attributes::Attributes;
use repoint_domain::doctor::facts::balancer::{BalancerDescription, ListenerFacts};
use repoint_domain::doctor::facts::group::{GroupDescription, Probe, TargetState};
use repoint_domain::observed::Read;
use repoint_domain::values::arn::{GroupArn, VpcId};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::target::Target;

const GROUPS: &str = "elasticloadbalancing:DescribeTargetGroups";
const GROUP_ATTRIBUTES: &str = "elasticloadbalancing:DescribeTargetGroupAttributes";
const HEALTH: &str = "elasticloadbalancing:DescribeTargetHealth";
const BALANCERS: &str = "elasticloadbalancing:DescribeLoadBalancers";
const BALANCER_ATTRIBUTES: &str = "elasticloadbalancing:DescribeLoadBalancerAttributes";
const LISTENERS: &str = "elasticloadbalancing:DescribeListeners";
const LISTENER_ATTRIBUTES: &str = "elasticloadbalancing:DescribeListenerAttributes";

/// How many groups are asked for in one request: as many as AWS takes load balancers (`DescribeLoadBalancers`,
/// `LoadBalancerArns`); for groups it names no number.
const GROUPS_AT_ONCE: usize = 20;
/// The most load balancers of one page (`DescribeLoadBalancers`, `PageSize`).
const PAGE: i32 = 400;

macro_rules! attributes {
    ($answer:expr) => {
        $answer
            .attributes()
            .iter()
            .filter_map(|attribute| Some((attribute.key()?, attribute.value()?)))
            .collect::<Attributes>()
    };
}

impl Inspect {
    /// What each of the groups is. They are asked for together; if one of them does not exist, AWS refuses them all, so each
    /// is then asked for alone.
    pub async fn groups(&self, arns: &[GroupArn]) -> Vec<(GroupArn, Read<GroupDescription>)> {
        let some = |arns: &'_ [GroupArn]| {
            let arns = arns.to_vec();
            async move {
                match self.groups_together(&arns).await {
                    Err(failure) if failure.kind == Kind::NotFound && arns.len() > 1 => {
                        let alone = arns.iter().map(|arn| self.groups_together(std::slice::from_ref(arn)));
                        join_all(alone).await.into_iter().zip(&arns).map(one_of).collect()
                    }
                    found => arns.iter().map(|arn| one_of((found.clone(), arn))).collect::<Vec<_>>(),
                }
            }
        };
        join_all(arns.chunks(GROUPS_AT_ONCE).map(some)).await.into_iter().flatten().collect()
    }

    async fn groups_together(&self, arns: &[GroupArn]) -> Read<BTreeMap<String, GroupDescription>> {
        let names = || arns.iter().map(ToString::to_string).collect();
        let resource = match arns {
            [only] => only.as_str(),
            _ => "the target groups",
        };
        let groups = pages!(
            self,
            self.elb_key(),
            GROUPS,
            resource,
            self.elbv2.describe_target_groups().set_target_group_arns(Some(names())),
            set_marker,
            next_marker,
            target_groups
        );
        Ok(groups
            .iter()
            .filter_map(|group| Some((group.target_group_arn()?.to_owned(), described(group))))
            .collect())
    }

    /// The attributes of a group.
    ///
    /// # Errors
    /// AWS's error, or a timeout.
    pub async fn group_attributes(&self, arn: &GroupArn) -> Read<Attributes> {
        let request = self.elbv2.describe_target_group_attributes().target_group_arn(arn.as_str());
        Ok(attributes!(send!(self, self.elb_key(), GROUP_ATTRIBUTES, arn.as_str(), request)?))
    }

    /// The targets of a group.
    ///
    /// # Errors
    /// AWS's error, or a timeout.
    pub async fn targets(&self, arn: &GroupArn) -> Read<Vec<TargetState>> {
        let request = self.elbv2.describe_target_health().target_group_arn(arn.as_str());
        let answer = send!(self, self.elb_key(), HEALTH, arn.as_str(), request)?;
        Ok(answer.target_health_descriptions().iter().filter_map(target).collect())
    }

    /// All load balancers of the account in this Region, by ARN.
    ///
    /// # Errors
    /// AWS's error, or a timeout.
    pub async fn balancers(&self) -> Read<BTreeMap<String, BalancerDescription>> {
        let balancers = pages!(
            self,
            self.elb_key(),
            BALANCERS,
            &self.region,
            self.elbv2.describe_load_balancers().page_size(PAGE),
            set_marker,
            next_marker,
            load_balancers
        );
        Ok(balancers
            .iter()
            .filter_map(|one| Some((one.load_balancer_arn()?.to_owned(), balancer(one))))
            .collect())
    }

    /// The attributes of a load balancer.
    ///
    /// # Errors
    /// AWS's error, or a timeout.
    pub async fn balancer_attributes(&self, arn: &str) -> Read<Attributes> {
        let request = self.elbv2.describe_load_balancer_attributes().load_balancer_arn(arn);
        Ok(attributes!(send!(self, self.elb_key(), BALANCER_ATTRIBUTES, arn, request)?))
    }

    /// The listeners of a load balancer, with the attributes of those that forward to one of `groups`.
    ///
    /// # Errors
    /// AWS's error, or a timeout.
    pub async fn listeners(&self, balancer: &str, groups: &BTreeSet<String>) -> Read<Vec<ListenerFacts>> {
        let listeners = pages!(
            self,
            self.elb_key(),
            LISTENERS,
            balancer,
            self.elbv2.describe_listeners().load_balancer_arn(balancer),
            set_marker,
            next_marker,
            listeners
        );
        Ok(join_all(listeners.iter().map(|listener| self.listener(listener, groups))).await)
    }

    async fn listener(&self, listener: &Listener, groups: &BTreeSet<String>) -> ListenerFacts {
        let arn = text(listener.listener_arn());
        let forwards_to = forwards_to(listener);
        let attributes = if forwards_to.iter().any(|group| groups.contains(group)) {
            self.listener_attributes(&arn).await
        } else {
            let why = "not read: the listener forwards to no configured target group";
            Err(Failure::new(Kind::Unavailable, LISTENER_ATTRIBUTES, &arn, why))
        };
        ListenerFacts {
            arn,
            protocol: text(listener.protocol().map(|protocol| protocol.as_str())),
            port: port(listener.port()),
            groups: forwards_to,
            attributes,
        }
    }

    async fn listener_attributes(&self, arn: &str) -> Read<Attributes> {
        let request = self.elbv2.describe_listener_attributes().listener_arn(arn);
        Ok(attributes!(send!(self, self.elb_key(), LISTENER_ATTRIBUTES, arn, request)?))
    }
}

fn one_of(
    (found, arn): (Read<BTreeMap<String, GroupDescription>>, &GroupArn),
) -> (GroupArn, Read<GroupDescription>) {
    let own = |failure| Failure { resource: arn.to_string(), ..failure };
    let its = found
        .map_err(own)
        .and_then(|mut found| found.remove(arn.as_str()).ok_or_else(|| not_listed(GROUPS, arn.as_str())));
    (arn.clone(), its)
}

fn described(group: &TargetGroup) -> GroupDescription {
    GroupDescription {
        protocol: text(group.protocol().map(|protocol| protocol.as_str())),
        port: port(group.port()),
        target_type: text(group.target_type().map(|target_type| target_type.as_str())),
        vpc: group.vpc_id().map(VpcId::new),
        balancers: group.load_balancer_arns().to_vec(),
        check: Probe {
            protocol: text(group.health_check_protocol().map(|protocol| protocol.as_str())),
            port: text(group.health_check_port()),
            path: group.health_check_path().map(str::to_owned),
            codes: group.matcher().and_then(|matcher| matcher.http_code()).map(str::to_owned),
            interval_seconds: number(group.health_check_interval_seconds()),
            timeout_seconds: number(group.health_check_timeout_seconds()),
            healthy_threshold: number(group.healthy_threshold_count()),
            unhealthy_threshold: number(group.unhealthy_threshold_count()),
        },
    }
}

fn target(description: &TargetHealthDescription) -> Option<TargetState> {
    let target = description.target()?;
    let health = description.target_health();
    let set_aside = description.administrative_override();
    Some(TargetState {
        target: Target { id: target.id()?.to_owned(), port: port(target.port()).unwrap_or_default() },
        state: health
            .and_then(|health| health.state())
            .map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned()),
        reason: health.and_then(|health| health.reason()).map(|reason| reason.as_str().to_owned()),
        zone: target.availability_zone().map(str::to_owned),
        administrative_override: set_aside
            .and_then(|set_aside| set_aside.state())
            .map(|state| state.as_str().to_owned()),
    })
}

fn balancer(one: &LoadBalancer) -> BalancerDescription {
    let subnet = |zone: &aws_sdk_elasticloadbalancingv2::types::AvailabilityZone| {
        (text(zone.zone_name()), text(zone.subnet_id()))
    };
    BalancerDescription {
        name: text(one.load_balancer_name()),
        kind: text(one.r#type().map(|kind| kind.as_str())),
        scheme: text(one.scheme().map(|scheme| scheme.as_str())),
        state: text(one.state().and_then(|state| state.code()).map(|code| code.as_str())),
        vpc: one.vpc_id().map(VpcId::new),
        dns_name: text(one.dns_name()),
        zone: one.canonical_hosted_zone_id().map(str::to_owned),
        subnets: one.availability_zones().iter().map(subnet).collect(),
        security_groups: one.security_groups().to_vec(),
    }
}

/// The groups that a new connection may be forwarded to. An action that names only a group has no list of them.
fn forwards_to(listener: &Listener) -> Vec<String> {
    let of_action = |action: &Action| {
        let listed = action.forward_config().map(ForwardActionConfig::target_groups).unwrap_or_default();
        let listed = listed.iter().filter_map(|group| group.target_group_arn());
        listed.chain(action.target_group_arn()).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    listener.default_actions().iter().flat_map(of_action).collect()
}
