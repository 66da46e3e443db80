//! What a fleet is made of.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::aws::Account;
use crate::aws::elbv2::group::{NewTargetGroup, TargetType};
use crate::aws::elbv2::target::TargetDescription;
use crate::aws::error::AwsError;
use crate::aws::route53::batch::{Change, ChangeAction};
use crate::aws::route53::name::Name;
use crate::aws::route53::record::{Failover, RecordKey, RecordSet};
use crate::http::sandbox::Setup;
use crate::patroni::{Cluster, Spec};
use crate::transport::{PORT, TTL};

pub const PRIMARY: &str = "primary";
const SECONDARY: &str = "secondary";
/// So many hosts share the third byte of an address.
const HOSTS: u16 = 250;

/// A cluster's endpoints.
pub struct Endpoints {
    /// The ARN of its target group.
    pub group: String,
    /// Its failover pair.
    pub record: Option<Pair>,
}

/// A failover pair.
pub struct Pair {
    pub zone: String,
    name: String,
}

/// A zone, and its name.
pub struct Zone {
    id: String,
    name: String,
}

pub fn key(pair: &Pair, set_identifier: &str) -> RecordKey {
    RecordKey {
        name: Name::new(&pair.name),
        record_type: "A".to_owned(),
        set_identifier: Some(set_identifier.to_owned()),
    }
}

pub fn zones(account: &mut Account, count: u16) -> Result<Vec<Zone>, AwsError> {
    let zone = |number| {
        let name = format!("z{number}.example.com");
        Ok(Zone { id: account.create_hosted_zone(0, &name)?, name })
    };
    (0..count).map(zone).collect()
}

pub fn spec(number: u16, member: u8, rest: SocketAddr) -> Spec {
    let name = format!("pg{}", member + 1);
    // Each in a zone of its own.
    let host = format!("172.31.{}.{}", 16 * u16::from(member) + number / HOSTS, 1 + number % HOSTS);
    let spec = Spec::new(&name, &host, 250 * u64::from(member));
    Spec { rest: (Arc::from(rest.ip().to_string()), rest.port()), ..spec }
}

pub fn cluster(number: u16, specs: Vec<Spec>) -> Cluster {
    let quick = Setup::quick();
    let system_id = quick.system_id + u64::from(number);
    Cluster::new(&format!("batman-{number}"), system_id, quick.timeline, quick.patroni, specs, 0)
}

pub fn endpoints(
    account: &mut Account,
    number: u16,
    specs: &[Spec],
    zones: &[Zone],
) -> Result<Endpoints, AwsError> {
    let zone = usize::from(number).checked_rem(zones.len()).map(|index| &zones[index]);
    let record = zone.map(|zone| pair(account, number, specs, zone)).transpose()?;
    Ok(Endpoints { group: group(account, number, specs)?, record })
}

fn group(account: &mut Account, number: u16, specs: &[Spec]) -> Result<String, AwsError> {
    let new = NewTargetGroup {
        name: format!("batman-{number}"),
        target_type: TargetType::Ip,
        protocol: "TCP".to_owned(),
        port: PORT,
        ..NewTargetGroup::default()
    };
    let group = account.create_target_group(0, new)?.arn;
    account.register_targets(0, &group, &[TargetDescription::new(&specs[0].postgres.0, PORT)])?;
    Ok(group)
}

fn pair(account: &mut Account, number: u16, specs: &[Spec], zone: &Zone) -> Result<Pair, AwsError> {
    let name = format!("batman-{number}.{}", zone.name);
    let ends = [(Failover::Primary, PRIMARY, &specs[0]), (Failover::Secondary, SECONDARY, &specs[1])];
    for (end, identifier, spec) in ends {
        let check = account.create_health_check(0)?;
        let set = RecordSet::simple(&name, "A", TTL, &[&spec.postgres.0]);
        let set = set.as_failover(end, identifier, Some(&check));
        account.change_resource_record_sets(0, &zone.id, &[Change { action: ChangeAction::Create, set }])?;
    }
    Ok(Pair { zone: zone.id.clone(), name })
}

/// The cluster's part of a configuration.
pub fn configure(cluster: &Cluster, endpoints: &Endpoints, text: &mut String) {
    let url = |member| {
        let (host, port) = &cluster.spec(member).rest;
        format!("http://{host}:{port}")
    };
    let members: Vec<String> = cluster.ids().map(url).collect();
    let _ = write!(
        text,
        "\n[[cluster]]\nscope = {:?}\nmembers = {members:?}\n\n  [[cluster.target_group]]\n  arn = {:?}\n",
        cluster.scope(),
        endpoints.group,
    );
    let Some(Pair { zone, name }) = &endpoints.record else { return };
    for (identifier, points_to) in [(PRIMARY, "primary"), (SECONDARY, "standby")] {
        let failover = identifier.to_uppercase();
        let _ = write!(
            text,
            "\n  [[cluster.record]]\n  zone_id = {zone:?}\n  name = {name:?}\n  type = \"A\"\n  \
             set_identifier = {identifier:?}\n  failover = {failover:?}\n  points_to = {points_to:?}\n",
        );
    }
}
