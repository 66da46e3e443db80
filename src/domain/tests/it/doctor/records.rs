//! Record sets, hosted zones and health checks.

use repoint_domain::doctor::check::Severity::{Critical, Info, Warning};
use repoint_domain::doctor::facts::Facts;
use repoint_domain::doctor::facts::record::HealthCheck;
use repoint_domain::spec::{PointsTo, Reached, RecordSpec};
use repoint_domain::values::arn::VpcId;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{Alias, Answer, Failover, RecordSet, RecordType, ZoneId};

use super::{Case, finds, silent, unknown};
use crate::support::evidence::{
    alias, failover_spec, member_group, name, place, record, records, weighted_spec,
};
use crate::support::setup::{BALANCER, HEALTH_CHECK, group_facts, region};

const DNS_NAME: &str = "pg-50dc6c495c0c9188.elb.us-east-1.amazonaws.com";

/// Puts these record sets, as configured and as read, in the place of the one that is right.
fn with(facts: &mut Facts, sets: impl IntoIterator<Item = (RecordSpec, RecordSet)>) {
    let cluster = &mut facts.clusters[0];
    let (specs, sets): (Vec<_>, Vec<_>) = sets.into_iter().unzip();
    (cluster.spec.records, cluster.observed.records) = (specs, records(sets));
}

/// A failover pair whose PRIMARY has the health check.
fn pair(facts: &mut Facts) {
    let (first, second) = (failover_spec(Failover::Primary), failover_spec(Failover::Secondary));
    let first = RecordSpec { health_check_id: Some(HEALTH_CHECK.to_owned()), ..first };
    let sets =
        [(first.clone(), record(&first, &["10.0.1.11"])), (second.clone(), record(&second, &["10.0.1.12"]))];
    with(facts, sets);
}

/// The same with the health check at the SECONDARY.
fn checked_secondary(facts: &mut Facts) {
    pair(facts);
    let [first, second] = &mut facts.clusters[0].spec.records[..] else { panic!() };
    std::mem::swap(&mut first.health_check_id, &mut second.health_check_id);
    // The PRIMARY has another one, which is right.
    first.health_check_id = Some("other".to_owned());
    facts.health_checks.insert("other".to_owned(), facts.health_checks[HEALTH_CHECK].clone());
}

fn health_check(facts: &mut Facts) -> &mut HealthCheck {
    facts.health_checks.get_mut(HEALTH_CHECK).unwrap().as_mut().unwrap()
}

/// A health check that Route 53's checkers make.
fn asks(facts: &mut Facts, address: Option<&str>, host: Option<&str>) {
    *health_check(facts) = HealthCheck {
        kind: "HTTP".to_owned(),
        address: address.map(str::to_owned),
        host: host.map(str::to_owned),
        port: Some(8008),
        path: Some("/primary".to_owned()),
        interval_seconds: Some(10),
        failure_threshold: Some(3),
        ..HealthCheck::default()
    };
}

/// The TTL of the one record set, as read.
fn ttl(facts: &mut Facts, seconds: u32) {
    let sets = facts.clusters[0].observed.records.get_mut(&place(RecordType::A)).unwrap();
    let Answer::Values { ttl_seconds, .. } = &mut sets.as_mut().unwrap()[0].answer else { panic!() };
    *ttl_seconds = seconds;
}

/// A failover alias of the site's load balancer, as read, and the site's alias.
fn alias_of_site(facts: &mut Facts, to: Alias) {
    let spec = RecordSpec { points_to: PointsTo::Site, ..failover_spec(Failover::Primary) };
    let answer = Answer::Alias(to.clone());
    let set = RecordSet { answer, ..record(&spec, &[]) };
    with(facts, [(spec, set)]);
    facts.clusters[0].spec.sites[0].alias = Some(to);
}

/// Beside the one group, that of pg2 behind the same load balancer.
fn with_group_of_pg2(facts: &mut Facts) {
    facts.clusters[0].spec.groups.push(weighted_spec(2));
    let mut group = group_facts(facts).clone();
    group.targets.as_mut().unwrap()[0].target.id = "10.0.1.12".to_owned();
    let check = &mut group.group.as_mut().unwrap().check;
    (check.protocol, check.port, check.path) = ("TCP".to_owned(), "traffic-port".to_owned(), None);
    facts.groups.insert(member_group(2), group);
}

fn states_of_pg2(facts: &mut Facts, state: &str) {
    facts.groups.get_mut(&member_group(2)).unwrap().targets.as_mut().unwrap()[0].state = state.to_owned();
}

pub const CASES: &[Case] = &[
    finds("a record has a TTL of 300 s", "record_ttl_long", Warning, |facts| ttl(facts, 300)),
    finds("a TTL of an hour is configured", "record_ttl_long", Warning, |facts| {
        facts.clusters[0].spec.records[0].ttl_seconds = Some(3600);
    }),
    silent("a long TTL is about to be changed", |facts| {
        ttl(facts, 300);
        facts.clusters[0].spec.records[0].ttl_seconds = Some(5);
    }),
    silent("a record that does not exist yet", |facts| {
        facts.clusters[0].observed.records.insert(place(RecordType::A), Ok(Vec::new()));
    }),
    unknown("a record that cannot be read", "record_ttl_long", |facts| {
        let failure = Failure::new(Kind::Denied, "route53:ListResourceRecordSets", "Z1", "denied");
        facts.clusters[0].observed.records.insert(place(RecordType::A), Err(failure));
    }),
    silent("a failover pair with a health check", pair),
    finds("a PRIMARY without a health check", "failover_without_health_check", Warning, |facts| {
        pair(facts);
        facts.clusters[0].spec.records[0].health_check_id = None;
    }),
    silent("a PRIMARY whose health check is not configured and carried over", |facts| {
        pair(facts);
        facts.clusters[0].spec.records[0].health_check_id = None;
        let sets = facts.clusters[0].observed.records.get_mut(&place(RecordType::A)).unwrap();
        sets.as_mut().unwrap()[0].health_check_id = Some(HEALTH_CHECK.to_owned());
    }),
    silent("a PRIMARY alias that evaluates its target's health", |facts| {
        alias_of_site(facts, alias(DNS_NAME));
    }),
    finds("a PRIMARY alias that evaluates nothing", "failover_without_health_check", Warning, |facts| {
        alias_of_site(facts, Alias { evaluate_target_health: false, ..alias(DNS_NAME) });
    }),
    finds("the health check is disabled", "health_check_disabled", Warning, |facts| {
        pair(facts);
        health_check(facts).is_disabled = true;
    }),
    silent("a disabled health check of the SECONDARY, which counts as healthy", |facts| {
        checked_secondary(facts);
        health_check(facts).is_disabled = true;
    }),
    silent("a health check of a simple record has no effect", |facts| {
        asks(facts, Some("10.0.1.11"), None);
        health_check(facts).is_inverted = true;
    }),
    finds("the health check is inverted", "health_check_inverted", Critical, |facts| {
        pair(facts);
        asks(facts, Some("198.51.100.7"), None);
        health_check(facts).is_inverted = true;
    }),
    finds("the SECONDARY's health check is inverted", "health_check_inverted", Warning, |facts| {
        checked_secondary(facts);
        asks(facts, Some("198.51.100.7"), None);
        health_check(facts).is_inverted = true;
    }),
    unknown("the health check of an alarm is inverted", "health_check_inverted", |facts| {
        pair(facts);
        health_check(facts).is_inverted = true;
    }),
    finds("a private address is asked", "health_check_of_private_address", Critical, |facts| {
        pair(facts);
        asks(facts, Some("10.0.1.11"), None);
    }),
    finds(
        "the SECONDARY's asks one of carrier-grade NAT",
        "health_check_of_private_address",
        Warning,
        |facts| {
            checked_secondary(facts);
            asks(facts, Some("100.64.0.7"), None);
        },
    ),
    finds("a unique local address is asked", "health_check_of_private_address", Critical, |facts| {
        pair(facts);
        asks(facts, Some("fd00::7"), None);
    }),
    unknown("a name of the private zone is asked", "health_check_of_private_address", |facts| {
        pair(facts);
        asks(facts, None, Some("pg.db.example.com"));
    }),
    silent("a name of no private zone is asked", |facts| {
        pair(facts);
        asks(facts, None, Some("pg.sidb.example.com"));
    }),
    finds("one member's public address is asked", "health_check_of_one_member", Critical, |facts| {
        pair(facts);
        let host = "198.51.100.7".to_owned();
        facts.clusters[0].spec.sites[0].addresses = [(name(1), Reached { host, port: None })].into();
        asks(facts, Some("198.51.100.7"), None);
    }),
    silent("a public address that is no member's is asked", |facts| {
        pair(facts);
        asks(facts, Some("198.51.100.7"), None);
    }),
    finds("an alarm without data is healthy", "health_check_without_data", Warning, |facts| {
        pair(facts);
        health_check(facts).insufficient_data = Some("Healthy".to_owned());
    }),
    silent("an alarm without data is unhealthy", |facts| {
        pair(facts);
        health_check(facts).insufficient_data = Some("Unhealthy".to_owned());
    }),
    finds("a health check takes 90 s", "record_check_slow", Info, |facts| {
        pair(facts);
        asks(facts, Some("198.51.100.7"), None);
        health_check(facts).interval_seconds = Some(30);
    }),
    finds("the private zone does not answer where the groups are", "zone_not_in_vpc", Info, |facts| {
        facts.zones.get_mut(&ZoneId::new("Z1")).unwrap().as_mut().unwrap().vpcs[0].1 = "vpc-9".to_owned();
    }),
    finds("the private zone does not answer at one of two groups", "zone_not_in_vpc", Warning, |facts| {
        with_group_of_pg2(facts);
        facts.groups.get_mut(&member_group(2)).unwrap().group.as_mut().unwrap().vpc =
            Some(VpcId::new("vpc-9"));
        // Its network is not the load balancer's.
        facts.groups.get_mut(&member_group(2)).unwrap().group.as_mut().unwrap().balancers.clear();
    }),
    silent("a public zone", |facts| {
        let zone = facts.zones.get_mut(&ZoneId::new("Z1")).unwrap().as_mut().unwrap();
        (zone.is_private, zone.vpcs) = (false, Vec::new());
    }),
    finds("a group behind the alias has no target", "alias_balancer_unhealthy", Critical, |facts| {
        alias_of_site(facts, alias(DNS_NAME));
        with_group_of_pg2(facts);
        facts.groups.get_mut(&member_group(2)).unwrap().targets.as_mut().unwrap().clear();
    }),
    finds("the groups of replicas ask for the primary", "alias_balancer_unhealthy", Critical, |facts| {
        alias_of_site(facts, alias(DNS_NAME));
        with_group_of_pg2(facts);
        states_of_pg2(facts, "unhealthy");
        facts.groups.get_mut(&member_group(2)).unwrap().group = group_facts(facts).group.clone();
    })
    .beside("weighted_asks_role", Warning),
    silent("a record of its own health check beside such groups", |facts| {
        with_group_of_pg2(facts);
        states_of_pg2(facts, "unhealthy");
    }),
    finds("a site's load balancer was created again", "alias_without_balancer", Critical, |facts| {
        alias_of_site(facts, alias("pg-1a2b.elb.us-east-1.amazonaws.com"));
    }),
    unknown("a site without groups may lead to another account", "alias_without_balancer", |facts| {
        alias_of_site(facts, alias("pg-1a2b.elb.us-east-1.amazonaws.com"));
        facts.clusters[0].spec.groups.clear();
    }),
    unknown("the load balancers of the alias's Region were not read", "alias_without_balancer", |facts| {
        alias_of_site(facts, alias("pg-1a2b.elb.us-west-2.amazonaws.com"));
    }),
    silent("an alias in capitals, of both address families", |facts| {
        alias_of_site(
            facts,
            alias(&format!(
                "dualstack.{}.",
                DNS_NAME.to_uppercase().replace("ELB.US-EAST-1", "elb.us-east-1")
            )),
        );
    }),
    silent("an alias of something else than a load balancer", |facts| {
        alias_of_site(facts, alias("vpce-0a1b-x.vpce-svc-2.us-east-1.vpce.amazonaws.com"));
    }),
    silent("an alias that no record uses", |facts| {
        facts.clusters[0].spec.sites[0].alias = Some(alias("pg-1a2b.elb.us-east-1.amazonaws.com"));
    }),
    finds("a site's alias has another Region's zone", "alias_zone_wrong", Critical, |facts| {
        alias_of_site(facts, Alias { zone: ZoneId::new("Z18D5FSROUN65G"), ..alias(DNS_NAME) });
    }),
    finds("a site's alias is that of the old load balancer", "alias_of_other_balancer", Warning, |facts| {
        let old = "pg-old-77.elb.us-east-1.amazonaws.com";
        alias_of_site(facts, alias(old));
        let names = facts.balancer_names.get_mut(&region()).unwrap().as_mut().unwrap();
        names.insert(old.to_owned(), BALANCER.replace("/pg/", "/pg-old/"));
    }),
    finds("the health check does not exist", "resource_missing", Critical, |facts| {
        let failure =
            Failure::new(Kind::NotFound, "route53:GetHealthCheck", HEALTH_CHECK, "NoSuchHealthCheck");
        facts.health_checks.insert(HEALTH_CHECK.to_owned(), Err(failure));
    }),
    silent("the health check cannot be read", |facts| {
        pair(facts);
        let failure = Failure::new(Kind::Denied, "route53:GetHealthCheck", HEALTH_CHECK, "denied");
        facts.health_checks.insert(HEALTH_CHECK.to_owned(), Err(failure));
    }),
];
