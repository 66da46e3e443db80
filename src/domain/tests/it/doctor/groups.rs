//! Target groups: their attributes, health checks and targets, and what a pass would change of them.

use repoint_domain::doctor::check::Severity::{Critical, Warning};
use repoint_domain::doctor::facts::Facts;
use repoint_domain::spec::Strategy;
use repoint_domain::state::Lease;
use repoint_domain::values::arn::VpcId;
use repoint_domain::values::cluster::{Address, ClusterRole, Role, SiteName, Timeline};
use repoint_domain::values::target::{Family, TargetGroup, TargetType};
use repoint_domain::values::timestamp::Timestamp;

use super::{Case, examined, finds, not_checked, plain, remedies, silent};
use crate::support::changes::{
    balancer, each_listed, group, group_spec_of, instance, of_group, pooler, readers, register, replan,
    security_group, tcp, tcp_check, warm, weighted,
};
use crate::support::evidence::{GROUP, arn, host, ip_group, member_group, members_in, name};
use crate::support::setup::{balancer_facts, group_facts, set};

pub const CASES: &[Case] = &[
    // Attributes of the group.
    finds("clients' addresses are kept", "client_ip_preserved", Warning, |facts| {
        set(&mut group_facts(facts).attributes, "preserve_client_ip.enabled", "true");
    }),
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
        balancer(facts).subnets.truncate(1);
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
            group_spec_of(facts).strategy = Strategy::Warm { deregister_after_ms: 0 };
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
    // Several sites.
    silent("the group of another site than the primary's is empty", |facts| {
        group_spec_of(facts).site = Some(SiteName::new("elsewhere"));
        group_facts(facts).targets = Ok(Vec::new());
    }),
];

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
    insta::assert_snapshot!(remedies(CASES), @r##"
    client_ip_preserved: preserve_client_ip.enabled is true
      aws elbv2 modify-target-group-attributes --region us-east-1 --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33 --attributes Key=preserve_client_ip.enabled,Value=false
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
    "##);
}

fn one_zone(facts: &mut Facts) {
    for number in 1..=3 {
        instance(facts, number).zone = Some("us-east-1a".to_owned());
    }
}
