//! Changes of the set-up that cases of target groups, load balancers and listeners make.

use std::collections::BTreeMap;

use repoint_domain::decide::verdict::verdict;
use repoint_domain::doctor::facts::Facts;
use repoint_domain::doctor::facts::balancer::BalancerDescription;
use repoint_domain::doctor::facts::group::{GroupDescription, GroupFacts, TargetState};
use repoint_domain::doctor::facts::network::{Instance, Rule, SecurityGroup};
use repoint_domain::observed::ClusterMember;
use repoint_domain::plan::plan;
use repoint_domain::spec::{GroupSpec, Reached};
use repoint_domain::state::State;
use repoint_domain::values::listener::Listener;
use repoint_domain::values::target::TargetGroup;
use repoint_domain::values::timestamp::Timestamp;

use super::evidence::{
    GROUP, arn, forward, host, ip_group, listener_arn, member_group, members_in, name, reader_spec, target,
    warm_spec, weighted_spec,
};
use super::setup::{balancer_facts, group_facts, region};

/// What is configured of the one target group.
pub fn group_spec_of(facts: &mut Facts) -> &mut GroupSpec {
    &mut facts.clusters[0].spec.groups[0]
}

/// What the one target group is.
pub fn group(facts: &mut Facts) -> &mut GroupDescription {
    group_facts(facts).group.as_mut().unwrap()
}

/// What the one load balancer is.
pub fn balancer(facts: &mut Facts) -> &mut BalancerDescription {
    balancer_facts(facts).balancer.as_mut().unwrap()
}

pub fn security_group<'a>(facts: &'a mut Facts, id: &str) -> &'a mut SecurityGroup {
    facts.networks.get_mut(&region()).unwrap().security_groups.as_mut().unwrap().get_mut(id).unwrap()
}

/// The interface of pg`number`.
pub fn instance(facts: &mut Facts, number: u8) -> &mut Instance {
    let instances = facts.networks.get_mut(&region()).unwrap().instances.as_mut().unwrap();
    &mut instances.get_mut(&host(number).parse().unwrap()).unwrap()[0]
}

/// TCP to a port, of these networks.
pub fn tcp(port: u16, networks: &[&str]) -> Rule {
    let networks = networks.iter().map(ToString::to_string).collect();
    Rule { protocol: "tcp".to_owned(), from: Some(port), to: Some(port), networks, ..Rule::default() }
}

/// TCP to a port, of a security group.
pub fn of_group(id: &str, port: u16) -> Rule {
    Rule { groups: vec![id.to_owned()], ..tcp(port, &[]) }
}

/// Every member's entry in every `/cluster`.
pub fn each_listed(facts: &mut Facts, change: impl Fn(&mut ClusterMember)) {
    for answer in members_in(&mut facts.clusters[0].observed).values_mut() {
        answer.view.as_mut().unwrap().members.iter_mut().for_each(&change);
    }
}

/// Clients reach each member through a pooler on the same address.
pub fn pooler(facts: &mut Facts) {
    let cluster = &mut facts.clusters[0];
    for number in 1..=3 {
        let reached = Reached { host: host(number), port: Some(6432) };
        cluster.spec.sites[0].addresses.insert(name(number), reached);
    }
}

/// Its health check is of TCP.
pub fn tcp_check(facts: &mut Facts) {
    let check = &mut group(facts).check;
    (check.protocol, check.port, check.path, check.codes) =
        ("TCP".to_owned(), "traffic-port".to_owned(), None, None);
}

/// These members are registered and healthy.
pub fn register(facts: &mut Facts, numbers: &[u8]) {
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
pub fn readers(facts: &mut Facts) {
    *group_spec_of(facts) = reader_spec(1 << 20);
    register(facts, &[2, 3]);
}

/// A warm group, in which that member alone is healthy.
pub fn warm(facts: &mut Facts, healthy: u8) {
    *group_spec_of(facts) = warm_spec(0);
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
pub fn weighted(facts: &mut Facts, weights: &[(u8, u32)]) {
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
pub fn replan(facts: &mut Facts) {
    let cluster = &mut facts.clusters[0];
    let state = State::default();
    cluster.verdict = verdict(&cluster.spec, &cluster.observed, &state);
    cluster.plan = plan(&cluster.spec, &cluster.observed, &cluster.verdict, &state, Timestamp(0));
}
