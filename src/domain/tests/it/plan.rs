//! What is planned, case by case. The properties stand in `invariants`.

mod hosts;
mod networks;

use std::collections::{BTreeMap, BTreeSet};

use repoint_domain::decide::standby::KEEP_WITHIN_BYTES;
use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::{ClusterView, Observed};
use repoint_domain::plan::{DEFAULT_TTL_SECONDS, EndpointReasonKind, Plan, StepGroup, TargetStep, plan};
use repoint_domain::spec::{PointsTo, RecordSpec, Spec};
use repoint_domain::state::State;
use repoint_domain::values::cluster::{Address, ClusterRole};
use repoint_domain::values::record::{Answer, Failover, RecordChange, RecordSet, RecordType, Routing};
use repoint_domain::values::target::{TargetGroup, TargetType};
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{
    GROUP, alias, answer, arn, failover_spec, group_spec, healthy, host, instance, ip_group, members_in,
    observed, place, primary, record, record_spec, records, refused, replica, silence, spec, target,
    target_health, view,
};

fn planned(spec: &Spec, observed: &Observed) -> Plan {
    let state = State::default();
    plan(spec, observed, &verdict(spec, observed, &state), &state, Timestamp(0))
}

fn with_group(observed: Observed, group: TargetGroup) -> (Spec, Observed) {
    let spec = Spec { groups: vec![group_spec()], ..spec() };
    (spec, Observed { groups: BTreeMap::from([(arn(GROUP), Ok(group))]), ..observed })
}

fn group_steps(group: TargetGroup) -> Vec<TargetStep> {
    let (spec, observed) = with_group(healthy(2, 3), group);
    match &planned(&spec, &observed).step_groups[..] {
        [] => Vec::new(),
        [StepGroup::Group { steps, .. }] => steps.clone(),
        step_groups => panic!("{step_groups:?}"),
    }
}

fn register(id: &str) -> TargetStep {
    TargetStep::Register(target(id, 5432))
}

fn deregister(id: &str) -> TargetStep {
    TargetStep::Deregister(target(id, 5432))
}

#[test]
fn an_empty_group_gets_the_primary() {
    assert_eq!(group_steps(ip_group(&[])), [register("10.0.1.12")]);
}

#[test]
fn a_group_that_is_right_needs_nothing_whatever_its_health() {
    for state in ["initial", "healthy", "unhealthy", "unhealthy.draining", "unused", "unavailable"] {
        assert_eq!(group_steps(ip_group(&[("10.0.1.12", state)])), []);
    }
}

#[test]
fn the_new_primary_is_registered_before_the_old_one_goes() {
    let steps = group_steps(ip_group(&[("10.0.1.11", "healthy")]));
    assert_eq!(steps, [register("10.0.1.12"), deregister("10.0.1.11")]);
}

#[test]
fn everything_else_goes_in_order() {
    let group = ip_group(&[("10.0.1.99", "healthy"), ("10.0.1.12", "healthy"), ("10.0.1.11", "unhealthy")]);
    let steps = [register("10.0.1.12"), deregister("10.0.1.11"), deregister("10.0.1.99")];
    assert_eq!(
        group_steps(group),
        steps,
        "the list may be old, so even a listed primary is registered first"
    );
}

#[test]
fn a_draining_target_counts_as_absent() {
    let group = ip_group(&[("10.0.1.12", "draining"), ("10.0.1.11", "draining")]);
    assert_eq!(group_steps(group), [register("10.0.1.12")]);
}

#[test]
fn the_same_host_on_another_port_is_another_target() {
    let mut group = ip_group(&[("10.0.1.12", "healthy")]);
    group.targets[0].target.port = 6432;
    let gone = TargetStep::Deregister(target("10.0.1.12", 6432));
    assert_eq!(group_steps(group), [register("10.0.1.12"), gone]);
}

#[test]
fn a_configured_port_is_registered_instead_of_patronis() {
    let (mut spec, observed) = with_group(healthy(2, 3), ip_group(&[]));
    spec.groups[0].port = Some(6432);
    let steps = vec![TargetStep::Register(target("10.0.1.12", 6432))];
    assert_eq!(planned(&spec, &observed).step_groups, [StepGroup::Group { arn: arn(GROUP), steps }]);
}

fn instances(of: &[(&str, &str)]) -> Observed {
    let mut observed = healthy(2, 3);
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (address, id) in of {
        found.entry(address.parse().unwrap()).or_default().insert(instance(id));
    }
    observed.instances = BTreeMap::from([("us-east-1".to_owned(), Ok(found))]);
    observed
}

fn instance_group() -> TargetGroup {
    TargetGroup {
        target_type: TargetType::Instance,
        targets: vec![target_health("i-old", "healthy")],
        ..ip_group(&[])
    }
}

#[test]
fn a_group_of_instances_gets_the_instance_that_has_the_address() {
    let (spec, observed) =
        with_group(instances(&[("10.0.1.12", "i-new"), ("10.0.1.11", "i-old")]), instance_group());
    let steps = vec![register("i-new"), deregister("i-old")];
    assert_eq!(planned(&spec, &observed).step_groups, [StepGroup::Group { arn: arn(GROUP), steps }]);
}

#[track_caller]
fn held(spec: &Spec, observed: &Observed) -> (EndpointReasonKind, String) {
    let plan = planned(spec, observed);
    assert!(plan.step_groups.is_empty(), "{:?}", plan.step_groups);
    match &plan.holds[..] {
        [hold] => (hold.reason.kind(), hold.reason.to_string()),
        holds => panic!("{holds:?}"),
    }
}

#[test]
fn a_group_of_instances_is_held_without_one_that_has_the_address() {
    let (spec, observed) = with_group(instances(&[("10.0.1.11", "i-old")]), instance_group());
    assert_eq!(held(&spec, &observed).0, EndpointReasonKind::NoInstance);
}

#[test]
fn a_group_of_instances_is_held_where_two_have_the_address() {
    let (spec, observed) =
        with_group(instances(&[("10.0.1.12", "i-a"), ("10.0.1.12", "i-b")]), instance_group());
    let (kind, message) = held(&spec, &observed);
    assert_eq!(kind, EndpointReasonKind::Address);
    assert!(message.contains("i-a, i-b"), "{message}");
}

#[test]
fn a_group_of_instances_is_held_in_a_build_without_ec2() {
    let (spec, observed) = with_group(healthy(2, 3), instance_group());
    assert_eq!(held(&spec, &observed).0, EndpointReasonKind::NoInstance);
}

#[test]
fn a_primary_without_an_address_moves_nothing() {
    let empty = observed([answer(2, primary(3), Ok(ClusterView::default())), silence(1), silence(3)]);
    let (mut spec, mut observed) = with_group(empty, ip_group(&[("10.0.1.11", "healthy")]));
    assert_eq!(held(&spec, &observed).0, EndpointReasonKind::Address);
    spec.groups.clear();
    spec.records = vec![record_spec(RecordType::A)];
    observed.records = records([record(&spec.records[0], &["10.0.1.11"])]);
    assert_eq!(held(&spec, &observed).0, EndpointReasonKind::Address);
}

#[test]
fn a_group_that_cannot_be_read_is_left_alone_and_the_others_are_served() {
    let (mut spec, mut observed) = with_group(healthy(2, 3), ip_group(&[]));
    observed.groups.insert(arn(GROUP), Err(refused()));
    spec.records = vec![record_spec(RecordType::A)];
    observed.records = BTreeMap::from([(place(RecordType::A), Ok(Vec::new()))]);
    let plan = planned(&spec, &observed);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::Unreadable);
    assert!(matches!(&plan.step_groups[..], [StepGroup::Zone { .. }]));
}

#[test]
fn without_a_primary_nothing_is_planned() {
    let (spec, observed) = with_group(observed([silence(1), silence(2), silence(3)]), ip_group(&[]));
    assert_eq!(planned(&spec, &observed), Plan::default());
}

// Host names.

fn named(found: &[&str]) -> Observed {
    let mut observed = healthy(2, 3);
    for answer in members_in(&mut observed).values_mut() {
        let view = answer.view.as_mut().unwrap();
        view.members[1].address = Some(Address { host: "pg2.internal".to_owned(), port: 5432 });
    }
    let addresses = found.iter().map(|address| address.parse().unwrap()).collect();
    observed.names = BTreeMap::from([("pg2.internal".to_owned(), Ok(addresses))]);
    observed
}

#[test]
fn a_host_name_is_registered_by_its_address() {
    let (spec, observed) = with_group(named(&["10.0.1.12", "fd00::12"]), ip_group(&[]));
    let steps = vec![register("10.0.1.12")];
    assert_eq!(planned(&spec, &observed).step_groups, [StepGroup::Group { arn: arn(GROUP), steps }]);
}

#[test]
fn a_host_name_with_two_addresses_is_not_guessed_at() {
    let (spec, observed) = with_group(named(&["10.0.1.12", "10.0.2.12"]), ip_group(&[]));
    assert_eq!(held(&spec, &observed).0, EndpointReasonKind::Address);
}

#[test]
fn a_host_name_that_cannot_be_resolved_moves_nothing() {
    let mut unknown = named(&[]);
    unknown.names.insert("pg2.internal".to_owned(), Err(refused()));
    let (spec, observed) = with_group(unknown, ip_group(&[("10.0.1.11", "healthy")]));
    assert_eq!(held(&spec, &observed).0, EndpointReasonKind::Unreadable);
}

// Records.

fn with_record(observed: Observed, wanted: RecordSpec, sets: Vec<RecordSet>) -> (Spec, Observed) {
    let records = BTreeMap::from([(wanted.key.place.clone(), Ok(sets))]);
    (Spec { records: vec![wanted], ..spec() }, Observed { records, ..observed })
}

/// Route 53 would refuse the change as one that came too late.
#[test]
fn another_type_at_the_name_is_foreseen() {
    for (wanted, there, value) in [
        (RecordType::A, RecordType::Cname, "old.example.com"),
        (RecordType::Aaaa, RecordType::Cname, "old.example.com"),
        (RecordType::Cname, RecordType::A, "10.0.1.99"),
        (RecordType::Cname, RecordType::Aaaa, "fd00::99"),
    ] {
        let (spec, mut observed) = with_record(healthy(2, 3), record_spec(wanted), Vec::new());
        observed.records.insert(place(there), Ok(vec![record(&record_spec(there), &[value])]));
        let (kind, said) = held(&spec, &observed);
        assert_eq!(kind, EndpointReasonKind::Routing);
        for part in [format!("type {there} ({value}) at this name"), format!("one of type {wanted}")] {
            assert!(said.contains(&part), "{said}");
        }
    }
    // Addresses of both families stand beside each other.
    let (spec, mut observed) = with_record(healthy(2, 3), record_spec(RecordType::A), Vec::new());
    observed
        .records
        .insert(place(RecordType::Aaaa), Ok(vec![record(&record_spec(RecordType::Aaaa), &["fd00::99"])]));
    assert_eq!(planned(&spec, &observed).holds, []);
}

#[track_caller]
fn change(observed: Observed, wanted: RecordSpec, sets: Vec<RecordSet>) -> Option<RecordChange> {
    let (spec, observed) = with_record(observed, wanted, sets);
    let plan = planned(&spec, &observed);
    assert!(plan.holds.is_empty(), "{:?}", plan.holds);
    match &plan.step_groups[..] {
        [] => None,
        [StepGroup::Zone { changes, .. }] if changes.len() == 1 => Some(changes[0].clone()),
        step_groups => panic!("{step_groups:?}"),
    }
}

fn values(set: &RecordSet) -> (u32, Vec<&str>) {
    match &set.answer {
        Answer::Values { ttl_seconds, values } => (*ttl_seconds, values.iter().map(String::as_str).collect()),
        Answer::Alias(to) => panic!("an alias of {to}"),
    }
}

#[test]
fn a_missing_record_is_made_with_a_short_ttl() {
    let change = change(healthy(2, 3), record_spec(RecordType::A), vec![]).unwrap();
    assert_eq!(change.before, None);
    assert_eq!(values(&change.after), (DEFAULT_TTL_SECONDS, vec!["10.0.1.12"]));
    assert_eq!(change.after.routing, Routing::Simple);
}

#[test]
fn a_record_that_is_right_needs_nothing() {
    let wanted = record_spec(RecordType::A);
    let set = record(&wanted, &["10.0.1.12"]);
    assert_eq!(change(healthy(2, 3), wanted, vec![set]), None);
}

#[test]
fn what_is_not_managed_is_carried_over() {
    let wanted = failover_spec(Failover::Primary);
    let mut before = record(&wanted, &["10.0.1.11"]);
    before.health_check_id = Some("hc-1".to_owned());
    let change = change(healthy(2, 3), wanted, vec![before.clone()]).unwrap();
    assert_eq!(change.before.as_ref(), Some(&before));
    assert_eq!(values(&change.after), (60, vec!["10.0.1.12"]));
    assert_eq!(change.after.health_check_id.as_deref(), Some("hc-1"));
    assert_eq!((change.after.key, change.after.routing), (before.key, before.routing));
}

#[test]
fn what_is_configured_is_set() {
    let wanted = RecordSpec {
        ttl_seconds: Some(10),
        health_check_id: Some("hc-2".to_owned()),
        ..failover_spec(Failover::Primary)
    };
    let before = record(&wanted, &["10.0.1.12"]);
    let change = change(healthy(2, 3), wanted, vec![before]).unwrap();
    assert_eq!(values(&change.after), (10, vec!["10.0.1.12"]));
    assert_eq!(change.after.health_check_id.as_deref(), Some("hc-2"));
}

#[test]
fn several_values_become_one() {
    let wanted = record_spec(RecordType::A);
    let before = record(&wanted, &["10.0.1.11", "10.0.1.12"]);
    assert_eq!(values(&change(healthy(2, 3), wanted, vec![before]).unwrap().after).1, ["10.0.1.12"]);
}

#[test]
fn an_aaaa_record_takes_the_ipv6_address_in_any_spelling() {
    let wanted = record_spec(RecordType::Aaaa);
    let both = named(&["10.0.1.12", "fd00::12"]);
    let before = record(&wanted, &["fd00:0:0:0:0:0:0:12"]);
    assert_eq!(change(both.clone(), wanted.clone(), vec![before]), None);
    assert_eq!(values(&change(both, wanted, vec![]).unwrap().after).1, ["fd00::12"]);
}

#[test]
fn a_cname_takes_the_host_name_in_any_spelling() {
    let wanted = record_spec(RecordType::Cname);
    let before = record(&wanted, &["PG2.internal."]);
    assert_eq!(change(named(&[]), wanted.clone(), vec![before]), None);
    assert_eq!(values(&change(named(&[]), wanted, vec![]).unwrap().after).1, ["pg2.internal"]);
}

#[test]
fn a_record_that_needs_what_the_host_has_not_is_held() {
    for (observed, record_type) in [
        (healthy(2, 3), RecordType::Cname),
        (healthy(2, 3), RecordType::Aaaa),
        (named(&["fd00::12"]), RecordType::A),
    ] {
        let (spec, observed) = with_record(observed, record_spec(record_type), vec![]);
        assert_eq!(held(&spec, &observed).0, EndpointReasonKind::Address);
    }
}

#[test]
fn a_record_set_with_a_routing_policy_is_not_touched() {
    let simple = record_spec(RecordType::A);
    let pair = failover_spec(Failover::Primary);
    let secondary = failover_spec(Failover::Secondary);
    let routed = |set: RecordSet, routing| RecordSet { routing, ..set };
    let alias = RecordSet { answer: Answer::Alias(alias("nlb.example.com.")), ..record(&simple, &[]) };
    let cases = [
        ("an alias", simple.clone(), alias),
        (
            "weighted",
            pair.clone(),
            routed(record(&pair, &["10.0.1.11"]), Routing::Other("weighted".to_owned())),
        ),
        ("simple", pair.clone(), record(&simple, &["10.0.1.11"])),
        ("failover", simple, record(&pair, &["10.0.1.11"])),
        (
            "already is the PRIMARY",
            pair,
            routed(record(&secondary, &["10.0.1.11"]), Routing::Failover(Failover::Primary)),
        ),
    ];
    for (word, wanted, stands) in cases {
        let (spec, observed) = with_record(healthy(2, 3), wanted, vec![stands]);
        let (kind, message) = held(&spec, &observed);
        assert_eq!(kind, EndpointReasonKind::Routing);
        assert!(message.contains(word), "{message}");
    }
}

// Standbys.

fn standby_of(observed: Observed, before: &[&str]) -> Option<String> {
    let wanted = failover_spec(Failover::Secondary);
    let sets = if before.is_empty() { vec![] } else { vec![record(&wanted, before)] };
    change(observed, wanted, sets).map(|change| values(&change.after).1[0].to_owned())
}

type Listing = (ClusterRole, Option<u64>);

/// A healthy cluster led by pg2 whose other members are listed so.
fn standbys(first: &Listing, third: &Listing) -> Observed {
    let mut observed = healthy(2, 3);
    for answer in members_in(&mut observed).values_mut() {
        let view = answer.view.as_mut().unwrap();
        (view.members[0].role, view.members[0].lag_bytes) = first.clone();
        (view.members[2].role, view.members[2].lag_bytes) = third.clone();
    }
    observed
}

#[test]
fn the_best_standby_is_synchronous_then_quorum_then_the_least_behind() {
    use ClusterRole::{QuorumStandby, Replica, SyncStandby};
    for (first, third, best) in [
        ((Replica, Some(0)), (SyncStandby, Some(900)), 3),
        ((QuorumStandby, Some(0)), (SyncStandby, Some(900)), 3),
        ((Replica, Some(0)), (QuorumStandby, Some(900)), 3),
        ((Replica, Some(900)), (Replica, Some(800)), 3),
        ((Replica, None), (Replica, Some(900)), 3),
        ((Replica, Some(5)), (Replica, Some(5)), 1),
    ] {
        assert_eq!(standby_of(standbys(&first, &third), &[]), Some(host(best)));
    }
}

#[test]
fn a_standby_that_is_as_good_is_kept() {
    use ClusterRole::{Replica, SyncStandby};
    let kept = standbys(&(Replica, Some(0)), &(Replica, Some(KEEP_WITHIN_BYTES)));
    assert_eq!(standby_of(kept, &["10.0.1.13"]), None);
    let too_far = standbys(&(Replica, Some(0)), &(Replica, Some(KEEP_WITHIN_BYTES + 1)));
    assert_eq!(standby_of(too_far, &["10.0.1.13"]), Some(host(1)));
    let lesser = standbys(&(SyncStandby, Some(0)), &(Replica, Some(0)));
    assert_eq!(standby_of(lesser, &["10.0.1.13"]), Some(host(1)));
}

#[test]
fn a_standby_that_clients_should_avoid_or_that_is_silent_is_no_choice() {
    let mut tagged = healthy(2, 3);
    for answer in members_in(&mut tagged).values_mut() {
        answer.view.as_mut().unwrap().members[0].noloadbalance = true;
    }
    assert_eq!(standby_of(tagged, &[]), Some(host(3)));
    let silent =
        observed([silence(1), answer(2, primary(3), Ok(view(2, 3))), answer(3, replica(3), Ok(view(2, 3)))]);
    assert_eq!(standby_of(silent, &[]), Some(host(3)));
}

#[test]
fn without_a_fit_standby_the_record_stays() {
    let alone = observed([silence(1), answer(2, primary(3), Ok(view(2, 3))), silence(3)]);
    let wanted = failover_spec(Failover::Secondary);
    let (spec, observed) = with_record(alone, wanted.clone(), vec![record(&wanted, &["10.0.1.11"])]);
    assert_eq!(held(&spec, &observed).0, EndpointReasonKind::NoStandby);
}

#[test]
fn a_pair_swaps_in_one_batch() {
    let pair = [failover_spec(Failover::Primary), failover_spec(Failover::Secondary)];
    let mut observed = standbys(&(ClusterRole::SyncStandby, Some(0)), &(ClusterRole::Replica, Some(0)));
    observed.records = records([record(&pair[0], &["10.0.1.11"]), record(&pair[1], &["10.0.1.12"])]);
    let spec = Spec { records: pair.to_vec(), ..spec() };
    let plan = planned(&spec, &observed);
    let [StepGroup::Zone { changes, .. }] = &plan.step_groups[..] else { panic!("{plan:?}") };
    let after: Vec<_> = changes.iter().map(|change| values(&change.after).1[0]).collect();
    assert_eq!(after, ["10.0.1.12", "10.0.1.11"]);
    assert!(changes.iter().all(|change| change.before.is_some()));
    assert_eq!(spec.records[1].points_to, PointsTo::Standby);
}
