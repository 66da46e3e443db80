//! Target groups (and in `listener.rs` listeners) over the Elastic Load Balancing API.
//!
//! A group costs one `DescribeTargetHealth`. It also costs one `DescribeTargetGroups` if its health check is needed;
//! and one per process if it is empty, since no target then shows its type and address family, or if it has
//! instances, whose addresses depend on its VPC.

mod known;
mod listener;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::Builder;
use aws_sdk_elasticloadbalancingv2::types::{
    self, ProtocolEnum, TargetDescription, TargetGroupIpAddressTypeEnum, TargetHealthDescription,
    TargetTypeEnum,
};
use tokio::time::timeout;

use super::aws::refusal::missing;
use super::aws::{Call, failure, prompt};
use crate::limits::{Calls, LeaseGuard};
use crate::ports::TargetGroups;
pub use known::Known;
use known::{Facts, Placed, as_asked_for};
use repoint_domain::observed::Read;
use repoint_domain::rates::RateKey;
use repoint_domain::values::arn::{GroupArn, VpcId};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::target::{Family, HealthCheck, Target, TargetGroup, TargetHealth, TargetType};

const DESCRIBE_HEALTH: &str = "elasticloadbalancing:DescribeTargetHealth";
const DESCRIBE_GROUPS: &str = "elasticloadbalancing:DescribeTargetGroups";
const REGISTER: &str = "elasticloadbalancing:RegisterTargets";
const DEREGISTER: &str = "elasticloadbalancing:DeregisterTargets";

/// The longest wait for the VPC of a group of instances, which is needed only if two instances have the same address.
const VPC_WITHIN: Duration = Duration::from_secs(1);

/// One client for each Region that has a group.
#[derive(Clone)]
pub struct Elbv2 {
    clients: Arc<BTreeMap<String, Client>>,
    known: Arc<Known>,
    calls: Calls,
}

impl Elbv2 {
    /// Shares the clients and what is known about groups; counts requests in `calls`.
    #[must_use]
    pub fn new(clients: Arc<BTreeMap<String, Client>>, known: Arc<Known>, calls: Calls) -> Self {
        Self { clients, known, calls }
    }

    fn client(&self, action: &str, region: &str, arn: &impl ToString) -> Result<&Client, Failure> {
        self.clients.get(region).ok_or_else(|| {
            Failure::new(
                Kind::Invalid,
                action,
                arn.to_string(),
                format!("no client for the Region `{region}`"),
            )
        })
    }

    async fn ask(&self, arn: &GroupArn) -> Read<types::TargetGroup> {
        let line = RateKey::ElbRead(arn.region().to_owned());
        let _leave = self.calls.read(&line).await;
        let answer = self
            .client(DESCRIBE_GROUPS, arn.region(), arn)?
            .describe_target_groups()
            .target_group_arns(arn.as_str())
            .customize()
            .interceptor(Call::new(&self.calls, DESCRIBE_GROUPS).on(&line))
            .send()
            .await
            .map_err(|error| failure(DESCRIBE_GROUPS, arn.as_str(), &error))?;
        let mut groups = answer.target_groups.unwrap_or_default().into_iter();
        let group = groups.find(|group| group.target_group_arn() == Some(arn.as_str()));
        group.ok_or_else(|| {
            Failure::new(
                Kind::NotFound,
                DESCRIBE_GROUPS,
                arn.to_string(),
                "the answer does not list the group",
            )
            .with_hint(missing(arn.as_str()))
        })
    }

    /// The properties of a group that never change, requested once.
    async fn facts(&self, arn: &GroupArn, asked: Option<&types::TargetGroup>) -> Read<Facts> {
        if let Some(facts) = self.known.facts(arn) {
            return Ok(facts);
        }
        let facts = match asked {
            Some(group) => facts_of(arn, group)?,
            None => facts_of(arn, &self.ask(arn).await?)?,
        };
        self.known.learn(arn, &facts);
        Ok(facts)
    }

    async fn targets(&self, arn: &GroupArn) -> Read<Vec<TargetHealth>> {
        let line = RateKey::ElbRead(arn.region().to_owned());
        let _leave = self.calls.read(&line).await;
        let answer = self
            .client(DESCRIBE_HEALTH, arn.region(), arn)?
            .describe_target_health()
            .target_group_arn(arn.as_str())
            .customize()
            .interceptor(Call::new(&self.calls, DESCRIBE_HEALTH).on(&line))
            .send()
            .await
            .map_err(|error| failure(DESCRIBE_HEALTH, arn.as_str(), &error))?;
        let descriptions = answer.target_health_descriptions();
        let targets: Read<Vec<TargetHealth>> =
            descriptions.iter().map(|description| target_health(arn, description)).collect();
        let targets = targets?;
        let zones = targets.iter().zip(descriptions).filter_map(|(health, description)| {
            let zone = description.target()?.availability_zone()?;
            Some((health.target.clone(), zone.to_owned()))
        });
        self.known.set_zones(arn, zones.collect());
        Ok(targets)
    }

    /// Registers the targets once, in the given zones.
    async fn register_in(
        &self,
        arn: &GroupArn,
        targets: &[Placed],
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        let line = RateKey::ElbWrite(arn.region().to_owned());
        let _leave = self.calls.write(&line).await;
        self.client(REGISTER, arn.region(), arn)?
            .register_targets()
            .target_group_arn(arn.as_str())
            .set_targets(Some(
                targets.iter().map(|placed| description(&placed.target, placed.zone.as_deref())).collect(),
            ))
            .customize()
            .config_override(Builder::new().timeout_config(prompt()))
            .interceptor(Call::new(&self.calls, REGISTER).on(&line).fenced(guard, arn.as_str()))
            .send()
            .await
            .map(drop)
            .map_err(|error| failure(REGISTER, arn.as_str(), &error))
    }
}

#[async_trait]
impl TargetGroups for Elbv2 {
    async fn read(&self, arn: &GroupArn, with_check: bool) -> Read<TargetGroup> {
        let ask = async { if with_check { self.ask(arn).await.map(Some) } else { Ok(None) } };
        let (targets, asked) = futures::future::try_join(self.targets(arn), ask).await?;
        let check = asked.as_ref().map(health_check);
        let facts = match targets.first().map(|first| (&first.target.id, first.target.id.parse::<IpAddr>())) {
            None => self.facts(arn, asked.as_ref()).await?,
            Some((_, Ok(ip))) => Facts { target_type: TargetType::Ip, family: Family::of(ip), vpc: None },
            Some((id, Err(_))) if id.starts_with("i-") => {
                let known = timeout(VPC_WITHIN, self.facts(arn, asked.as_ref())).await;
                let unknown = Facts { target_type: TargetType::Instance, family: Family::Ipv4, vpc: None };
                known.ok().and_then(Result::ok).unwrap_or(unknown)
            }
            Some((id, Err(_))) => return Err(unsupported(DESCRIBE_HEALTH, arn, id)),
        };
        let Facts { target_type, family, vpc } = facts;
        Ok(TargetGroup { target_type, family, vpc, targets, check })
    }

    async fn register(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard) -> Result<(), Failure> {
        let in_zone = |target: &Target| Placed {
            target: target.clone(),
            zone: self.known.zone_to_register(arn, target),
            is_corrected: false,
        };
        let mut placed: Vec<Placed> = targets.iter().map(in_zone).collect();
        loop {
            let Err(failure) = self.register_in(arn, &placed, guard).await else { return Ok(()) };
            // Each round corrects at least one target, and none twice.
            match as_asked_for(&placed, &failure.message) {
                Some(corrected) => placed = corrected,
                None => return Err(failure),
            }
        }
    }

    async fn deregister(
        &self,
        arn: &GroupArn,
        targets: &[Target],
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        let line = RateKey::ElbWrite(arn.region().to_owned());
        let _leave = self.calls.write(&line).await;
        let as_read = |target: &Target| description(target, self.known.zone_as_read(arn, target).as_deref());
        self.client(DEREGISTER, arn.region(), arn)?
            .deregister_targets()
            .target_group_arn(arn.as_str())
            .set_targets(Some(targets.iter().map(as_read).collect()))
            .customize()
            .config_override(Builder::new().timeout_config(prompt()))
            .interceptor(Call::new(&self.calls, DEREGISTER).on(&line).fenced(guard, arn.as_str()))
            .send()
            .await
            .map(drop)
            .map_err(|error| failure(DEREGISTER, arn.as_str(), &error))
    }
}

fn facts_of(arn: &GroupArn, group: &types::TargetGroup) -> Read<Facts> {
    let target_type = match group.target_type() {
        Some(TargetTypeEnum::Ip) => TargetType::Ip,
        Some(TargetTypeEnum::Instance) => TargetType::Instance,
        other => {
            return Err(unsupported(DESCRIBE_GROUPS, arn, other.map_or("unknown", TargetTypeEnum::as_str)));
        }
    };
    // A group that is older than IPv6 target groups may omit it (ELB API, `TargetGroup`: the default is `ipv4`).
    let family = match group.ip_address_type() {
        Some(TargetGroupIpAddressTypeEnum::Ipv6) => Family::Ipv6,
        _ => Family::Ipv4,
    };
    Ok(Facts { target_type, family, vpc: group.vpc_id().map(VpcId::new) })
}

fn health_check(group: &types::TargetGroup) -> HealthCheck {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    HealthCheck {
        protocol: text(group.health_check_protocol().map(ProtocolEnum::as_str)),
        port: text(group.health_check_port()),
        path: group.health_check_path().map(str::to_owned),
        codes: group.matcher().and_then(|matcher| matcher.http_code()).map(str::to_owned),
    }
}

fn description(target: &Target, zone: Option<&str>) -> TargetDescription {
    TargetDescription::builder()
        .id(&target.id)
        .port(i32::from(target.port))
        .set_availability_zone(zone.map(str::to_owned))
        .build()
}

fn target_health(arn: &GroupArn, description: &TargetHealthDescription) -> Read<TargetHealth> {
    let target = description.target();
    let id = target.and_then(|target| target.id());
    let port = target
        .and_then(aws_sdk_elasticloadbalancingv2::types::TargetDescription::port)
        .and_then(|port| u16::try_from(port).ok());
    let health = description.target_health();
    match (id, port) {
        (Some(id), Some(port)) => Ok(TargetHealth {
            target: Target { id: id.to_owned(), port },
            state: health
                .and_then(|health| health.state())
                .map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned()),
            reason: health.and_then(|health| health.reason()).map(|reason| reason.as_str().to_owned()),
        }),
        _ => Err(unsupported(DESCRIBE_HEALTH, arn, "targets without id or port")),
    }
}

fn unsupported(call: &str, arn: &GroupArn, what: &str) -> Failure {
    Failure::new(
        Kind::Invalid,
        call,
        arn.to_string(),
        format!(
            "the group has targets that repoint does not manage ({what}); it manages `ip` and `instance`"
        ),
    )
}
