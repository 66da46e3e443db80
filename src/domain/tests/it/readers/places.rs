//! A replica that cannot be placed holds no other one up; one of whom it is not known where it is may be anywhere.

use std::collections::{BTreeMap, BTreeSet};

use repoint_domain::alerts::findings;
use repoint_domain::audit::audit;
use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::{ClusterMember, Observed, Read};
use repoint_domain::plan::{EndpointReasonKind, Plan, StepGroup, WarningReason, plan};
use repoint_domain::spec::{GroupRole, PointsTo, RecordSpec, Spec};
use repoint_domain::state::{ConditionKind, Severity, State};
use repoint_domain::values::record::{Answer, RecordType};
use repoint_domain::values::target::{TargetGroup, TargetHealth, TargetType};
use repoint_domain::values::timestamp::Timestamp;

use super::{LIMIT, is_pg3, observed, of, words};
use crate::support::evidence::{
    arn, instance, ip_group, members_in, name, reader_spec, record, record_spec, refused, spec, target,
};

fn planned(spec: &Spec, observed: &Observed) -> Plan {
    let verdict = verdict(spec, observed, &State::default());
    let plan = plan(spec, observed, &verdict, &State::default(), Timestamp(0));
    assert_eq!(audit(&plan, spec, observed, &verdict, &State::default(), Timestamp(0)).err(), None);
    plan
}

/// pg3 is listed by a host name, and DNS says this of it.
fn named(observed: Observed, dns: Read<Vec<&str>>) -> Observed {
    let addresses = dns.map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect());
    Observed { names: BTreeMap::from([("pg3.internal".to_owned(), addresses)]), ..observed }
}

fn has_a_name(listed: &mut ClusterMember) {
    if is_pg3(listed) {
        "pg3.internal".clone_into(&mut listed.address.as_mut().unwrap().host);
    }
}

fn in_group(dns: Read<Vec<&str>>, targets: &[(&str, &str)]) -> Plan {
    planned(&of(reader_spec(LIMIT)), &named(observed(ip_group(targets), has_a_name), dns))
}

/// Who is left out, and why an endpoint is held.
fn left_out(plan: &Plan) -> (Vec<String>, Vec<EndpointReasonKind>) {
    let warnings = plan.warnings.iter().map(|warning| match &warning.what {
        WarningReason::Unplaced { member, .. } => member.to_string(),
        other => panic!("{other}"),
    });
    (warnings.collect(), plan.holds.iter().map(|hold| hold.reason.kind()).collect())
}

const DEAD: (&str, &str) = ("10.0.1.99", "unhealthy");

#[test]
fn one_without_an_address_is_left_out_and_the_dead_go() {
    let plan = in_group(Ok(vec![]), &[DEAD]);
    assert_eq!(words(&plan), ["+10.0.1.12", "-10.0.1.99"]);
    assert_eq!(left_out(&plan), (vec!["pg3".to_owned()], Vec::new()));
}

#[test]
fn while_dns_fails_a_missing_member_is_added_and_none_is_removed() {
    let plan = in_group(Err(refused()), &[("10.0.1.13", "healthy"), DEAD]);
    assert_eq!(words(&plan), ["+10.0.1.12"]);
    assert_eq!(left_out(&plan), (Vec::new(), vec![EndpointReasonKind::Unreadable]));
}

/// There is no telling which one Patroni means, and so not that it is another one that is in.
#[test]
fn one_with_several_addresses_keeps_the_one_that_is_in() {
    let plan = in_group(Ok(vec!["10.0.1.13", "10.0.9.13"]), &[("10.0.9.13", "healthy"), DEAD]);
    assert_eq!(words(&plan), ["+10.0.1.12", "-10.0.1.99"]);
    assert_eq!(left_out(&plan), (vec!["pg3".to_owned()], Vec::new()));
}

/// Patroni may list a member without its host for a while.
#[test]
fn one_that_is_listed_without_a_host_may_be_anywhere() {
    let homeless =
        |listed: &mut ClusterMember| listed.address = listed.address.take().filter(|_| !is_pg3(listed));
    let group = ip_group(&[("10.0.1.13", "healthy")]);
    let plan = planned(&of(reader_spec(LIMIT)), &observed(group, homeless));
    assert_eq!(words(&plan), ["+10.0.1.12"]);
    assert_eq!(left_out(&plan), (Vec::new(), vec![EndpointReasonKind::Address]));
}

/// A group of instances, pg1 and pg2 of which are known to EC2; or what EC2 says instead.
fn of_instances(known: &[u8], failure: bool, ids: &[&str]) -> (Spec, Observed) {
    let targets = ids.iter().map(|id| TargetHealth {
        target: target(id, 5432),
        state: "healthy".to_owned(),
        reason: None,
    });
    let group =
        TargetGroup { target_type: TargetType::Instance, targets: targets.collect(), ..ip_group(&[]) };
    let there = known.iter().map(|number| {
        let ip = format!("10.0.1.1{number}").parse().unwrap();
        (ip, BTreeSet::from([instance(&format!("i-{number}"))]))
    });
    let found = if failure { Err(refused()) } else { Ok(there.collect()) };
    let instances = BTreeMap::from([("us-east-1".to_owned(), found)]);
    (of(reader_spec(LIMIT)), Observed { instances, ..observed(group, |_| ()) })
}

#[test]
fn a_member_without_an_instance_is_left_out_and_reported() {
    let (spec, observed) = of_instances(&[1, 2], false, &["i-9"]);
    let plan = planned(&spec, &observed);
    assert_eq!(words(&plan), ["+i-2", "-i-9"]);
    assert_eq!(left_out(&plan), (vec!["pg3".to_owned()], Vec::new()));
    let verdict = verdict(&spec, &observed, &State::default());
    let found = findings(&spec, &observed, None, &verdict, &plan, &[], None);
    assert!(format!("{found:?}").contains("MemberUnplaced"), "{found:?}");
    assert_eq!(ConditionKind::MemberUnplaced.severity(), Severity::Warning);
}

#[test]
fn while_ec2_fails_no_member_is_added_or_removed() {
    let (spec, observed) = of_instances(&[], true, &["i-2", "i-9"]);
    let plan = planned(&spec, &observed);
    assert_eq!(plan.step_groups, []);
    assert_eq!(left_out(&plan), (Vec::new(), vec![EndpointReasonKind::Unreadable]));
}

#[test]
fn the_primary_takes_the_place_of_replicas_of_which_none_can_be_placed() {
    let (spec, observed) = of_instances(&[1], false, &["i-9"]);
    assert_eq!(words(&planned(&spec, &observed)), ["+i-1", "-i-9"]);
    let role = GroupRole::Reader { max_lag_bytes: LIMIT, primary_fallback: false };
    let mut strict = spec;
    strict.groups[0].role = role;
    let plan = planned(&strict, &observed);
    assert_eq!(plan.step_groups, []);
    assert_eq!(left_out(&plan).1, [EndpointReasonKind::NoInstance]);
}

/// What was wrong with one that is held is neither there nor gone.
#[test]
fn which_members_are_left_out_is_unknown_for_a_held_endpoint() {
    let (spec, mut observed) = of_instances(&[1, 2], false, &["i-9"]);
    observed.groups.insert(arn(crate::support::evidence::GROUP), Err(refused()));
    let plan = planned(&spec, &observed);
    let verdict = verdict(&spec, &observed, &State::default());
    let found = findings(&spec, &observed, None, &verdict, &plan, &[], None);
    assert!(
        format!("{found:?}")
            .contains(&format!("held: [Group(GroupArn(\"{}\"))]", crate::support::evidence::GROUP)),
        "{found:?}"
    );
}

fn in_record(dns: Read<Vec<&str>>, values: &[&str]) -> (Option<Vec<String>>, Plan) {
    record_after(named(observed(ip_group(&[]), has_a_name), dns), values)
}

fn record_after(observed: Observed, values: &[&str]) -> (Option<Vec<String>>, Plan) {
    let points_to = PointsTo::Readers { max_lag_bytes: LIMIT, primary_fallback: true };
    let wanted = RecordSpec { points_to, ..record_spec(RecordType::A) };
    let records = BTreeMap::from([(wanted.key.place.clone(), Ok(vec![record(&wanted, values)]))]);
    let observed = Observed { records, ..observed };
    let plan = planned(&Spec { records: vec![wanted], ..spec() }, &observed);
    let after = plan.step_groups.first().map(|step_group| match step_group {
        StepGroup::Zone { changes, .. } => match &changes[0].after.answer {
            Answer::Values { values, .. } => values.clone(),
            Answer::Alias(alias) => panic!("an alias of {alias}"),
        },
        other => panic!("{other:?}"),
    });
    (after, plan)
}

#[test]
fn one_of_another_family_is_left_out_of_a_record() {
    let (after, plan) = in_record(Ok(vec!["fd00::13"]), &["10.0.1.99"]);
    assert_eq!(after, Some(vec!["10.0.1.12".to_owned()]));
    assert_eq!(left_out(&plan), (vec!["pg3".to_owned()], Vec::new()));
}

#[test]
fn while_dns_fails_a_record_loses_no_value() {
    let (after, plan) = in_record(Err(refused()), &["10.0.1.13", "10.0.1.99"]);
    assert_eq!(after, Some(["10.0.1.12", "10.0.1.13", "10.0.1.99"].map(str::to_owned).to_vec()));
    assert_eq!(left_out(&plan), (Vec::new(), vec![EndpointReasonKind::Unreadable]));
    let (after, _) = in_record(Err(refused()), &["10.0.1.12", "10.0.1.13"]);
    assert_eq!(after, None);
}

/// pg4 runs on pg3's host. Route 53 refuses a value that stands there twice.
#[test]
fn what_may_be_either_of_two_members_stays_once() {
    let mut observed = named(observed(ip_group(&[]), has_a_name), Err(refused()));
    for view in members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        view.members.push(ClusterMember { name: name(4), ..view.members[2].clone() });
    }
    let after = record_after(observed, &["10.0.1.13", "10.0.1.99"]).0;
    assert_eq!(after, Some(["10.0.1.12", "10.0.1.13", "10.0.1.99"].map(str::to_owned).to_vec()));
}

/// The best standby cannot be pointed at, and the next one can.
#[test]
fn a_standbys_record_passes_over_one_that_cannot_be_pointed_at() {
    let wanted = RecordSpec { points_to: PointsTo::Standby, ..record_spec(RecordType::A) };
    let records = BTreeMap::from([(wanted.key.place.clone(), Ok(vec![record(&wanted, &["10.0.1.99"])]))]);
    let first = |listed: &mut ClusterMember| {
        has_a_name(listed);
        listed.lag_bytes = Some(if is_pg3(listed) { 0 } else { LIMIT });
    };
    let observed = Observed { records, ..named(observed(ip_group(&[]), first), Ok(vec!["fd00::13"])) };
    let plan = planned(&Spec { records: vec![wanted], ..spec() }, &observed);
    let [StepGroup::Zone { changes, .. }] = &plan.step_groups[..] else { panic!("{plan:?}") };
    assert_eq!(changes[0].after.answer.to_string(), "10.0.1.12");
    assert!(matches!(&plan.warnings[0].what, WarningReason::Unplaced { member, .. } if *member == name(3)));
}
