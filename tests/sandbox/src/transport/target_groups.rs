//! Target groups and instances.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use async_trait::async_trait;
use repoint::limits::LeaseGuard;
use repoint::ports::{Instances, TargetGroups};
use repoint_domain::observed::{Instance, InstancesByAddress, Read};
use repoint_domain::values::arn::{GroupArn, InstanceId, VpcId};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::failure::Failure;
use repoint_domain::values::target::{Family, HealthCheck, Target, TargetGroup, TargetHealth, TargetType};

use super::Link;
use super::failure::failure;
use crate::aws::elbv2::target::{self, TargetDescription};
use crate::simulation::{Action, World};

const DESCRIBE: &str = "elasticloadbalancing:DescribeTargetHealth";
const DESCRIBE_GROUPS: &str = "elasticloadbalancing:DescribeTargetGroups";
const REGISTER: &str = "elasticloadbalancing:RegisterTargets";
const DEREGISTER: &str = "elasticloadbalancing:DeregisterTargets";
const INSTANCES: &str = "ec2:DescribeInstances";

#[async_trait]
impl TargetGroups for Link {
    async fn read(&self, arn: &GroupArn, with_check: bool) -> Read<TargetGroup> {
        let check = if with_check { Some(self.health_check(arn).await?) } else { None };
        let group = arn.to_string();
        self.call(DESCRIBE, arn.as_str(), None, move |world, now| {
            let health = world.account_of(&group).describe_target_health(now, &group, &[]);
            let health = health.map_err(|error| failure(DESCRIBE, &group, &error))?;
            let (_, resources) = world.resources_at(&group);
            let is_warm = group == resources.warm_group;
            let is_ip = group != resources.instance_group;
            Ok(TargetGroup {
                target_type: if is_ip { TargetType::Ip } else { TargetType::Instance },
                family: Family::Ipv4,
                vpc: Some(VpcId::new(&*world.account_of(&group).network.vpc)),
                targets: health
                    .iter()
                    .map(target_health)
                    .map(|health| if is_warm { checked(world, &group, health) } else { health })
                    .collect(),
                check,
            })
        })
        .await
    }

    async fn register(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard) -> Result<(), Failure> {
        self.change(REGISTER, arn, targets, guard).await
    }

    async fn deregister(
        &self,
        arn: &GroupArn,
        targets: &[Target],
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        self.change(DEREGISTER, arn, targets, guard).await
    }
}

impl Link {
    async fn health_check(&self, arn: &GroupArn) -> Read<HealthCheck> {
        let group = arn.to_string();
        self.call(DESCRIBE_GROUPS, arn.as_str(), None, move |world, now| {
            let groups =
                world.account_of(&group).describe_target_groups(now, std::slice::from_ref(&group), &[]);
            let groups = groups.map_err(|error| failure(DESCRIBE_GROUPS, &group, &error))?;
            let check = &groups[0].made.health_check;
            let port = check.port.map_or_else(|| "traffic-port".to_owned(), |port| port.to_string());
            let codes = (check.protocol != "TCP").then(|| "200-399".to_owned());
            Ok(HealthCheck { protocol: check.protocol.clone(), port, path: check.path.clone(), codes })
        })
        .await
    }

    async fn change(
        &self,
        call: &'static str,
        arn: &GroupArn,
        targets: &[Target],
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        let (group, targets, by) = (arn.to_string(), targets.to_vec(), self.identity.clone());
        self.call(call, arn.as_str(), Some(guard), move |world, now| {
            let wanted: Vec<_> =
                targets.iter().map(|target| TargetDescription::new(&target.id, target.port)).collect();
            let changed = if call == REGISTER {
                world.account_of(&group).register_targets(now, &group, &wanted)
            } else {
                world.account_of(&group).deregister_targets(now, &group, &wanted)
            };
            changed.map_err(|error| failure(call, &group, &error))?;
            let action = match call {
                REGISTER => Action::Registered { group, targets },
                _ => Action::Deregistered { group, targets },
            };
            world.done(now, &by, &action);
            Ok(())
        })
        .await
    }
}

/// As a health check on Patroni finds it; the group stands behind no listener here.
fn checked(world: &World, group: &str, health: TargetHealth) -> TargetHealth {
    let writers = world.takes_writes();
    let member = world.member_of(group, &health.target.id);
    let is_healthy = writers.iter().any(|(writer, _)| Some(*writer) == member);
    let state = if is_healthy { "healthy" } else { "unhealthy" };
    TargetHealth { state: state.to_owned(), reason: None, ..health }
}

fn target_health(health: &target::TargetHealth) -> TargetHealth {
    TargetHealth {
        target: Target { id: health.target.id.clone(), port: health.target.port },
        state: health.state.as_str().to_owned(),
        reason: health.reason.map(|reason| reason.as_str().to_owned()),
    }
}

#[async_trait]
impl Instances for Link {
    async fn find(
        &self,
        region: &str,
        _role: Option<&AssumedRole>,
        addresses: &BTreeSet<IpAddr>,
    ) -> Read<InstancesByAddress> {
        let name = region.to_owned();
        let values: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        self.call(INSTANCES, region, None, move |world, now| {
            let filters = [
                ("network-interface.addresses.private-ip-address".to_owned(), values),
                ("instance-state-name".to_owned(), vec!["running".to_owned()]),
            ];
            let page = world.account_in(&name).describe_instances(now, &[], &filters, None, None);
            let (instances, _) = page.map_err(|error| failure(INSTANCES, "*", &error))?;
            let mut found: InstancesByAddress = BTreeMap::new();
            for instance in instances {
                for interface in instance.interfaces {
                    let id = InstanceId::new(&*instance.id);
                    let here = Instance { id, vpc: Some(VpcId::new(interface.vpc)) };
                    for address in interface.addresses {
                        found.entry(address).or_default().insert(here.clone());
                    }
                }
            }
            Ok(found)
        })
        .await
    }
}
