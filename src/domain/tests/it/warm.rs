//! Warm groups: every member is in, the group's own health check on Patroni chooses.

use std::collections::{BTreeMap, BTreeSet};

use repoint_domain::alerts::findings;
use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::Observed;
use repoint_domain::plan::{EndpointReasonKind, Plan, StepGroup, TargetStep, WarningReason, plan};
use repoint_domain::spec::{GroupRole, GroupSpec, Spec};
use repoint_domain::state::{State, SurplusTarget};
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::target::{HealthCheck, TargetGroup, TargetType};
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{
    GROUP, arn, asks_patroni, group_spec, healthy, host, instance, ip_group, members_in, name, refused, spec,
    target, target_health, warm_spec,
};

const DEREGISTER_AFTER: u64 = 60_000;

/// pg2 leads.
fn observed(group: TargetGroup) -> Observed {
    checked_by(asks_patroni(), group)
}

fn checked_by(check: HealthCheck, group: TargetGroup) -> Observed {
    let group = TargetGroup { check: Some(check), ..group };
    Observed { groups: BTreeMap::from([(arn(GROUP), Ok(group))]), ..healthy(2, 3) }
}

fn of(group: GroupSpec) -> Spec {
    Spec { groups: vec![group], ..spec() }
}

/// Since when each target has belonged to nobody.
fn state(surplus: &[(&str, u64)]) -> State {
    let surplus = surplus.iter().map(|(id, since)| SurplusTarget {
        group: GROUP.to_owned(),
        target: target(id, 5432),
        since: Timestamp(*since),
    });
    State { surplus: surplus.collect(), ..State::default() }
}

fn planned(observed: &Observed, state: &State, now: u64) -> Plan {
    let spec = of(warm_spec(DEREGISTER_AFTER));
    let verdict = verdict(&spec, observed, state);
    let plan = plan(&spec, observed, &verdict, state, Timestamp(now));
    assert_eq!(audit(&plan, &spec, observed, &verdict, state, Timestamp(0)).err(), None);
    plan
}

fn steps(plan: &Plan) -> Vec<String> {
    let steps = plan.step_groups.iter().flat_map(|step_group| match step_group {
        StepGroup::Group { steps, .. } => steps.clone(),
        StepGroup::Listeners { .. } | StepGroup::Zone { .. } | StepGroup::Backend { .. } => {
            panic!("only groups")
        }
    });
    let word = |step| match step {
        TargetStep::Register(target) => format!("+{}", target.id),
        TargetStep::Deregister(target) => format!("-{}", target.id),
    };
    steps.map(word).collect()
}

fn all(states: [&str; 3]) -> TargetGroup {
    ip_group(&[("10.0.1.11", states[0]), ("10.0.1.12", states[1]), ("10.0.1.13", states[2])])
}

const RIGHT: [&str; 3] = ["unhealthy", "healthy", "unhealthy"];

#[test]
fn every_member_comes_in_the_primary_first() {
    let plan = planned(&observed(ip_group(&[])), &State::default(), 0);
    assert_eq!(steps(&plan), ["+10.0.1.12", "+10.0.1.11", "+10.0.1.13"]);
}

#[test]
fn a_failover_moves_nothing() {
    let plan = planned(&observed(all(RIGHT)), &State::default(), 0);
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_target_of_no_member_is_removed_after_a_while() {
    let mut group = all(RIGHT);
    group.targets.extend(ip_group(&[("10.0.1.99", "unhealthy")]).targets);
    let observed = observed(group);
    let surplus = WarningReason::Surplus(target("10.0.1.99", 5432));
    for (since, now, gone) in
        [(None, 0, false), (Some(0), DEREGISTER_AFTER - 1, false), (Some(0), DEREGISTER_AFTER, true)]
    {
        let state = since.map_or_else(State::default, |since| state(&[("10.0.1.99", since)]));
        let plan = planned(&observed, &state, now);
        let expected: &[&str] = if gone { &["+10.0.1.12", "-10.0.1.99"] } else { &[] };
        assert_eq!(steps(&plan), expected, "{since:?} {now}");
        assert!(matches!(&plan.warnings[..], [only] if only.what == surplus), "{:?}", plan.warnings);
    }
}

/// A member is away while it is built anew, and listed again before its time has come.
#[test]
fn a_member_that_is_listed_again_stays() {
    let state = state(&[("10.0.1.13", 0)]);
    assert_eq!(planned(&observed(all(RIGHT)), &state, 10 * DEREGISTER_AFTER), Plan::default());
}

/// A member that has just come back may be listed by one and not yet by another.
#[test]
fn a_member_that_any_view_lists_stays() {
    let mut observed = observed(all(RIGHT));
    let views = members_in(&mut observed)
        .values_mut()
        .filter_map(|answer| Some((answer.status.as_ref().ok()?, answer.view.as_mut().ok()?)));
    for (health, view) in views {
        if health.answers_primary {
            view.members.retain(|listed| listed.name != name(3));
        }
    }
    assert_eq!(planned(&observed, &state(&[("10.0.1.13", 0)]), 10 * DEREGISTER_AFTER), Plan::default());
}

#[test]
fn a_load_balancer_that_disagrees_is_a_concern() {
    let of = |states| {
        let plan = planned(&observed(all(states)), &State::default(), 0);
        assert_eq!(steps(&plan), [""; 0]);
        plan.warnings.iter().map(|warning| warning.what.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of(RIGHT), [""; 0]);
    assert_eq!(
        of(["healthy", "unhealthy", "unhealthy"]),
        ["healthy targets: 10.0.1.11:5432; expected only the primary 10.0.1.12:5432"]
    );
    assert_eq!(
        of(["healthy", "healthy", "unhealthy"]),
        ["healthy targets: 10.0.1.11:5432, 10.0.1.12:5432; expected only the primary 10.0.1.12:5432"]
    );
    assert_eq!(
        of(["unused", "unused", "unused"]),
        ["healthy targets: none; expected only the primary 10.0.1.12:5432"]
    );
}

#[test]
fn a_health_check_that_cannot_choose_is_refused_with_the_remedy() {
    let held = |change: &dyn Fn(&mut HealthCheck)| {
        let mut check = asks_patroni();
        change(&mut check);
        let observed = checked_by(check, ip_group(&[]));
        let plan = planned(&observed, &State::default(), 0);
        assert_eq!(plan.step_groups, []);
        assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::HealthCheck);
        plan.holds[0].reason.to_string()
    };
    let said = [
        held(&|check| "TCP".clone_into(&mut check.protocol)),
        held(&|check| "traffic-port".clone_into(&mut check.port)),
        held(&|check| check.path = Some("/health".to_owned())),
        held(&|check| check.path = Some("/replica".to_owned())),
        held(&|check| check.codes = Some("200-299,400-599".to_owned())),
    ];
    insta::assert_snapshot!(said.join("\n"), @"
    its health check is TCP, which every member passes; use HTTP, port 8008, path /primary, codes 200
    its health check asks port traffic-port, which is not Patroni's; use HTTP, port 8008, path /primary, codes 200
    its health check requests /health, which does not show which members belong to the group; use HTTP, port 8008, path /primary, codes 200
    its health check requests /replica, which does not show which members belong to the group; use HTTP, port 8008, path /primary, codes 200
    its health check accepts 200-299,400-599, and Patroni answers 503 for a member that does not belong; use HTTP, port 8008, path /primary, codes 200
    ");
}

/// The same cluster with its REST APIs over TLS.
fn over_tls(spec: &mut Spec, observed: &mut Observed) {
    let tls = |url: &ApiUrl| ApiUrl::parse(&url.to_string().replace("http://", "https://")).unwrap();
    for site in &mut spec.sites {
        site.members = site.members.iter().map(tls).collect();
    }
    for answers in observed.sites.values_mut() {
        *answers = std::mem::take(answers).into_iter().map(|(url, answer)| (tls(&url), answer)).collect();
    }
    for view in members_in(observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        for listed in &mut view.members {
            listed.api_url = listed.api_url.as_ref().map(tls);
        }
    }
}

/// No member passes a check in another scheme, and a load balancer without a healthy target sends to all.
#[test]
fn a_health_check_has_the_scheme_of_the_members() {
    let held = |protocol: &str, is_tls: bool| {
        let check = HealthCheck { protocol: protocol.to_owned(), ..asks_patroni() };
        let (mut spec, mut observed) = (of(warm_spec(DEREGISTER_AFTER)), checked_by(check, all(RIGHT)));
        if is_tls {
            over_tls(&mut spec, &mut observed);
        }
        let state = State::default();
        let verdict = verdict(&spec, &observed, &state);
        let plan = plan(&spec, &observed, &verdict, &state, Timestamp(0));
        plan.holds.iter().map(|hold| hold.reason.to_string()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!((held("HTTP", false), held("HTTPS", true)), (String::new(), String::new()));
    let said = [held("HTTP", true), held("HTTPS", false), held("TCP", true)];
    insta::assert_snapshot!(said.join("\n"), @"
    its health check is HTTP, and Patroni's API speaks HTTPS, so no member passes it; use HTTPS, port 8008, path /primary, codes 200, and `verify_client` of Patroni's REST API not `required`
    its health check is HTTPS, and Patroni's API speaks HTTP, so no member passes it; use HTTP, port 8008, path /primary, codes 200
    its health check is TCP, which every member passes; use HTTPS, port 8008, path /primary, codes 200, and `verify_client` of Patroni's REST API not `required`
    ");
}

#[test]
fn a_path_may_have_a_query() {
    let mut check = asks_patroni();
    check.path = Some("/read-write?tag_site=a".to_owned());
    let observed = checked_by(check, all(RIGHT));
    assert_eq!(planned(&observed, &State::default(), 0), Plan::default());
}

#[test]
fn readers_have_a_check_of_their_own() {
    let role = GroupRole::Reader { max_lag_bytes: 1, primary_fallback: true };
    let spec = of(GroupSpec { role, ..warm_spec(DEREGISTER_AFTER) });
    let judged = |path: &str| {
        let mut check = asks_patroni();
        check.path = Some(path.to_owned());
        let observed = checked_by(check, all(RIGHT));
        let verdict = verdict(&spec, &observed, &State::default());
        plan(&spec, &observed, &verdict, &State::default(), Timestamp(0)).holds.len()
    };
    assert_eq!(judged("/replica?lag=16MB"), 0);
    assert_eq!(judged("/primary"), 1);
}

#[test]
fn what_cannot_be_read_holds_the_group() {
    let mut observed = observed(all(RIGHT));
    observed.groups.insert(arn(GROUP), Err(refused()));
    let plan = planned(&observed, &State::default(), 0);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::Unreadable);
    // What was wrong with it is neither there nor gone.
    let spec = of(warm_spec(DEREGISTER_AFTER));
    let verdict = verdict(&spec, &observed, &State::default());
    let found = findings(&spec, &observed, None, &verdict, &plan, &[], None);
    let unknown = "unknown: [TargetSurplus, TargetHealth, ReaderHealth]";
    assert!(format!("{found:?}").contains(unknown), "{found:?}");
}

/// Else what is over would never be told to be, and the next surplus would leave at once.
#[test]
fn that_another_endpoint_is_held_says_nothing_of_this_group() {
    let observed = observed(all(RIGHT));
    let other = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/other/0123456789abcdef";
    let spec = Spec {
        groups: vec![warm_spec(DEREGISTER_AFTER), GroupSpec { arn: arn(other), ..group_spec() }],
        ..spec()
    };
    let observed = Observed {
        groups: observed.groups.into_iter().chain([(arn(other), Err(refused()))]).collect(),
        ..observed
    };
    let verdict = verdict(&spec, &observed, &State::default());
    let plan = plan(&spec, &observed, &verdict, &State::default(), Timestamp(0));
    assert_eq!(plan.holds.len(), 1);
    let found = findings(&spec, &observed, None, &verdict, &plan, &[], None);
    assert!(format!("{found:?}").contains("unknown: []"), "{found:?}");
}

#[test]
fn the_auditor_keeps_members_in_and_foreign_targets_out() {
    let observed = observed(all(RIGHT));
    let spec = of(warm_spec(DEREGISTER_AFTER));
    let verdict = verdict(&spec, &observed, &State::default());
    let refusal = |steps| {
        let plan = Plan { step_groups: vec![StepGroup::Group { arn: arn(GROUP), steps }], ..Plan::default() };
        audit(&plan, &spec, &observed, &verdict, &State::default(), Timestamp(0)).err()
    };
    let (open, close) = (
        |id: &str| TargetStep::Register(target(id, 5432)),
        |id: &str| TargetStep::Deregister(target(id, 5432)),
    );
    assert!(matches!(refusal(vec![open("10.0.1.99")]), Some(Refusal::WrongNode { .. })));
    let closes = vec![open("10.0.1.12"), close("10.0.1.13")];
    assert!(matches!(refusal(closes), Some(Refusal::ClosesOpen { .. })));
}

// Readers.

/// What is told of a group of readers, whose check asks for that path, while its targets are in these states.
fn reader_warnings(path: &str, lag_bytes: u64, states: [&str; 3]) -> Vec<String> {
    let role = GroupRole::Reader { max_lag_bytes: 1000, primary_fallback: true };
    let spec = of(GroupSpec { role, ..warm_spec(DEREGISTER_AFTER) });
    let check = HealthCheck { path: Some(path.to_owned()), ..asks_patroni() };
    let mut observed = checked_by(check, all(states));
    for answer in members_in(&mut observed).values_mut() {
        answer.view.as_mut().unwrap().members[2].lag_bytes = Some(lag_bytes);
    }
    let verdict = verdict(&spec, &observed, &State::default());
    let plan = plan(&spec, &observed, &verdict, &State::default(), Timestamp(0));
    assert_eq!((plan.step_groups.len(), plan.holds.len()), (0, 0));
    let found = findings(&spec, &observed, None, &verdict, &plan, &[], None);
    assert_eq!(format!("{found:?}").contains("ReaderHealth"), !plan.warnings.is_empty());
    plan.warnings.iter().map(|warning| warning.what.to_string()).collect()
}

/// pg2 leads.
const READ: [&str; 3] = ["healthy", "unhealthy", "healthy"];

#[test]
fn a_load_balancer_that_keeps_reads_from_a_fit_replica_is_a_concern() {
    assert_eq!(reader_warnings("/replica", 0, READ), [""; 0]);
    assert_eq!(
        reader_warnings("/replica", 0, ["healthy", "unhealthy", "unhealthy"]),
        ["healthy targets: 10.0.1.11:5432; expected replicas: 10.0.1.11:5432, 10.0.1.13:5432"]
    );
    // It may be too far behind for the one, and not for the other.
    assert_eq!(reader_warnings("/replica", 600, ["healthy", "unhealthy", "unhealthy"]), [""; 0]);
    assert_eq!(reader_warnings("/replica", 600, READ), [""; 0]);
}

#[test]
fn a_load_balancer_that_sends_reads_to_the_primary_is_a_concern_unless_the_check_is_for_it() {
    let all = ["healthy", "healthy", "healthy"];
    assert_eq!(reader_warnings("/replica", 0, all).len(), 1);
    assert_eq!(reader_warnings("/read-only?lag=16MB", 0, all), [""; 0]);
}

// Instances.

/// pg2 leads; the instances that run have these addresses.
fn instances(targets: &[&str], running: &[(u8, &str)]) -> Observed {
    let targets = targets.iter().map(|id| target_health(id, "unused")).collect();
    let group = TargetGroup { target_type: TargetType::Instance, targets, ..ip_group(&[]) };
    let found = running.iter().map(|(number, id)| {
        let address = host(*number).parse().unwrap();
        (address, BTreeSet::from([instance(id)]))
    });
    let instances = BTreeMap::from([("us-east-1".to_owned(), Ok(found.collect()))]);
    Observed { instances, ..observed(group) }
}

/// Patroni may list its member for a while, and another instance may have its address by then.
#[test]
fn an_instance_that_is_no_more_leaves_after_a_while_though_its_member_is_listed() {
    let gone = state(&[("i-3", 0)]);
    let observed = instances(&["i-1", "i-2", "i-3"], &[(1, "i-1"), (2, "i-2")]);
    assert_eq!(steps(&planned(&observed, &gone, DEREGISTER_AFTER - 1)), [""; 0]);
    assert_eq!(steps(&planned(&observed, &gone, DEREGISTER_AFTER)), ["+i-2", "-i-3"]);
    let replaced = instances(&["i-1", "i-2", "i-3"], &[(1, "i-1"), (2, "i-2"), (3, "i-4")]);
    assert_eq!(steps(&planned(&replaced, &gone, DEREGISTER_AFTER)), ["+i-4", "-i-3"]);
}

/// While nobody can say which instance the primary is, nothing goes, however long it has been nobody's.
#[test]
fn the_last_instance_never_leaves() {
    let gone = state(&[("i-1", 0), ("i-2", 0), ("i-3", 0)]);
    let plan = planned(&instances(&["i-1", "i-2", "i-3"], &[]), &gone, 10 * DEREGISTER_AFTER);
    assert_eq!(steps(&plan), [""; 0]);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::NoInstance);
}

/// Invariant 15: whom DNS does not know for now holds nobody else up; invariant 2: what is there may be that one.
#[test]
fn a_member_at_an_unknown_place_does_not_hold_up_the_others() {
    let mut observed = observed(ip_group(&[("10.0.1.12", "healthy"), ("10.0.1.13", "unhealthy")]));
    for view in members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        "pg3.internal".clone_into(&mut view.members[2].address.as_mut().unwrap().host);
    }
    observed.names.insert("pg3.internal".to_owned(), Err(refused()));
    let old = state(&[("10.0.1.13", 0)]);
    let plan = planned(&observed, &old, 10 * DEREGISTER_AFTER);
    assert_eq!(steps(&plan), ["+10.0.1.11"]);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::Unreadable);
    assert_eq!(plan.warnings, [], "it is no surplus");

    observed.names.insert("pg3.internal".to_owned(), Ok(Vec::new()));
    let plan = planned(&observed, &old, 10 * DEREGISTER_AFTER);
    assert_eq!(steps(&plan), ["+10.0.1.11", "-10.0.1.13"]);
    assert!(plan.warnings.iter().any(
        |warning| matches!(&warning.what, WarningReason::Unplaced { member, .. } if *member == name(3))
    ));
}

/// The primary cannot be placed: that is told, the others are kept warm, and nothing is closed.
#[test]
fn a_primary_that_cannot_be_placed_does_not_hold_up_the_others() {
    let mut observed = observed(ip_group(&[("10.0.1.99", "unhealthy")]));
    for view in members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        "pg2.internal".clone_into(&mut view.members[1].address.as_mut().unwrap().host);
    }
    observed.names.insert("pg2.internal".to_owned(), Ok(Vec::new()));
    let plan = planned(&observed, &state(&[("10.0.1.99", 0)]), 10 * DEREGISTER_AFTER);
    assert_eq!(steps(&plan), ["+10.0.1.11", "+10.0.1.13"]);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::Address);
}
