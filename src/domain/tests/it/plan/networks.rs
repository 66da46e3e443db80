//! Addresses as a load balancer's network knows them: of the group's VPC, and of its address family.

use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::verdict::Verdict;
use repoint_domain::observed::Instance;
use repoint_domain::spec::Reached;
use repoint_domain::values::arn::VpcId;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::target::Family;

use super::*;
use crate::support::evidence::name;

/// A group of IPv6 addresses that holds these.
fn ipv6_group(targets: &[(&str, &str)]) -> TargetGroup {
    TargetGroup { family: Family::Ipv6, ..ip_group(targets) }
}

/// pg2 leads, at a name with these addresses.
fn named(found: &[&str]) -> Observed {
    let mut observed = healthy(2, 3);
    for answer in members_in(&mut observed).values_mut() {
        answer.view.as_mut().unwrap().members[1].address =
            Some(Address { host: "pg2".to_owned(), port: 5432 });
    }
    let addresses = found.iter().map(|address| address.parse().unwrap()).collect();
    observed.names = BTreeMap::from([("pg2".to_owned(), Ok(addresses))]);
    observed
}

/// The groups of instances are in `vpc-here`; these instances have these addresses in these VPCs.
fn in_vpcs(observed: Observed, instances: &[(&str, &str, &str)]) -> (Spec, Observed) {
    let vpc = Some(VpcId::new("vpc-here"));
    let (spec, mut observed) = with_group(observed, TargetGroup { vpc, ..instance_group() });
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (address, id, vpc) in instances {
        let vpc = Some(VpcId::new(*vpc));
        found.entry(address.parse().unwrap()).or_default().insert(Instance { vpc, ..instance(id) });
    }
    observed.instances = BTreeMap::from([("us-east-1".to_owned(), Ok(found))]);
    (spec, observed)
}

/// What the auditor says to the registration of something else than was planned.
fn refusal_of(spec: &Spec, observed: &Observed, other: &str) -> Refusal {
    let steps = vec![register(other)];
    let plan = Plan { step_groups: vec![StepGroup::Group { arn: arn(GROUP), steps }], ..Plan::default() };
    let state = State::default();
    let verdict = verdict(spec, observed, &state);
    audit(&plan, spec, observed, &verdict, &state, repoint_domain::values::timestamp::Timestamp(0))
        .unwrap_err()
}

fn why(spec: &Spec, observed: &Observed) -> String {
    let plan = planned(spec, observed);
    assert!(plan.step_groups.is_empty(), "{plan:?}");
    plan.holds.into_iter().next().unwrap().reason.to_string()
}

#[test]
fn a_group_takes_the_address_of_its_family() {
    let both = ["10.0.1.12", "2001:db8::12"];
    for (group, own, other) in [(ip_group(&[]), both[0], both[1]), (ipv6_group(&[]), both[1], both[0])] {
        let (spec, observed) = with_group(named(&both), group);
        assert_eq!(
            planned(&spec, &observed).step_groups,
            [StepGroup::Group { arn: arn(GROUP), steps: vec![register(own)] }]
        );
        assert!(matches!(refusal_of(&spec, &observed, other), Refusal::WrongNode { .. }));
    }
}

#[test]
fn a_member_without_an_address_of_the_family_is_held() {
    let (spec, observed) = with_group(healthy(2, 3), ipv6_group(&[("2001:db8::11", "healthy")]));
    let why = why(&spec, &observed);
    assert!(why.contains("`10.0.1.12` has no IPv6 address") && why.contains("`addresses`"), "{why}");
}

#[test]
fn of_two_instances_with_one_address_the_one_in_the_groups_vpc_is_meant() {
    let both = [("10.0.1.12", "i-far", "vpc-there"), ("10.0.1.12", "i-new", "vpc-here")];
    let (spec, observed) = in_vpcs(healthy(2, 3), &both);
    let steps = vec![register("i-new"), deregister("i-old")];
    assert_eq!(planned(&spec, &observed).step_groups, [StepGroup::Group { arn: arn(GROUP), steps }]);
    assert!(matches!(refusal_of(&spec, &observed, "i-far"), Refusal::WrongNode { .. }));
}

#[test]
fn an_instance_of_another_vpc_alone_is_held_with_both_vpcs() {
    let (spec, observed) = in_vpcs(healthy(2, 3), &[("10.0.1.12", "i-far", "vpc-there")]);
    let why = why(&spec, &observed);
    assert!(["10.0.1.12", "vpc-here", "i-far", "vpc-there"].iter().all(|word| why.contains(word)), "{why}");
    assert!(matches!(refusal_of(&spec, &observed, "i-far"), Refusal::WrongNode { .. }));
}

#[test]
fn the_addresses_of_one_host_are_one_instance() {
    let both = [("10.0.1.12", "i-new", "vpc-here"), ("2001:db8::12", "i-new", "vpc-here")];
    let (spec, observed) = in_vpcs(named(&["10.0.1.12", "2001:db8::12"]), &both);
    let steps = vec![register("i-new"), deregister("i-old")];
    assert_eq!(planned(&spec, &observed).step_groups, [StepGroup::Group { arn: arn(GROUP), steps }]);
}

/// With the DCS down no `/cluster` is answered, and the state may have been written before the configuration was changed.
#[test]
fn a_configured_address_outranks_the_one_that_is_remembered() {
    let mut spec = spec();
    let reached = Reached { host: "10.99.0.12".to_owned(), port: None };
    spec.sites[0].addresses = BTreeMap::from([(name(2), reached)]);
    let url = ApiUrl::parse("http://10.0.1.12:8008").unwrap();
    let address = Some(Address { host: "10.0.1.12".to_owned(), port: 6432 });
    let known = repoint_domain::state::KnownMember { api_url: Some(url), address };
    let state = State { members: BTreeMap::from([(name(2), known)]), ..State::default() };
    let observed = observed([answer(2, primary(3), Err(refused()))]);
    let Verdict::Primary(primary) = verdict(&spec, &observed, &state) else { panic!("no primary") };
    assert_eq!(primary.address, Some(Address { host: "10.99.0.12".to_owned(), port: 6432 }));
}
