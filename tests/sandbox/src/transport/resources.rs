//! What the operators of the simulated cluster have in AWS, and the configuration of `repoint` for it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use repoint_domain::alerts::{AlertTopic, Format};
use repoint_domain::spec::{GroupRole, GroupSpec, PointsTo, RecordSpec, Site, Spec, Strategy, Tag};
use repoint_domain::state::Severity;
use repoint_domain::values::arn::{GroupArn, ListenerArn, TopicArn};
use repoint_domain::values::cluster::{ApiUrl, EntryName, MemberName, Scope};
use repoint_domain::values::haproxy::{Backend, BackendKey};
use repoint_domain::values::record::{
    Failover, RecordKey, RecordName, RecordPlace, RecordType, SetIdentifier, ZoneId,
};

use crate::aws::Account;
use crate::aws::elbv2::group::{HealthCheck, NewTargetGroup, TargetType};
use crate::aws::elbv2::listener::Forward;
use crate::aws::elbv2::target::TargetDescription;
use crate::aws::error::AwsError;
use crate::aws::route53::batch::{Change, ChangeAction};
use crate::aws::route53::record::{self, RecordSet};
use crate::aws::throttle::Throttle;
use crate::patroni::{Cluster, MemberId};

/// PostgreSQL's port, everywhere.
pub const PORT: u16 = 5432;
/// The name that applications connect to.
pub const NAME: &str = "writer.db.example.com";
/// The name that read-only clients connect to.
pub const READERS: &str = "readers.db.example.com";
/// A record in the same zone that is none of `repoint`'s business.
const UNMANAGED_RECORD: &str = "www.db.example.com";
/// How long a target stays in the warm group that belongs to no member, in milliseconds.
pub const DEREGISTER_AFTER: u64 = 20_000;
/// How far readers may be behind.
pub const MAX_LAG_BYTES: u64 = 1024 * 1024;
/// The TTL that the operators gave their records.
pub const TTL: u32 = 30;

/// The resources, by their ids.
#[derive(Clone, Debug)]
pub struct Resources {
    /// A target group of addresses.
    pub ip_group: String,
    /// A target group of instances.
    pub instance_group: String,
    /// A target group of the replicas' addresses.
    pub reader_group: String,
    /// A target group of every member's address, with a health check on Patroni.
    pub warm_group: String,
    /// A listener before a target group for each member, if there is one.
    pub weighted: Option<Weighted>,
    /// Backends of HAProxy, if there are any.
    pub backends: BTreeMap<BackendKey, Backend>,
    /// A target group that is not configured.
    pub foreign_group: String,
    /// The hosted zone.
    pub zone: String,
    /// The topic for alerts, as text.
    pub topic: String,
    /// Both topics for alerts: that one, and one for what has to be done something about.
    pub alert_topics: Vec<AlertTopic>,
    /// Which member runs on which instance.
    pub instances: BTreeMap<String, MemberId>,
    /// The record set that is not configured.
    pub unmanaged_record: RecordSet,
    /// The configuration of `repoint`.
    pub spec: Spec,
}

/// A listener and the target groups behind it.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// The listener. It is sticky, which `repoint` does not configure.
    pub listener: String,
    /// The group of each member, in the members' order.
    pub groups: Vec<String>,
    /// A group that is not configured, and gets no connections.
    pub foreign: String,
}

/// What there is at the beginning.
#[expect(clippy::struct_excessive_bools, reason = "each says whether one thing is there")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Endpoints point at the first member; else there is nothing in them.
    pub is_filled: bool,
    /// A failover pair instead of a simple record.
    pub is_pair: bool,
    /// The group of instances is configured too.
    pub has_instances: bool,
    /// The group of readers is configured too.
    pub has_readers: bool,
    /// The warm group is configured too.
    pub has_warm: bool,
    /// The record of the readers is configured too.
    pub has_reader_record: bool,
    /// There is a listener before a group for each member, too.
    pub has_weighted: bool,
}

impl Resources {
    /// Makes them for a cluster whose first member leads.
    ///
    /// # Errors
    /// Never, with a new account.
    pub fn new(account: &mut Account, cluster: &Cluster, shape: Shape) -> Result<Self, AwsError> {
        // All of it is made at once.
        let limits = std::mem::replace(&mut account.throttle, Throttle::unlimited());
        let mut instances = BTreeMap::new();
        for id in cluster.ids() {
            if let Ok(address) = cluster.spec(id).postgres.0.parse::<Ipv4Addr>() {
                let tags = [(tag().key, tag().value)].into();
                instances.insert(account.run_instance(0, address, tags)?.id, id);
            }
        }
        let ip_group = group(account, "writers-by-ip", TargetType::Ip)?;
        let instance_group = group(account, "writers-by-instance", TargetType::Instance)?;
        let reader_group = group(account, "readers", TargetType::Ip)?;
        let warm_group = account
            .create_target_group(0, NewTargetGroup { health_check: asks_patroni(), ..ips("warm") })?
            .arn;
        let foreign_group = group(account, "unmanaged", TargetType::Ip)?;
        let zone = account.create_hosted_zone(0, "db.example.com")?;
        let topic = account.create_topic(0, "alerts")?;
        let pages = account.create_topic(0, "pages")?;
        let unmanaged_record = RecordSet::simple(UNMANAGED_RECORD, "A", 300, &["192.0.2.1"]);
        let mut changes = vec![Change { action: ChangeAction::Create, set: unmanaged_record.clone() }];
        let checks = [account.create_health_check(0)?, account.create_health_check(0)?];
        let hosts: Vec<String> = cluster.ids().map(|id| cluster.spec(id).postgres.0.to_string()).collect();
        account.register_targets(0, &foreign_group, &[TargetDescription::new(&hosts[0], PORT)])?;
        if shape.is_filled {
            account.register_targets(0, &ip_group, &[TargetDescription::new(&hosts[0], PORT)])?;
            let first = instances.iter().find(|(_, member)| **member == MemberId(0));
            if let Some((instance, _)) = first {
                account.register_targets(0, &instance_group, &[TargetDescription::new(instance, PORT)])?;
            }
            for host in &hosts {
                account.register_targets(0, &warm_group, &[TargetDescription::new(host, PORT)])?;
            }
            for host in &hosts[1..] {
                account.register_targets(0, &reader_group, &[TargetDescription::new(host, PORT)])?;
            }
            let readers: Vec<&str> = hosts[1..].iter().map(String::as_str).collect();
            if shape.has_reader_record && !readers.is_empty() {
                let set = RecordSet::simple(READERS, "A", TTL, &readers);
                changes.push(Change { action: ChangeAction::Create, set });
            }
            let ends = [
                (record::Failover::Primary, "primary", &checks[0]),
                (record::Failover::Secondary, "secondary", &checks[1]),
            ];
            for ((end, identifier, check), host) in ends.into_iter().zip(&hosts) {
                let set = RecordSet::simple(NAME, "A", TTL, &[host]);
                let set = if shape.is_pair { set.as_failover(end, identifier, Some(check)) } else { set };
                if shape.is_pair || end == record::Failover::Primary {
                    changes.push(Change { action: ChangeAction::Create, set });
                }
            }
        }
        account.change_resource_record_sets(0, &zone, &changes)?;
        let weighted = if shape.has_weighted { Some(weighted(account, &hosts, shape)?) } else { None };
        account.drain_calls();
        let mut spec = spec(cluster, shape, [&ip_group, &instance_group, &reader_group, &warm_group], &zone);
        for (id, group) in cluster.ids().zip(weighted.iter().flat_map(|weighted| &weighted.groups)) {
            let listener = weighted.as_ref().map_or("", |weighted| &weighted.listener);
            spec.groups.extend(of_member(listener, group, &cluster.spec(id).name));
        }
        account.throttle = limits;
        Ok(Self {
            ip_group,
            instance_group,
            reader_group,
            warm_group,
            weighted,
            backends: BTreeMap::new(),
            foreign_group,
            zone,
            alert_topics: [
                (&topic, Format::Text, Severity::Info),
                (&pages, Format::Cloudwatch, Severity::Warning),
            ]
            .into_iter()
            .filter_map(|(arn, format, min_severity)| {
                Some(AlertTopic { arn: TopicArn::parse(arn).ok()?, format, min_severity })
            })
            .collect(),
            topic,
            instances,
            unmanaged_record,
            spec,
        })
    }
}

/// A listener with a group for each member. At first it may only know the first member's.
fn weighted(account: &mut Account, hosts: &[String], shape: Shape) -> Result<Weighted, AwsError> {
    let mut groups = Vec::new();
    for host in hosts {
        let name = format!("of-{}", host.replace('.', "-"));
        let group = group(account, &name, TargetType::Ip)?;
        if shape.is_filled {
            account.register_targets(0, &group, &[TargetDescription::new(host, PORT)])?;
        }
        groups.push(group);
    }
    let foreign = group(account, "blue", TargetType::Ip)?;
    let balancer = account.create_load_balancer(0, "pg", "internal")?.arn;
    let first = Forward { group: groups[0].clone(), weight: None };
    let listener = account.create_listener(0, &balancer, "TCP", PORT, vec![first])?.arn;
    let shares = if shape.is_filled { weights(&groups, 0) } else { weights(&groups[..1], 0) };
    let none = Forward { group: foreign.clone(), weight: Some(0) };
    account.modify_listener(0, &listener, shares.into_iter().chain([none]).collect(), Some(true))?;
    Ok(Weighted { listener, groups, foreign })
}

/// Everything for one group.
pub(crate) fn weights(groups: &[String], chosen: usize) -> Vec<Forward> {
    let weight = |number| if number == chosen { 100 } else { 0 };
    let share =
        |(number, group): (usize, &String)| Forward { group: group.clone(), weight: Some(weight(number)) };
    groups.iter().enumerate().map(share).collect()
}

fn of_member(listener: &str, group: &str, name: &str) -> Option<GroupSpec> {
    let strategy = Strategy::Weighted {
        listeners: vec![ListenerArn::parse(listener).ok()?],
        member: MemberName::new(name),
    };
    Some(GroupSpec {
        arn: GroupArn::parse(group).ok()?,
        site: None,
        role: GroupRole::Writer,
        strategy,
        port: None,
        availability_zone: None,
        assume: None,
    })
}

/// A group of addresses.
pub(crate) fn ip_group(account: &mut Account, name: &str) -> Result<String, AwsError> {
    group(account, name, TargetType::Ip)
}

fn group(account: &mut Account, name: &str, target_type: TargetType) -> Result<String, AwsError> {
    Ok(account.create_target_group(0, NewTargetGroup { target_type, ..ips(name) })?.arn)
}

fn ips(name: &str) -> NewTargetGroup {
    NewTargetGroup {
        name: name.to_owned(),
        target_type: TargetType::Ip,
        protocol: "TCP".to_owned(),
        port: PORT,
        ..NewTargetGroup::default()
    }
}

fn asks_patroni() -> HealthCheck {
    HealthCheck {
        protocol: "HTTP".to_owned(),
        port: Some(8008),
        path: Some("/primary".to_owned()),
        ..HealthCheck::default()
    }
}

/// What the instances of the cluster have.
pub(crate) fn tag() -> Tag {
    Tag { key: "patroni-scope".to_owned(), value: "batman".to_owned() }
}

/// Where the members of a cluster are asked.
pub(crate) fn urls(cluster: &Cluster) -> Vec<ApiUrl> {
    let url = |id: MemberId| {
        let (host, port) = &cluster.spec(id).rest;
        ApiUrl::parse(&format!("http://{host}:{port}")).ok()
    };
    cluster.ids().filter_map(url).collect()
}

fn spec(cluster: &Cluster, shape: Shape, [ip, instance, reader, warm]: [&str; 4], zone: &str) -> Spec {
    let readers = GroupRole::Reader { max_lag_bytes: MAX_LAG_BYTES, primary_fallback: true };
    let groups = [
        (true, ip, GroupRole::Writer, Strategy::Exclusive),
        (shape.has_instances, instance, GroupRole::Writer, Strategy::Exclusive),
        (shape.has_readers, reader, readers, Strategy::Exclusive),
        (shape.has_warm, warm, GroupRole::Writer, Strategy::Warm { deregister_after_ms: DEREGISTER_AFTER }),
    ];
    let groups = groups.into_iter().filter(|(is_configured, ..)| *is_configured);
    let groups = groups.filter_map(|(_, arn, role, strategy)| {
        Some(GroupSpec {
            arn: GroupArn::parse(arn).ok()?,
            site: None,
            role,
            strategy,
            port: None,
            availability_zone: None,
            assume: None,
        })
    });
    let place = |name: &str| RecordPlace {
        zone: ZoneId::new(zone.rsplit('/').next().unwrap_or(zone)),
        name: RecordName::new(name),
        record_type: RecordType::A,
    };
    let record = |identifier: Option<&str>, failover, points_to| RecordSpec {
        key: RecordKey { place: place(NAME), set_identifier: identifier.map(SetIdentifier::new) },
        failover,
        points_to,
        ttl_seconds: None,
        health_check_id: None,
        assume: None,
    };
    let mut records = if shape.is_pair {
        vec![
            record(Some("primary"), Some(Failover::Primary), PointsTo::Primary),
            record(Some("secondary"), Some(Failover::Secondary), PointsTo::Standby),
        ]
    } else {
        vec![record(None, None, PointsTo::Primary)]
    };
    if shape.has_reader_record {
        let points_to = PointsTo::Readers { max_lag_bytes: MAX_LAG_BYTES, primary_fallback: true };
        let key = RecordKey { place: place(READERS), set_identifier: None };
        records.insert(0, RecordSpec { key, ..record(None, None, points_to) });
    }
    Spec {
        name: EntryName::new(&**cluster.scope()),
        scope: Scope::new(&**cluster.scope()),
        sites: vec![Site {
            name: None,
            region: None,
            scope: Scope::new(&**cluster.scope()),
            members: urls(cluster),
            discover: None,
            addresses: BTreeMap::new(),
            alias: None,
        }],
        system_id: None,
        groups: groups.collect(),
        records,
        backends: Vec::new(),
    }
}
