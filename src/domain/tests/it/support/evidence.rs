//! Small worlds, written as a test would say them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use repoint_domain::observed::{
    Answers, ClusterMember, ClusterView, Instance, MemberAnswer, MemberStatus, Observed, Read, Wal,
};
use repoint_domain::spec::{GroupRole, GroupSpec, PointsTo, RecordSpec, Site, Spec, Strategy};
use repoint_domain::values::arn::{GroupArn, InstanceId, ListenerArn};
use repoint_domain::values::cluster::{
    Address, ApiUrl, ClusterRole, EntryName, MemberName, PostgresState, Role, Scope, SystemId, Timeline,
};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::listener::{Forward, Stickiness};
use repoint_domain::values::record::{
    Alias, Answer, Failover, RecordKey, RecordName, RecordPlace, RecordSet, RecordType, Routing,
    SetIdentifier, ZoneId,
};
use repoint_domain::values::target::{Family, HealthCheck, Target, TargetGroup, TargetHealth, TargetType};

pub const SYSTEM: &str = "7710341171024913225";
pub const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33";

/// The cluster that the tests speak of: `batman`, with pg1 to pg3 as seeds.
pub fn spec() -> Spec {
    Spec {
        name: EntryName::new("batman"),
        scope: Scope::new("batman"),
        sites: vec![Site {
            name: None,
            region: None,
            scope: Scope::new("batman"),
            members: (1..=3).map(url).collect(),
            discover: None,
            addresses: BTreeMap::new(),
            alias: None,
        }],
        system_id: None,
        groups: Vec::new(),
        records: Vec::new(),
        backends: Vec::new(),
    }
}

pub fn group_spec() -> GroupSpec {
    GroupSpec {
        arn: arn(GROUP),
        site: None,
        role: GroupRole::Writer,
        strategy: Strategy::Exclusive,
        port: None,
        availability_zone: None,
        assume: None,
    }
}

/// A group of readers that may lag so many bytes; the primary takes their place.
pub fn reader_spec(max_lag_bytes: u64) -> GroupSpec {
    let role = GroupRole::Reader { max_lag_bytes, primary_fallback: true };
    GroupSpec { role, ..group_spec() }
}

/// A warm group, whose surplus leaves after that time.
pub fn warm_spec(deregister_after_ms: u64) -> GroupSpec {
    GroupSpec { strategy: Strategy::Warm { deregister_after_ms }, ..group_spec() }
}

/// A health check on Patroni that finds the primary.
pub fn asks_patroni() -> HealthCheck {
    HealthCheck {
        protocol: "HTTP".to_owned(),
        port: "8008".to_owned(),
        path: Some("/primary".to_owned()),
        codes: Some("200-399".to_owned()),
    }
}

pub fn arn(text: &str) -> GroupArn {
    GroupArn::parse(text).unwrap()
}

/// The REST API of pg`number`.
pub fn url(number: u8) -> ApiUrl {
    ApiUrl::parse(&format!("http://10.0.1.{}:8008", 10 + number)).unwrap()
}

/// The address of pg`number`.
pub fn host(number: u8) -> String {
    format!("10.0.1.{}", 10 + number)
}

pub fn name(number: u8) -> MemberName {
    MemberName::new(format!("pg{number}"))
}

pub fn refused() -> Failure {
    Failure::new(Kind::Unavailable, "GET /primary", "a test", "connection refused")
}

/// A member that answers 503 and streams.
pub fn replica(timeline: u32) -> MemberStatus {
    MemberStatus {
        answers_primary: false,
        role: Role::Replica,
        state: PostgresState::Running,
        timeline: Some(Timeline(timeline)),
        system_id: Some(SystemId::new(SYSTEM)),
        scope: Some(Scope::new("batman")),
        name: None,
        feeds: BTreeSet::new(),
        wal: Wal::default(),
        paused: false,
        failsafe: false,
    }
}

/// A member that answers 200 and takes writes.
pub fn primary(timeline: u32) -> MemberStatus {
    MemberStatus { answers_primary: true, role: Role::Primary, ..replica(timeline) }
}

/// A member's entry in `/cluster`.
pub fn listed(number: u8, role: ClusterRole, timeline: u32) -> ClusterMember {
    let leads = role.leads();
    ClusterMember {
        name: name(number),
        state: if leads { PostgresState::Running } else { PostgresState::Streaming },
        role,
        api_url: Some(url(number)),
        reported: Some(Address { host: host(number), port: 5432 }),
        address: Some(Address { host: host(number), port: 5432 }),
        timeline: Some(Timeline(timeline)),
        lag_bytes: (!leads).then_some(0),
        replay_lag_bytes: None,
        noloadbalance: false,
        nofailover: false,
    }
}

/// A `/cluster` in which pg`leader` leads pg1 to pg3.
pub fn view(leader: u8, timeline: u32) -> ClusterView {
    let role = |number| if number == leader { ClusterRole::Leader } else { ClusterRole::Replica };
    ClusterView {
        scope: Some(Scope::new("batman")),
        members: (1..=3).map(|number| listed(number, role(number), timeline)).collect(),
        paused: false,
        scheduled_switchover: None,
    }
}

/// An answer of pg`number`, which gives its name as Patroni does since 3.2.
pub fn answer(number: u8, status: MemberStatus, view: Read<ClusterView>) -> (ApiUrl, MemberAnswer) {
    let status = MemberStatus { name: Some(name(number)), ..status };
    let peer: SocketAddr = format!("{}:8008", host(number)).parse().unwrap();
    (url(number), MemberAnswer { peer: Some(peer), status: Ok(status), view })
}

/// No answer from pg`number`.
pub fn silence(number: u8) -> (ApiUrl, MemberAnswer) {
    (url(number), MemberAnswer { peer: None, status: Err(refused()), view: Err(refused()) })
}

/// A world of these answers.
pub fn observed(answers: impl IntoIterator<Item = (ApiUrl, MemberAnswer)>) -> Observed {
    Observed { sites: BTreeMap::from([(None, answers.into_iter().collect())]), ..Observed::default() }
}

/// What the members of the one site answer.
pub fn members_in(observed: &mut Observed) -> &mut Answers {
    observed.sites.entry(None).or_default()
}

/// A healthy cluster that pg`leader` leads on `timeline`.
pub fn healthy(leader: u8, timeline: u32) -> Observed {
    observed((1..=3).map(|number| {
        let status = if number == leader { primary(timeline) } else { replica(timeline) };
        answer(number, status, Ok(view(leader, timeline)))
    }))
}

pub fn target(id: &str, port: u16) -> Target {
    Target { id: id.to_owned(), port }
}

pub fn target_health(id: &str, state: &str) -> TargetHealth {
    TargetHealth { target: target(id, 5432), state: state.to_owned(), reason: None }
}

/// A group of `ip` targets in these states.
pub fn ip_group(targets: &[(&str, &str)]) -> TargetGroup {
    TargetGroup {
        target_type: TargetType::Ip,
        family: Family::Ipv4,
        vpc: None,
        targets: targets.iter().map(|(id, state)| target_health(id, state)).collect(),
        check: None,
    }
}

/// A running instance, in a VPC that is not known.
pub fn instance(id: &str) -> Instance {
    Instance { id: InstanceId::new(id), vpc: None }
}

pub fn place(record_type: RecordType) -> RecordPlace {
    RecordPlace { zone: ZoneId::new("Z1"), name: RecordName::new("writer.db.example.com"), record_type }
}

/// A simple record's intent.
pub fn record_spec(record_type: RecordType) -> RecordSpec {
    RecordSpec {
        key: RecordKey { place: place(record_type), set_identifier: None },
        failover: None,
        points_to: PointsTo::Primary,
        ttl_seconds: None,
        health_check_id: None,
        assume: None,
    }
}

/// One end of the failover pair: PRIMARY for the primary, SECONDARY for the standby.
pub fn failover_spec(failover: Failover) -> RecordSpec {
    let (identifier, points_to) = match failover {
        Failover::Primary => ("primary", PointsTo::Primary),
        Failover::Secondary => ("secondary", PointsTo::Standby),
    };
    let key = RecordKey { place: place(RecordType::A), set_identifier: Some(SetIdentifier::new(identifier)) };
    RecordSpec { key, failover: Some(failover), points_to, ..record_spec(RecordType::A) }
}

/// A record set as read, with a TTL of 60 s.
pub fn record(spec: &RecordSpec, values: &[&str]) -> RecordSet {
    RecordSet {
        key: spec.key.clone(),
        routing: spec.failover.map_or(Routing::Simple, Routing::Failover),
        answer: Answer::Values { ttl_seconds: 60, values: values.iter().map(ToString::to_string).collect() },
        health_check_id: None,
    }
}

/// An alias of a load balancer of that name.
pub fn alias(dns_name: &str) -> Alias {
    let zone = ZoneId::new("Z26RNL4JYFTOTI");
    Alias { zone, dns_name: dns_name.to_owned(), evaluate_target_health: true }
}

/// These record sets, by their places, as read.
pub fn records(sets: impl IntoIterator<Item = RecordSet>) -> BTreeMap<RecordPlace, Read<Vec<RecordSet>>> {
    let mut places: BTreeMap<RecordPlace, Read<Vec<RecordSet>>> = BTreeMap::new();
    for set in sets {
        let sets = places.entry(set.key.place.clone()).or_insert_with(|| Ok(Vec::new()));
        sets.as_mut().unwrap().push(set);
    }
    places
}

// A listener and a group for each member.

pub const LISTENER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2";

pub fn listener_arn() -> ListenerArn {
    ListenerArn::parse(LISTENER).unwrap()
}

/// The group of pg`number`; nobody has configured one above 3.
pub fn member_group(number: u8) -> GroupArn {
    arn(&format!(
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg{number}/000000000000000{number}"
    ))
}

/// The group of pg`number`, behind [`LISTENER`].
pub fn weighted_spec(number: u8) -> GroupSpec {
    let strategy = Strategy::Weighted { listeners: vec![listener_arn()], member: name(number) };
    GroupSpec { arn: member_group(number), strategy, ..group_spec() }
}

/// A forward action that gives these shares to the groups of these members.
pub fn forward(weights: &[(u8, u32)]) -> Forward {
    let weights = weights.iter().map(|(number, weight)| (member_group(*number), *weight));
    let stickiness = Some(Stickiness { enabled: Some(false), duration_seconds: None });
    Forward { weights: weights.collect(), stickiness, order: Some(1) }
}
