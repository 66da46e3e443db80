//! A set-up in which doctor finds nothing: `batman` with three members behind one load balancer, a record, topics, the
//! Lambda and a state table. A case makes one thing of it wrong.

use std::collections::BTreeMap;
use std::net::IpAddr;

use repoint_domain::decide::verdict::verdict;
use repoint_domain::doctor::facts::attributes::Attributes;
use repoint_domain::doctor::facts::balancer::{BalancerDescription, BalancerFacts, ListenerFacts};
use repoint_domain::doctor::facts::function::{Function, FunctionConfiguration, Requested, Schedule};
use repoint_domain::doctor::facts::group::{GroupDescription, GroupFacts, Probe, TargetState};
use repoint_domain::doctor::facts::network::{
    Instance, Network, RouteTable, Rule, SecurityGroup, Subnet, VpcEndpoint,
};
use repoint_domain::doctor::facts::node::{HaproxyCfg, HaproxySection, NodeFacts, PatroniYml, Unit};
use repoint_domain::doctor::facts::patroni::{
    ClusterExtra, Health, ListedMember, MemberFacts, PatroniConfig,
};
use repoint_domain::doctor::facts::record::{HealthCheck, HostedZone};
use repoint_domain::doctor::facts::table::Table;
use repoint_domain::doctor::facts::topic::{Subscription, TopicFacts};
use repoint_domain::doctor::facts::{ClusterFacts, Configured, Facts, Place};
use repoint_domain::observed::Read;
use repoint_domain::plan::plan;
use repoint_domain::spec::{BackendSpec, BackendStrategy, GroupRole, Spec};
use repoint_domain::state::State;
use repoint_domain::values::arn::{InstanceId, TopicArn, VpcId};
use repoint_domain::values::function::FunctionName;
use repoint_domain::values::haproxy::BackendKey;
use repoint_domain::values::record::{RecordType, ZoneId};
use repoint_domain::values::timestamp::Timestamp;

use super::evidence::{
    GROUP, LISTENER, arn, group_spec, healthy, host, ip_group, record, record_spec, records, spec, target,
    url,
};

pub const BALANCER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188";
pub const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:repoint:live";
pub const HEALTH_CHECK: &str = "6b3c1e6c-1c3e-4f58-a1e7-3f5b1d0a7e11";
const VPC: &str = "vpc-0a1b";

pub fn topic(name: &str) -> TopicArn {
    TopicArn::parse(&format!("arn:aws:sns:us-east-1:123456789012:{name}")).unwrap()
}

pub fn function_name(text: &str) -> FunctionName {
    FunctionName::parse(text).unwrap()
}

pub fn region() -> Place {
    Place { region: "us-east-1".to_owned(), role: None }
}

fn text(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().copied().collect()
}

/// What was read of the one target group.
pub fn group_facts(facts: &mut Facts) -> &mut GroupFacts {
    facts.groups.get_mut(&arn(GROUP)).unwrap()
}

/// What was read of the one load balancer.
pub fn balancer_facts(facts: &mut Facts) -> &mut BalancerFacts {
    facts.balancers.get_mut(BALANCER).unwrap()
}

/// What `GET /config` says.
pub fn config_of(facts: &mut Facts) -> &mut PatroniConfig {
    facts.clusters[0].config.get_mut(&None).unwrap().as_mut().unwrap()
}

/// What pg`number` says of itself.
pub fn member_of(facts: &mut Facts, number: u8) -> &mut MemberFacts {
    facts.clusters[0].members.get_mut(&(None, url(number))).unwrap()
}

/// Its own JSON.
pub fn health_of(facts: &mut Facts, number: u8) -> &mut Health {
    member_of(facts, number).health.as_mut().unwrap()
}

/// Changes what every member's `GET /cluster` lists.
pub fn relist(facts: &mut Facts, change: impl Fn(&mut Vec<ListedMember>)) {
    for member in facts.clusters[0].members.values_mut() {
        change(&mut member.cluster.as_mut().unwrap().members);
    }
}

/// Leaves pg1 alone, configured and listed.
pub fn leave_one(facts: &mut Facts) {
    relist(facts, |members| members.truncate(1));
    facts.clusters[0].spec.sites[0].members.truncate(1);
    facts.clusters[0].members.retain(|(_, its), _| *its == url(1));
}

/// Makes it a standby cluster.
pub fn follow_another(facts: &mut Facts) {
    config_of(facts).is_standby_cluster = true;
    relist(facts, |members| "standby_leader".clone_into(&mut members[0].role));
}

/// What was read of this machine.
pub fn node_of(facts: &mut Facts) -> &mut NodeFacts {
    facts.node.as_mut().unwrap()
}

/// What was read of its one `patroni.yml`.
pub fn file_of(facts: &mut Facts) -> &mut PatroniYml {
    node_of(facts).patroni.values_mut().next().unwrap().as_mut().unwrap()
}

/// Gives an attribute of what was read another value.
pub fn set(attributes: &mut Read<Attributes>, name: &str, value: &str) {
    attributes.as_mut().unwrap().insert(name, value);
}

/// All is right.
pub fn right() -> Facts {
    let record_spec = repoint_domain::spec::RecordSpec {
        health_check_id: Some(HEALTH_CHECK.to_owned()),
        ..record_spec(RecordType::A)
    };
    let spec = Spec {
        groups: vec![group_spec()],
        records: vec![record_spec.clone()],
        backends: vec![backend_spec()],
        ..spec()
    };
    let set = repoint_domain::values::record::RecordSet {
        health_check_id: Some(HEALTH_CHECK.to_owned()),
        ..record(&record_spec, &["10.0.1.11"])
    };
    let mut observed = healthy(1, 3);
    observed.groups.insert(arn(GROUP), Ok(ip_group(&[("10.0.1.11", "healthy")])));
    observed.records = records([set]);
    let state = State::default();
    let verdict = verdict(&spec, &observed, &state);
    let plan = plan(&spec, &observed, &verdict, &state, Timestamp(0));
    let cluster = ClusterFacts {
        spec,
        observed,
        verdict,
        plan,
        state: Ok(state),
        config: BTreeMap::from([(None, Ok(config()))]),
        members: (1..=3).map(|number| ((None, url(number)), member(number))).collect(),
    };
    Facts {
        at: Timestamp(1_700_000_000_000),
        configured: Configured {
            deadline_ms: 20_000,
            alert_topics: vec![topic("db-alerts")],
            callback_topic: Some(topic("db-callbacks")),
            table: Some("repoint".to_owned()),
            function: Some(function_name("repoint")),
            schedule_group: Some("repoint".to_owned()),
        },
        clusters: vec![cluster],
        groups: BTreeMap::from([(arn(GROUP), group())]),
        balancers: BTreeMap::from([(BALANCER.to_owned(), balancer())]),
        balancer_names: BTreeMap::from([(
            region(),
            Ok(BTreeMap::from([(
                "pg-50dc6c495c0c9188.elb.us-east-1.amazonaws.com".to_owned(),
                BALANCER.to_owned(),
            )])),
        )]),
        networks: BTreeMap::from([(region(), network())]),
        health_checks: BTreeMap::from([(
            HEALTH_CHECK.to_owned(),
            Ok(HealthCheck {
                kind: "CLOUDWATCH_METRIC".to_owned(),
                insufficient_data: Some("LastKnownStatus".to_owned()),
                ..HealthCheck::default()
            }),
        )]),
        zones: BTreeMap::from([(
            ZoneId::new("Z1"),
            Ok(HostedZone {
                name: "db.example.com".to_owned(),
                is_private: true,
                vpcs: vec![("us-east-1".to_owned(), VPC.to_owned())],
            }),
        )]),
        topics: BTreeMap::from([(topic("db-alerts"), alerts()), (topic("db-callbacks"), callbacks())]),
        functions: BTreeMap::from([(function_name(FUNCTION), function())]),
        schedules: Some(Ok(vec![Schedule {
            name: "every-minute".to_owned(),
            state: "ENABLED".to_owned(),
            expression: "rate(1 minutes)".to_owned(),
            target: FUNCTION.to_owned(),
            requests: Requested::default(),
        }])),
        table: Some(Ok(Table {
            name: "repoint".to_owned(),
            status: "ACTIVE".to_owned(),
            key: vec![("scope".to_owned(), "HASH".to_owned(), "S".to_owned())],
            is_deletion_protected: true,
            replicas: Vec::new(),
            is_strongly_consistent: false,
        })),
        node: Some(node()),
    }
}

fn config() -> PatroniConfig {
    PatroniConfig {
        ttl: Some(30),
        loop_wait: Some(10),
        retry_timeout: Some(10),
        maximum_lag_on_failover: Some(1_048_576),
        primary_start_timeout: Some(30),
        synchronous_mode: Some("on".to_owned()),
        failsafe_mode: Some(true),
        check_timeline: Some(true),
        use_pg_rewind: Some(true),
        parameters: [("wal_log_hints", "on"), ("tcp_keepalives_idle", "60")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..PatroniConfig::default()
    }
}

fn member(number: u8) -> MemberFacts {
    let health = Health {
        version: Some("4.1.0".to_owned()),
        server_version: Some(170_006),
        dcs_age_seconds: Some(3),
        clock_ahead_seconds: Some(0),
        ..Health::default()
    };
    let listed = |listed: u8| ListedMember {
        name: format!("pg{listed}"),
        role: match listed {
            1 => "leader",
            2 => "sync_standby",
            _ => "replica",
        }
        .to_owned(),
        state: if listed == 1 { "running" } else { "streaming" }.to_owned(),
        host: Some(host(listed)),
        api_url: Some(format!("http://{}:8008/patroni", host(listed))),
        timeline: Some(3),
        lag_bytes: (listed != 1).then_some(0),
        tags: BTreeMap::new(),
    };
    MemberFacts {
        health: Ok(health),
        cluster: Ok(ClusterExtra { scheduled_switchover: None, members: (1..=3).map(listed).collect() }),
        history: (number == 1).then(|| Ok(Vec::new())),
        switchover_status: Some(Ok(401)),
    }
}

fn group() -> GroupFacts {
    GroupFacts {
        group: Ok(GroupDescription {
            protocol: "TCP".to_owned(),
            port: Some(5432),
            target_type: "ip".to_owned(),
            vpc: Some(VpcId::new(VPC)),
            balancers: vec![BALANCER.to_owned()],
            check: Probe {
                protocol: "HTTP".to_owned(),
                port: "8008".to_owned(),
                path: Some("/primary".to_owned()),
                codes: Some("200".to_owned()),
                interval_seconds: 5,
                timeout_seconds: 2,
                healthy_threshold: 2,
                unhealthy_threshold: 2,
            },
        }),
        attributes: Ok(text(&[
            ("load_balancing.cross_zone.enabled", "true"),
            ("preserve_client_ip.enabled", "false"),
            ("proxy_protocol_v2.enabled", "false"),
            ("stickiness.enabled", "false"),
            ("deregistration_delay.timeout_seconds", "10"),
            ("deregistration_delay.connection_termination.enabled", "true"),
            ("target_health_state.unhealthy.connection_termination.enabled", "true"),
        ])),
        targets: Ok(vec![TargetState {
            target: target("10.0.1.11", 5432),
            state: "healthy".to_owned(),
            reason: None,
            zone: Some("us-east-1a".to_owned()),
            administrative_override: None,
        }]),
    }
}

fn balancer() -> BalancerFacts {
    BalancerFacts {
        balancer: Ok(BalancerDescription {
            name: "pg".to_owned(),
            kind: "network".to_owned(),
            scheme: "internal".to_owned(),
            state: "active".to_owned(),
            vpc: Some(VpcId::new(VPC)),
            dns_name: "pg-50dc6c495c0c9188.elb.us-east-1.amazonaws.com".to_owned(),
            zone: Some("Z26RNL4JYFTOTI".to_owned()),
            subnets: ["a", "b", "c"]
                .map(|zone| (format!("us-east-1{zone}"), format!("subnet-{zone}")))
                .to_vec(),
            security_groups: vec!["sg-balancer".to_owned()],
        }),
        attributes: Ok(text(&[
            ("load_balancing.cross_zone.enabled", "true"),
            ("deletion_protection.enabled", "true"),
            ("dns_record.client_routing_policy", "any_availability_zone"),
        ])),
        listeners: Ok(vec![ListenerFacts {
            arn: LISTENER.to_owned(),
            protocol: "TCP".to_owned(),
            port: Some(5432),
            groups: vec![GROUP.to_owned()],
            attributes: Ok(text(&[("tcp.idle_timeout.seconds", "350")])),
        }]),
    }
}

fn network() -> Network {
    let allow = |port: u16, groups: &[&str]| Rule {
        protocol: "tcp".to_owned(),
        from: Some(port),
        to: Some(port),
        groups: groups.iter().map(ToString::to_string).collect(),
        ..Rule::default()
    };
    let everything =
        || Rule { protocol: "-1".to_owned(), networks: vec!["0.0.0.0/0".to_owned()], ..Rule::default() };
    let nodes = SecurityGroup {
        ingress: vec![allow(5432, &["sg-balancer"]), allow(8008, &["sg-balancer", "sg-function"])],
        egress: vec![everything()],
    };
    let clients = Rule { networks: vec!["10.7.0.0/16".to_owned()], ..allow(5432, &[]) };
    let balancer = SecurityGroup { ingress: vec![clients], egress: vec![everything()] };
    let function = SecurityGroup { ingress: Vec::new(), egress: vec![everything()] };
    let instance = |number: u8| {
        let zone = ["a", "b", "c"][usize::from(number - 1)];
        let instance = Instance {
            id: InstanceId::new(format!("i-000{number}")),
            vpc: Some(VpcId::new(VPC)),
            subnet: Some(format!("subnet-{zone}")),
            zone: Some(format!("us-east-1{zone}")),
            security_groups: vec!["sg-nodes".to_owned()],
        };
        (host(number).parse::<IpAddr>().unwrap(), vec![instance])
    };
    let subnet = |(number, zone): (u8, &str)| {
        let subnet = Subnet {
            vpc: VpcId::new(VPC),
            zone: format!("us-east-1{zone}"),
            networks: vec![format!("10.0.{number}.0/24")],
        };
        (format!("subnet-{zone}"), subnet)
    };
    let endpoint = |service: &str, kind: &str| VpcEndpoint {
        vpc: VpcId::new(VPC),
        service: service.to_owned(),
        state: "available".to_owned(),
        kind: kind.to_owned(),
    };
    Network {
        instances: Ok((1..=3).map(instance).collect()),
        security_groups: Ok(BTreeMap::from([
            ("sg-nodes".to_owned(), nodes),
            ("sg-balancer".to_owned(), balancer),
            ("sg-function".to_owned(), function),
        ])),
        subnets: Ok([(1, "a"), (2, "b"), (3, "c")].map(subnet).into()),
        route_tables: Ok(vec![RouteTable {
            vpc: VpcId::new(VPC),
            is_main: true,
            subnets: Vec::new(),
            routes: vec![("10.0.0.0/16".to_owned(), "local".to_owned())],
        }]),
        endpoints: Ok(vec![
            endpoint("com.amazonaws.us-east-1.elasticloadbalancing", "Interface"),
            endpoint("com.amazonaws.us-east-1.ec2", "Interface"),
            endpoint("com.amazonaws.us-east-1.sns", "Interface"),
            endpoint("com.amazonaws.us-east-1.dynamodb", "Gateway"),
            endpoint("com.amazonaws.route53", "Interface"),
        ]),
    }
}

fn alerts() -> TopicFacts {
    TopicFacts {
        attributes: Ok(text(&[("SubscriptionsConfirmed", "1"), ("SubscriptionsPending", "0")])),
        subscriptions: None,
    }
}

fn callbacks() -> TopicFacts {
    TopicFacts {
        attributes: Ok(text(&[("SubscriptionsConfirmed", "1"), ("SubscriptionsPending", "0")])),
        subscriptions: Some(Ok(vec![Subscription {
            arn: "arn:aws:sns:us-east-1:123456789012:db-callbacks:9d6e".to_owned(),
            protocol: "lambda".to_owned(),
            endpoint: FUNCTION.to_owned(),
            attributes: Ok(text(&[(
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:repoint-failures"}"#,
            )])),
        }])),
    }
}

fn function() -> Function {
    Function {
        configuration: Ok(FunctionConfiguration {
            arn: FUNCTION.to_owned(),
            timeout_seconds: 60,
            memory_mb: 512,
            state: "Active".to_owned(),
            last_update: "Successful".to_owned(),
            vpc: Some(VPC.to_owned()),
            subnets: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
            security_groups: vec!["sg-function".to_owned()],
        }),
        reserved_concurrency: Ok(None),
        on_failure: Ok(Some("arn:aws:sqs:us-east-1:123456789012:repoint-failures".to_owned())),
    }
}

fn backend_spec() -> BackendSpec {
    BackendSpec {
        key: BackendKey {
            socket: "/run/haproxy/repoint.sock".to_owned(),
            backend: "postgres_primary".to_owned(),
        },
        role: GroupRole::Writer,
        strategy: BackendStrategy::Warm { server_options: None },
        port: None,
    }
}

fn haproxy() -> HaproxyCfg {
    let section = HaproxySection {
        loads_state: true,
        cuts_sessions: true,
        check_path: Some("/primary".to_owned()),
        ..HaproxySection::default()
    };
    HaproxyCfg { has_hard_stop: true, sections: BTreeMap::from([("postgres_primary".to_owned(), section)]) }
}

/// HAProxy's configuration on the node.
pub fn haproxy_of(facts: &mut Facts) -> &mut HaproxyCfg {
    let (_, cfg) = node_of(facts).haproxy.as_mut().unwrap();
    cfg.as_mut().unwrap()
}

fn node() -> NodeFacts {
    let yml = PatroniYml {
        scope: Some("batman".to_owned()),
        name: Some("pg1".to_owned()),
        callbacks: ["on_role_change", "on_start"]
            .map(|action| (action.to_owned(), "repoint callback --config /etc/repoint.toml".to_owned()))
            .into(),
        watchdog_mode: Some("automatic".to_owned()),
        watchdog_device: None,
        use_pg_rewind: None,
        restapi_connect_address: Some("10.0.1.11:8008".to_owned()),
        postgresql_connect_address: Some("10.0.1.11:5432".to_owned()),
        has_restapi_authentication: true,
        restapi_verify_client: None,
        has_restapi_allowlist: false,
        dcs_hosts: Some(["10.0.1.21:2379", "10.0.1.22:2379", "10.0.1.23:2379"].map(str::to_owned).to_vec()),
    };
    NodeFacts {
        host: "pg1".to_owned(),
        patroni: BTreeMap::from([("/etc/patroni/patroni.yml".to_owned(), Ok(yml))]),
        units: BTreeMap::from([(
            "patroni.service".to_owned(),
            Ok(Unit { active: "active".to_owned(), enabled: "enabled".to_owned() }),
        )]),
        socket: None,
        is_clock_synchronised: Some(Ok(true)),
        hosts: Some(Ok(vec![("127.0.0.1".to_owned(), vec!["localhost".to_owned()])])),
        haproxy: Some(("/etc/haproxy/haproxy.cfg".to_owned(), Ok(haproxy()))),
        watchdog: Some(("/dev/watchdog".to_owned(), Ok(true))),
    }
}
