//! Target groups, load balancers and their listeners.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use repoint_domain::decide::verdict::verdict;
use repoint_domain::doctor::check::Severity::{Critical, Info, Warning};
use repoint_domain::doctor::facts::Facts;
use repoint_domain::doctor::facts::balancer::BalancerDescription;
use repoint_domain::doctor::facts::group::{GroupDescription, GroupFacts, TargetState};
use repoint_domain::doctor::facts::network::{Instance, Rule, SecurityGroup};
use repoint_domain::observed::ClusterMember;
use repoint_domain::plan::plan;
use repoint_domain::spec::{GroupSpec, Reached, Strategy};
use repoint_domain::state::{Lease, State};
use repoint_domain::values::arn::VpcId;
use repoint_domain::values::cluster::{Address, ClusterRole, Role, SiteName, Timeline};
use repoint_domain::values::listener::{Listener, Stickiness};
use repoint_domain::values::target::{Family, TargetGroup, TargetType};
use repoint_domain::values::timestamp::Timestamp;

use super::{Case, examined, finds, plain, silent};
use crate::support::evidence::{
    GROUP, arn, forward, host, ip_group, listener_arn, member_group, members_in, name, reader_spec, target,
    warm_spec, weighted_spec,
};
use crate::support::setup::{balancer_facts, group_facts, region, set};

pub const CASES: &[Case] = &[
    // The load balancer's security groups, towards clients.
    finds("no rule allows the listener's port", "balancer_closed_to_clients", Critical, |facts| {
        security_group(facts, "sg-balancer").ingress = vec![tcp(6432, &["0.0.0.0/0"])];
    }),
    silent("clients of one address may connect", |facts| {
        security_group(facts, "sg-balancer").ingress = vec![tcp(5432, &["10.7.0.1/32"])];
    }),
    // The load balancer's security groups, towards the members.
    finds("no outbound rule allows the health check", "balancer_closed_to_nodes", Critical, |facts| {
        security_group(facts, "sg-balancer").egress = vec![tcp(5432, &["10.0.0.0/16"])];
    }),
    finds("no outbound rule allows one of the members", "balancer_closed_to_nodes", Critical, |facts| {
        let both = |network: &'static str| [tcp(5432, &[network]), tcp(8008, &[network])];
        security_group(facts, "sg-balancer").egress = both("10.0.1.8/30").to_vec();
    }),
    silent("outbound rules name the members' security group", |facts| {
        security_group(facts, "sg-balancer").egress =
            vec![of_group("sg-nodes", 5432), of_group("sg-nodes", 8008)];
    }),
    // The members' security groups.
    finds("PostgreSQL's port is closed", "nodes_closed_to_balancer", Critical, |facts| {
        security_group(facts, "sg-nodes").ingress =
            vec![of_group("sg-balancer", 8008), of_group("sg-function", 8008)];
    }),
    finds(
        "the health check's port is open to the Lambda alone",
        "nodes_closed_to_balancer",
        Critical,
        |facts| {
            security_group(facts, "sg-nodes").ingress =
                vec![of_group("sg-balancer", 5432), of_group("sg-function", 8008)];
        },
    ),
    finds("one member has another security group", "nodes_closed_to_balancer", Critical, |facts| {
        instance(facts, 3).security_groups = vec!["sg-function".to_owned()];
    }),
    finds(
        "the health check's port is open to clients alone",
        "nodes_closed_to_balancer",
        Critical,
        |facts| {
            let rules =
                vec![tcp(5432, &["10.0.0.0/16"]), tcp(8008, &["10.7.0.0/16"]), of_group("sg-function", 8008)];
            security_group(facts, "sg-nodes").ingress = rules;
        },
    ),
    finds(
        "clients' addresses are kept, and only clients may connect",
        "client_ip_preserved",
        Warning,
        |facts| {
            set(&mut group_facts(facts).attributes, "preserve_client_ip.enabled", "true");
            let health = [of_group("sg-balancer", 8008), of_group("sg-function", 8008)];
            security_group(facts, "sg-nodes").ingress =
                [&[tcp(5432, &["10.7.0.0/16"])], &health[..]].concat();
        },
    ),
    silent("the members allow the load balancer's subnets", |facts| {
        let open = |port| tcp(port, &["10.0.1.0/24", "10.0.2.0/23"]);
        security_group(facts, "sg-nodes").ingress =
            vec![open(5432), open(8008), of_group("sg-function", 8008)];
    }),
    silent(
        "the health check asks the port of the traffic, and Patroni's is closed to the load balancer",
        |facts| {
            tcp_check(facts);
            security_group(facts, "sg-nodes").ingress =
                vec![of_group("sg-balancer", 5432), of_group("sg-function", 8008)];
        },
    ),
    silent("the members listen on a pooler's port", |facts| {
        spec(facts).port = Some(6432);
        let target = &mut group_facts(facts).targets.as_mut().unwrap()[0].target;
        target.port = 6432;
        security_group(facts, "sg-nodes").ingress.push(of_group("sg-balancer", 6432));
    }),
    silent("a member that is never promoted is closed", |facts| {
        instance(facts, 3).security_groups = vec!["sg-function".to_owned()];
        each_listed(facts, |listed| listed.nofailover |= listed.name == name(3));
    }),
    // The load balancer itself.
    finds("the load balancer is public", "balancer_internet_facing", Warning, |facts| {
        description(facts).scheme = "internet-facing".to_owned();
    }),
    finds("the load balancer has failed", "balancer_not_active", Critical, |facts| {
        description(facts).state = "failed".to_owned();
    }),
    finds("the load balancer lacks addresses", "balancer_not_active", Warning, |facts| {
        description(facts).state = "active_impaired".to_owned();
    }),
    silent("the load balancer is new", |facts| description(facts).state = "provisioning".to_owned()),
    finds("the load balancer may be deleted", "balancer_not_protected", Info, |facts| {
        set(&mut balancer_facts(facts).attributes, "deletion_protection.enabled", "false");
    }),
    finds("the load balancer has no security groups", "balancer_without_security_groups", Info, |facts| {
        description(facts).security_groups.clear();
        let open = |port| tcp(port, &["10.0.0.0/16"]);
        security_group(facts, "sg-nodes").ingress = vec![open(5432), open(8008)];
    }),
    finds("a member's zone is not enabled", "balancer_zone_missing", Critical, |facts| {
        description(facts).subnets.pop();
    }),
    silent("members are outside the VPC, and their zone is configured", |facts| {
        description(facts).subnets.pop();
        spec(facts).availability_zone = Some("all".to_owned());
    }),
    silent("targets are in all zones", |facts| {
        description(facts).subnets.pop();
        group_facts(facts).targets.as_mut().unwrap()[0].zone = Some("all".to_owned());
    }),
    // Attributes of the group.
    finds("clients' addresses are kept", "client_ip_preserved", Warning, |facts| {
        set(&mut group_facts(facts).attributes, "preserve_client_ip.enabled", "true");
    }),
    finds("cross-zone is off", "cross_zone_off", Critical, |facts| {
        set(&mut group_facts(facts).attributes, "load_balancing.cross_zone.enabled", "false");
    }),
    finds("the group uses the load balancer's, which is off", "cross_zone_off", Critical, |facts| {
        set(
            &mut group_facts(facts).attributes,
            "load_balancing.cross_zone.enabled",
            "use_load_balancer_configuration",
        );
        set(&mut balancer_facts(facts).attributes, "load_balancing.cross_zone.enabled", "false");
    }),
    silent("the group uses the load balancer's, which is on", |facts| {
        set(
            &mut group_facts(facts).attributes,
            "load_balancing.cross_zone.enabled",
            "use_load_balancer_configuration",
        );
    }),
    silent("the load balancer is in one zone, as the members are", |facts| {
        set(&mut group_facts(facts).attributes, "load_balancing.cross_zone.enabled", "false");
        description(facts).subnets.truncate(1);
        one_zone(facts);
    }),
    silent("the members are in one zone of several", |facts| {
        set(&mut group_facts(facts).attributes, "load_balancing.cross_zone.enabled", "false");
        one_zone(facts);
    }),
    silent("readers are in several zones", |facts| {
        set(&mut group_facts(facts).attributes, "load_balancing.cross_zone.enabled", "false");
        readers(facts);
    }),
    finds("connections outlive a deregistration", "deregistered_keeps_sessions", Warning, |facts| {
        set(
            &mut group_facts(facts).attributes,
            "deregistration_delay.connection_termination.enabled",
            "false",
        );
    }),
    finds("connections end after five minutes", "deregistered_keeps_sessions", Warning, |facts| {
        set(&mut group_facts(facts).attributes, "deregistration_delay.timeout_seconds", "300");
    }),
    silent("a warm group deregisters no former primary", |facts| {
        warm(facts, 1);
        set(&mut group_facts(facts).attributes, "deregistration_delay.timeout_seconds", "300");
    }),
    silent("a replica that leaves finishes its sessions", |facts| {
        readers(facts);
        set(
            &mut group_facts(facts).attributes,
            "deregistration_delay.connection_termination.enabled",
            "false",
        );
    }),
    finds("connections outlive a failed health check", "unhealthy_keeps_sessions", Warning, |facts| {
        warm(facts, 1);
        set(
            &mut group_facts(facts).attributes,
            "target_health_state.unhealthy.connection_termination.enabled",
            "false",
        );
    }),
    silent("an exclusive group has the primary alone", |facts| {
        set(
            &mut group_facts(facts).attributes,
            "target_health_state.unhealthy.connection_termination.enabled",
            "false",
        );
    }),
    finds("the proxy protocol is on", "proxy_protocol_on", Critical, |facts| {
        set(&mut group_facts(facts).attributes, "proxy_protocol_v2.enabled", "true");
    }),
    silent("the proxy protocol is on for a pooler on another port", |facts| {
        set(&mut group_facts(facts).attributes, "proxy_protocol_v2.enabled", "true");
        pooler(facts);
    }),
    finds("two targets must be healthy", "minimum_healthy_targets", Critical, |facts| {
        let name = "target_group_health.dns_failover.minimum_healthy_targets.count";
        set(&mut group_facts(facts).attributes, name, "2");
    }),
    finds("half of a warm group must be healthy", "minimum_healthy_targets", Critical, |facts| {
        warm(facts, 1);
        let name = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage";
        set(&mut group_facts(facts).attributes, name, "50");
    }),
    silent("a third of a warm group must be healthy, and all of an exclusive one", |facts| {
        let name = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage";
        set(&mut group_facts(facts).attributes, name, "100");
        set(
            &mut group_facts(facts).attributes,
            "target_group_health.dns_failover.minimum_healthy_targets.count",
            "off",
        );
    }),
    silent("a third of a warm group must be healthy", |facts| {
        warm(facts, 1);
        let name = "target_group_health.dns_failover.minimum_healthy_targets.percentage";
        set(&mut group_facts(facts).attributes, name, "33");
    }),
    // The group and its health check.
    finds("the group takes load balancers", "group_of_other_type", Critical, |facts| {
        group(facts).target_type = "alb".to_owned();
    }),
    finds("no load balancer forwards to the group", "group_unattached", Critical, |facts| {
        group(facts).balancers.clear();
        group_facts(facts).targets.as_mut().unwrap()[0].state = "unused".to_owned();
    }),
    silent("each member has a group behind one listener", |facts| {
        weighted(facts, &[(1, 100), (2, 0), (3, 0)]);
    }),
    finds("the health check has AWS's defaults", "health_check_slow", Warning, |facts| {
        let check = &mut group(facts).check;
        (check.interval_seconds, check.healthy_threshold, check.unhealthy_threshold) = (30, 5, 2);
    }),
    silent("the health check of groups with weights is slow", |facts| {
        weighted(facts, &[(1, 100), (2, 0), (3, 0)]);
        for its in facts.groups.values_mut() {
            its.group.as_mut().unwrap().check.interval_seconds = 30;
        }
    }),
    finds("the health check of a warm group is TCP", "health_check_unfit", Critical, |facts| {
        tcp_check(facts);
        warm(facts, 1);
    }),
    finds("a health check with HTTP asks the port of the traffic", "health_check_unfit", Critical, |facts| {
        group(facts).check.port = "traffic-port".to_owned();
        warm(facts, 1);
    }),
    finds(
        "the health check of a warm group of readers finds the primary",
        "health_check_unfit",
        Critical,
        |facts| {
            readers(facts);
            spec(facts).strategy = Strategy::Warm { deregister_after_ms: 0 };
        },
    ),
    silent("a health check of TCP in an exclusive group", tcp_check),
    finds(
        "a health check of one of several groups asks for the primary",
        "weighted_asks_role",
        Warning,
        |facts| {
            weighted(facts, &[(1, 100), (2, 0), (3, 0)]);
            let its = facts.groups.get_mut(&member_group(2)).unwrap();
            let check = &mut its.group.as_mut().unwrap().check;
            (check.protocol, check.port, check.path) =
                ("HTTP".to_owned(), "8008".to_owned(), Some("/primary".to_owned()));
        },
    ),
    silent("a warm group", |facts| warm(facts, 1)),
    finds("a member has no address of the group's family", "member_unplaced", Critical, |facts| {
        let group = TargetGroup { family: Family::Ipv6, ..ip_group(&[]) };
        facts.clusters[0].observed.groups.insert(arn(GROUP), Ok(group));
    }),
    silent("a host name has addresses of both families", |facts| {
        let group = TargetGroup { family: Family::Ipv6, ..ip_group(&[]) };
        facts.clusters[0].observed.groups.insert(arn(GROUP), Ok(group));
        each_listed(facts, |listed| {
            let host = format!("{}.example.com", listed.name);
            listed.address = Some(Address { host, port: 5432 });
        });
        for number in 1..=3 {
            let addresses = ["2001:db8::1", &host(number)].map(|address| address.parse().unwrap());
            let name = format!("{}.example.com", name(number));
            facts.clusters[0].observed.names.insert(name, Ok(addresses.to_vec()));
        }
    }),
    // What a pass would do.
    finds("another member is registered", "endpoint_behind", Critical, |facts| register(facts, &[2])),
    finds("a replica is missing among the readers", "endpoint_behind", Warning, |facts| {
        readers(facts);
        register(facts, &[2]);
    }),
    finds("a group of a set is behind no listener", "endpoint_behind", Critical, |facts| {
        weighted(facts, &[(1, 100), (2, 0)]);
        let its = facts.groups.get_mut(&member_group(3)).unwrap();
        its.group.as_mut().unwrap().balancers.clear();
    }),
    // Targets.
    finds("the primary's target is unhealthy", "targets_unhealthy", Critical, |facts| {
        group_facts(facts).targets.as_mut().unwrap()[0].state = "unhealthy".to_owned();
    }),
    finds("the group is empty", "targets_unhealthy", Critical, |facts| {
        group_facts(facts).targets = Ok(Vec::new());
    }),
    finds("the target is on its way out", "targets_unhealthy", Critical, |facts| {
        group_facts(facts).targets.as_mut().unwrap()[0].state = "draining".to_owned();
    }),
    finds("a replica is healthy in a warm group", "targets_unhealthy", Critical, |facts| warm(facts, 2)),
    finds("the group of the primary is unhealthy", "targets_unhealthy", Critical, |facts| {
        weighted(facts, &[(1, 100), (2, 0), (3, 0)]);
        let its = facts.groups.get_mut(&member_group(1)).unwrap();
        its.targets.as_mut().unwrap()[0].state = "unhealthy".to_owned();
    }),
    silent("the group of a replica is unhealthy", |facts| {
        weighted(facts, &[(1, 100), (2, 0), (3, 0)]);
        let its = facts.groups.get_mut(&member_group(2)).unwrap();
        its.targets.as_mut().unwrap()[0].state = "unhealthy".to_owned();
    }),
    finds("no reader is healthy", "targets_unhealthy", Warning, |facts| {
        readers(facts);
        for target in group_facts(facts).targets.as_mut().unwrap() {
            "unhealthy".clone_into(&mut target.state);
        }
    }),
    silent("one of two readers is healthy", |facts| {
        readers(facts);
        group_facts(facts).targets.as_mut().unwrap()[0].state = "unhealthy".to_owned();
    }),
    silent("the primary stands in for readers, and is no replica", |facts| {
        readers(facts);
        each_listed(facts, |listed| listed.noloadbalance = true);
        register(facts, &[1]);
        group_facts(facts).targets.as_mut().unwrap()[0].state = "unhealthy".to_owned();
    }),
    silent("the standby cluster has no writer", |facts| {
        let observed = &mut facts.clusters[0].observed;
        for answer in members_in(observed).values_mut() {
            answer.status.as_mut().unwrap().answers_primary = false;
            let leader = &mut answer.view.as_mut().unwrap().members[0];
            leader.role = ClusterRole::StandbyLeader;
        }
        let (_, answer) = members_in(observed).iter_mut().next().unwrap();
        answer.status.as_mut().unwrap().role = Role::StandbyLeader;
        group_facts(facts).targets.as_mut().unwrap()[0].state = "unhealthy".to_owned();
        replan(facts);
    }),
    finds("traffic is shifted away from the primary's zone", "zonal_shift", Critical, |facts| {
        let shifted = Some("zonal_shift_active".to_owned());
        group_facts(facts).targets.as_mut().unwrap()[0].administrative_override = shifted;
    }),
    finds("traffic is shifted away from a replica's zone", "zonal_shift", Warning, |facts| {
        warm(facts, 1);
        let shifted = Some("zonal_shift_active".to_owned());
        group_facts(facts).targets.as_mut().unwrap()[2].administrative_override = shifted;
    }),
    silent("no override is there", |facts| {
        let none = Some("no_override".to_owned());
        group_facts(facts).targets.as_mut().unwrap()[0].administrative_override = none;
    }),
    // Listeners.
    finds("PostgreSQL's keepalive comes after the idle timeout", "keepalive_too_late", Warning, |facts| {
        parameter(facts, "tcp_keepalives_idle", Some("6min"));
    }),
    finds("PostgreSQL's keepalive is the operating system's", "keepalive_too_late", Info, |facts| {
        parameter(facts, "tcp_keepalives_idle", None);
    }),
    finds("the idle timeout is short", "keepalive_too_late", Warning, |facts| {
        let listener = &mut balancer_facts(facts).listeners.as_mut().unwrap()[0];
        set(&mut listener.attributes, "tcp.idle_timeout.seconds", "60");
    }),
    silent("the idle timeout is longer than an hour", |facts| {
        parameter(facts, "tcp_keepalives_idle", Some("1h"));
        let listener = &mut balancer_facts(facts).listeners.as_mut().unwrap()[0];
        set(&mut listener.attributes, "tcp.idle_timeout.seconds", "6000");
    }),
    silent("a pooler has keepalives of its own", |facts| {
        parameter(facts, "tcp_keepalives_idle", None);
        pooler(facts);
    }),
    finds("the listener speaks TLS", "listener_not_tcp", Critical, |facts| {
        balancer_facts(facts).listeners.as_mut().unwrap()[0].protocol = "TLS".to_owned();
    }),
    silent("the listener carries UDP as well", |facts| {
        balancer_facts(facts).listeners.as_mut().unwrap()[0].protocol = "TCP_UDP".to_owned();
    }),
    finds("the listener keeps clients with a group", "listener_sticky", Warning, |facts| {
        weighted(facts, &[(1, 100), (2, 0), (3, 0)]);
        let listeners = &mut facts.clusters[0].observed.listeners;
        let Some(Ok(Listener::Forward(its))) = listeners.get_mut(&listener_arn()) else {
            panic!("no listener")
        };
        its.stickiness = Some(Stickiness { enabled: Some(true), duration_seconds: None });
    }),
    finds("a group with a weight is sticky", "listener_sticky", Warning, |facts| {
        weighted(facts, &[(1, 100), (2, 0), (3, 0)]);
        set(&mut facts.groups.get_mut(&member_group(2)).unwrap().attributes, "stickiness.enabled", "true");
    }),
    silent("a group without weights is sticky", |facts| {
        set(&mut group_facts(facts).attributes, "stickiness.enabled", "true");
    }),
    // Several sites.
    silent("the group of another site than the primary's is empty", |facts| {
        spec(facts).site = Some(SiteName::new("elsewhere"));
        group_facts(facts).targets = Ok(Vec::new());
    }),
];

/// These checks are about more than was read, and nothing else is wrong.
#[track_caller]
fn not_checked(change: fn(&mut Facts), ids: &[&str], why: &str) {
    let report = examined(change);
    assert!(report.findings.is_empty(), "{}", plain(&report));
    let gaps = report.not_checked.iter().filter(|gap| gap.message.contains(why));
    let found: BTreeSet<&str> = gaps.flat_map(|gap| gap.ids.iter().copied()).collect();
    assert_eq!(found, ids.iter().copied().collect(), "{why}: {}", plain(&report));
}

#[test]
fn what_is_not_known_of_a_member_is_not_checked() {
    let of_network = ["balancer_closed_to_nodes", "balancer_zone_missing", "nodes_closed_to_balancer"];
    let no_instance = "no running EC2 instance in the VPC of pg-writer has 10.99.0.12, the address of pg2";
    not_checked(
        |facts| {
            let elsewhere = Address { host: "10.99.0.12".to_owned(), port: 5432 };
            each_listed(facts, |listed| {
                if listed.name == name(2) {
                    listed.address = Some(elsewhere.clone());
                }
            });
        },
        &of_network,
        no_instance,
    );
    not_checked(
        |facts| instance(facts, 2).vpc = Some(VpcId::new("vpc-other")),
        &of_network,
        "has 10.0.1.12, the address of pg2",
    );
    not_checked(
        |facts| each_listed(facts, |listed| listed.address = None),
        &[&of_network[..], &["member_unplaced"]].concat(),
        "no readable /cluster says where the PostgreSQL of pg1 listens",
    );
}

#[test]
fn what_is_wrong_with_one_member_is_found_beside_one_that_is_not_known() {
    let report = examined(|facts| {
        instance(facts, 2).vpc = Some(VpcId::new("vpc-other"));
        instance(facts, 3).security_groups = vec!["sg-function".to_owned()];
    });
    let [finding] = &report.findings[..] else { panic!("{}", plain(&report)) };
    assert!(finding.found.contains(" on pg3 "), "{}", finding.found);
}

#[test]
fn an_instance_in_another_vpc_is_no_target() {
    let report = examined(|facts| {
        let group = TargetGroup { target_type: TargetType::Instance, ..ip_group(&[]) };
        facts.clusters[0].observed.groups.insert(arn(GROUP), Ok(group));
        instance(facts, 2).vpc = Some(VpcId::new("vpc-other"));
    });
    let [finding] = &report.findings[..] else { panic!("{}", plain(&report)) };
    assert_eq!(finding.found, "pg2 is i-0002 in vpc-other, and the group is in vpc-0a1b");
}

#[test]
fn an_endpoint_is_not_behind_while_a_pass_is_being_made() {
    fn with_lease(facts: &mut Facts, seconds_ago: u64) {
        register(facts, &[2]);
        let since = Timestamp(facts.at.0 - seconds_ago * 1000);
        let lease = Lease { by: "db1".to_owned(), revision: 7, timeline: Timeline(3), since, moves: None };
        facts.clusters[0].state.as_mut().unwrap().lease = Some(lease);
    }
    not_checked(|facts| with_lease(facts, 2), &["endpoint_behind"], "db1 is making a pass");
    assert_eq!(examined(|facts| with_lease(facts, 60)).findings.len(), 1, "the process has died");
}

#[test]
fn new_targets_are_not_judged_before_their_first_health_checks() {
    not_checked(
        |facts| group_facts(facts).targets.as_mut().unwrap()[0].state = "initial".to_owned(),
        &["targets_unhealthy"],
        "have just begun",
    );
}

#[test]
fn a_remedy_is_a_command_or_a_setting() {
    let (mut seen, mut text) = (BTreeSet::new(), String::new());
    for case in CASES.iter().filter(|case| case.finds.is_some()) {
        for finding in examined(case.change).findings.into_iter().filter(|finding| seen.insert(finding.id)) {
            let _ = writeln!(text, "{}: {}\n  {}", finding.id, finding.found, finding.remedy);
        }
    }
    insta::assert_snapshot!(text, @r##"
    balancer_closed_to_clients: no rule of sg-balancer allows TCP port 5432
      aws ec2 authorize-security-group-ingress --region us-east-1 --group-id sg-balancer --protocol tcp --port 5432 --cidr NETWORK_OF_THE_CLIENTS
    balancer_closed_to_nodes: no outbound rule of sg-balancer allows TCP port 8008 of pg1, pg2, pg3
      aws ec2 authorize-security-group-egress --region us-east-1 --group-id sg-balancer --ip-permissions 'IpProtocol=tcp,FromPort=8008,ToPort=8008,UserIdGroupPairs=[{GroupId=sg-nodes}]'
    nodes_closed_to_balancer: no rule of sg-nodes on pg1, pg2, pg3 allows TCP port 5432 from pg
      aws ec2 authorize-security-group-ingress --region us-east-1 --group-id sg-nodes --ip-permissions 'IpProtocol=tcp,FromPort=5432,ToPort=5432,UserIdGroupPairs=[{GroupId=sg-balancer}]'
    client_ip_preserved: preserve_client_ip.enabled is true
      aws elbv2 modify-target-group-attributes --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33 --attributes Key=preserve_client_ip.enabled,Value=false
    balancer_internet_facing: Scheme is internet-facing
      the scheme of a load balancer cannot be changed; create another one: aws elbv2 create-load-balancer --region us-east-1 --type network --scheme internal --name pg-internal --subnets subnet-a subnet-b subnet-c
    balancer_not_active: State.Code is failed
      delete the load balancer pg and create it again
    balancer_not_protected: deletion_protection.enabled is false
      aws elbv2 modify-load-balancer-attributes --region us-east-1 --load-balancer-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188 --attributes Key=deletion_protection.enabled,Value=true
    balancer_without_security_groups: SecurityGroups is empty
      with the next load balancer: aws elbv2 create-load-balancer --region us-east-1 --type network --scheme internal --name pg-2 --subnets subnet-a subnet-b subnet-c --security-groups SECURITY_GROUP
    balancer_zone_missing: pg3 in us-east-1c; the load balancer is in us-east-1a, us-east-1b
      aws elbv2 set-subnets --region us-east-1 --load-balancer-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188 --subnets subnet-a subnet-b subnet-c
    cross_zone_off: load_balancing.cross_zone.enabled is false for pg-writer
      aws elbv2 modify-target-group-attributes --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33 --attributes Key=load_balancing.cross_zone.enabled,Value=true
    deregistered_keeps_sessions: deregistration_delay.connection_termination.enabled is false, deregistration_delay.timeout_seconds is 10
      aws elbv2 modify-target-group-attributes --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33 --attributes Key=deregistration_delay.connection_termination.enabled,Value=true Key=deregistration_delay.timeout_seconds,Value=10
    unhealthy_keeps_sessions: target_health_state.unhealthy.connection_termination.enabled is false
      aws elbv2 modify-target-group-attributes --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33 --attributes Key=target_health_state.unhealthy.connection_termination.enabled,Value=true
    proxy_protocol_on: proxy_protocol_v2.enabled is true
      aws elbv2 modify-target-group-attributes --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33 --attributes Key=proxy_protocol_v2.enabled,Value=false
    minimum_healthy_targets: target_group_health.dns_failover.minimum_healthy_targets.count is 2
      aws elbv2 modify-target-group-attributes --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33 --attributes Key=target_group_health.dns_failover.minimum_healthy_targets.count,Value=1
    group_of_other_type: TargetType is alb
      create another group: aws elbv2 create-target-group --region us-east-1 --name pg-writer-ip --target-type ip --protocol TCP --port 5432 --vpc-id vpc-0a1b
    group_unattached: LoadBalancerArns is empty
      aws elbv2 create-listener --region us-east-1 --load-balancer-arn LOAD_BALANCER_ARN --protocol TCP --port 5432 --default-actions Type=forward,TargetGroupArn=arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33
    health_check_slow: a check every 30 s, 5 in a row until healthy and 2 until unhealthy
      aws elbv2 modify-target-group --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33 --health-check-interval-seconds 5 --health-check-timeout-seconds 2 --healthy-threshold-count 2 --unhealthy-threshold-count 2
    health_check_unfit: its health check is TCP, which every member passes; use HTTP, port 8008, path /primary, codes 200
      aws elbv2 modify-target-group --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33 --health-check-protocol HTTP --health-check-port 8008 --health-check-path /primary --matcher HttpCode=200
    weighted_asks_role: HealthCheckPath is /primary
      aws elbv2 modify-target-group --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg2/0000000000000002 --health-check-protocol TCP --health-check-port traffic-port
    member_unplaced: pg1 has 10.0.1.11, and the group takes IPv6 addresses
      in the configuration, below `addresses` of the cluster: pg1 = "IPv6 ADDRESS"
    endpoint_behind: target group pg-writer (us-east-1) needs: register 10.0.1.11:5432; deregister 10.0.1.12:5432
      repoint run --cluster batman
    targets_unhealthy: 10.0.1.11:5432 is unhealthy
      in a subnet of the load balancer: curl -i --max-time 2 http://10.0.1.11:8008/primary; where that fails, correct the health check or what answers it; where it does not, open port 8008 to the load balancer's addresses in the network ACLs and on the host
    zonal_shift: AdministrativeOverride of 10.0.1.11:5432 in us-east-1a is a zonal shift
      patronictl switchover batman, to a member in another zone; or end the shift, whose id is in `aws arc-zonal-shift list-zonal-shifts --region us-east-1 --resource-identifier arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188`: aws arc-zonal-shift cancel-zonal-shift --region us-east-1 --zonal-shift-id ID
    keepalive_too_late: tcp_keepalives_idle is 360 s in Patroni cluster batman, tcp.idle_timeout.seconds is 350
      patronictl edit-config batman --pg tcp_keepalives_idle=60
    listener_not_tcp: Protocol is TLS, and TCP of pg-writer
      aws elbv2 modify-listener --region us-east-1 --listener-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2 --protocol TCP
    listener_sticky: TargetGroupStickinessConfig is enabled
      aws elbv2 modify-listener --region us-east-1 --listener-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2 --default-actions '[{"Type":"forward","ForwardConfig":{"TargetGroups":[{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg1/0000000000000001","Weight":100},{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg2/0000000000000002","Weight":0},{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg3/0000000000000003","Weight":0}]}}]'
    "##);
}

fn spec(facts: &mut Facts) -> &mut GroupSpec {
    &mut facts.clusters[0].spec.groups[0]
}

fn group(facts: &mut Facts) -> &mut GroupDescription {
    group_facts(facts).group.as_mut().unwrap()
}

fn description(facts: &mut Facts) -> &mut BalancerDescription {
    balancer_facts(facts).balancer.as_mut().unwrap()
}

fn security_group<'a>(facts: &'a mut Facts, id: &str) -> &'a mut SecurityGroup {
    facts.networks.get_mut(&region()).unwrap().security_groups.as_mut().unwrap().get_mut(id).unwrap()
}

/// The interface of pg`number`.
fn instance(facts: &mut Facts, number: u8) -> &mut Instance {
    let instances = facts.networks.get_mut(&region()).unwrap().instances.as_mut().unwrap();
    &mut instances.get_mut(&host(number).parse().unwrap()).unwrap()[0]
}

fn one_zone(facts: &mut Facts) {
    for number in 1..=3 {
        instance(facts, number).zone = Some("us-east-1a".to_owned());
    }
}

fn tcp(port: u16, networks: &[&str]) -> Rule {
    let networks = networks.iter().map(ToString::to_string).collect();
    Rule { protocol: "tcp".to_owned(), from: Some(port), to: Some(port), networks, ..Rule::default() }
}

fn of_group(id: &str, port: u16) -> Rule {
    Rule { groups: vec![id.to_owned()], ..tcp(port, &[]) }
}

fn parameter(facts: &mut Facts, name: &str, value: Option<&str>) {
    let config = facts.clusters[0].config.get_mut(&None).unwrap().as_mut().unwrap();
    config.parameters.remove(name);
    config.parameters.extend(value.map(|value| (name.to_owned(), value.to_owned())));
}

/// Every member's entry in every `/cluster`.
fn each_listed(facts: &mut Facts, change: impl Fn(&mut ClusterMember)) {
    for answer in members_in(&mut facts.clusters[0].observed).values_mut() {
        answer.view.as_mut().unwrap().members.iter_mut().for_each(&change);
    }
}

/// Clients reach each member through a pooler on the same address.
fn pooler(facts: &mut Facts) {
    let cluster = &mut facts.clusters[0];
    for number in 1..=3 {
        let reached = Reached { host: host(number), port: Some(6432) };
        cluster.spec.sites[0].addresses.insert(name(number), reached);
    }
}

fn tcp_check(facts: &mut Facts) {
    let check = &mut group(facts).check;
    (check.protocol, check.port, check.path, check.codes) =
        ("TCP".to_owned(), "traffic-port".to_owned(), None, None);
}

/// These members are registered and healthy.
fn register(facts: &mut Facts, numbers: &[u8]) {
    let template = group_facts(facts).targets.as_ref().unwrap()[0].clone();
    let targets =
        numbers.iter().map(|number| TargetState { target: target(&host(*number), 5432), ..template.clone() });
    group_facts(facts).targets = Ok(targets.collect());
    let hosts: Vec<String> = numbers.iter().map(|number| host(*number)).collect();
    let hosts: Vec<(&str, &str)> = hosts.iter().map(|host| (host.as_str(), "healthy")).collect();
    facts.clusters[0].observed.groups.insert(arn(GROUP), Ok(ip_group(&hosts)));
    replan(facts);
}

/// A reader's group, with both replicas in it.
fn readers(facts: &mut Facts) {
    *spec(facts) = reader_spec(1 << 20);
    register(facts, &[2, 3]);
}

/// A warm group, in which that member alone is healthy.
fn warm(facts: &mut Facts, healthy: u8) {
    *spec(facts) = warm_spec(0);
    let state = |number| if number == healthy { "healthy" } else { "unhealthy" };
    let template = group_facts(facts).targets.as_ref().unwrap()[0].clone();
    let targets = (1..=3).map(|number| TargetState {
        target: target(&host(number), 5432),
        state: state(number).to_owned(),
        ..template.clone()
    });
    group_facts(facts).targets = Ok(targets.collect());
    let hosts: Vec<(String, &str)> = (1..=3).map(|number| (host(number), state(number))).collect();
    let hosts: Vec<(&str, &str)> = hosts.iter().map(|(host, state)| (host.as_str(), *state)).collect();
    let check = Some((&group(facts).check).into());
    let group = TargetGroup { check, ..ip_group(&hosts) };
    facts.clusters[0].observed.groups.insert(arn(GROUP), Ok(group));
    replan(facts);
}

/// A group for each member behind the listener, with these weights; the health checks are of TCP.
fn weighted(facts: &mut Facts, weights: &[(u8, u32)]) {
    tcp_check(facts);
    let template = facts.groups.remove(&arn(GROUP)).unwrap();
    let cluster = &mut facts.clusters[0];
    cluster.spec.groups = (1..=3).map(weighted_spec).collect();
    cluster.observed.groups =
        (1..=3).map(|number| (member_group(number), Ok(ip_group(&[(&host(number), "healthy")])))).collect();
    let forward = Listener::Forward(forward(weights));
    cluster.observed.listeners = BTreeMap::from([(listener_arn(), Ok(forward))]);
    for number in 1..=3 {
        let mut its: GroupFacts = template.clone();
        its.targets.as_mut().unwrap()[0].target = target(&host(number), 5432);
        facts.groups.insert(member_group(number), its);
    }
    let groups = weights.iter().map(|(number, _)| member_group(*number).as_str().to_owned());
    balancer_facts(facts).listeners.as_mut().unwrap()[0].groups = groups.collect();
    replan(facts);
}

/// Decides and plans again, after a change of what a pass observes.
fn replan(facts: &mut Facts) {
    let cluster = &mut facts.clusters[0];
    let state = State::default();
    cluster.verdict = verdict(&cluster.spec, &cluster.observed, &state);
    cluster.plan = plan(&cluster.spec, &cluster.observed, &cluster.verdict, &state, Timestamp(0));
}
