//! Groups of readers: who is in, who is out, and when the primary takes their place.

mod places;
mod record;
mod settling;
mod standby;

use std::collections::{BTreeMap, BTreeSet};

use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::{ClusterMember, MemberStatus, Observed};
use repoint_domain::plan::{EndpointReasonKind, Plan, StepGroup, TargetStep, plan};
use repoint_domain::spec::{GroupRole, GroupSpec, Spec};
use repoint_domain::state::State;
use repoint_domain::values::cluster::PostgresState;
use repoint_domain::values::target::TargetGroup;
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{
    GROUP, answer, arn, healthy, ip_group, members_in, name, primary, reader_spec, refused, silence, spec,
    target, url,
};

const LIMIT: u64 = 1000;

/// pg1 leads; what is said of pg2 and pg3 is up to `change`.
fn observed(group: TargetGroup, change: impl Fn(&mut ClusterMember)) -> Observed {
    let mut observed = healthy(1, 3);
    for view in members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        view.members.iter_mut().filter(|listed| !listed.role.leads()).for_each(&change);
    }
    Observed { groups: BTreeMap::from([(arn(GROUP), Ok(group))]), ..observed }
}

fn of(group: GroupSpec) -> Spec {
    Spec { groups: vec![group], ..spec() }
}

fn planned(group: GroupSpec, observed: &Observed) -> Plan {
    let spec = of(group);
    let verdict = verdict(&spec, observed, &State::default());
    let plan = plan(&spec, observed, &verdict, &State::default(), Timestamp(0));
    assert_eq!(audit(&plan, &spec, observed, &verdict, &State::default(), Timestamp(0)).err(), None);
    plan
}

fn steps(observed: &Observed) -> Vec<String> {
    words(&planned(reader_spec(LIMIT), observed))
}

/// The steps of a plan for one group.
fn words(plan: &Plan) -> Vec<String> {
    match &plan.step_groups[..] {
        [] => Vec::new(),
        [StepGroup::Group { steps, .. }] => steps
            .iter()
            .map(|step| match step {
                TargetStep::Register(target) => format!("+{}", target.id),
                TargetStep::Deregister(target) => format!("-{}", target.id),
            })
            .collect(),
        step_groups => panic!("{step_groups:?}"),
    }
}

fn both() -> TargetGroup {
    ip_group(&[("10.0.1.12", "healthy"), ("10.0.1.13", "healthy")])
}

fn is_pg3(listed: &ClusterMember) -> bool {
    listed.name == name(3)
}

#[test]
fn the_replicas_come_in_and_the_primary_goes() {
    let group = ip_group(&[("10.0.1.11", "healthy")]);
    assert_eq!(steps(&observed(group, |_| ())), ["+10.0.1.12", "+10.0.1.13", "-10.0.1.11"]);
}

#[test]
fn what_is_right_is_left_alone() {
    assert_eq!(steps(&observed(both(), |_| ())), [""; 0]);
}

#[test]
fn at_the_limit_a_member_in_stays_in_and_a_member_out_stays_out() {
    let lagging =
        |lag| move |listed: &mut ClusterMember| listed.lag_bytes = Some(if is_pg3(listed) { lag } else { 0 });
    let without = || ip_group(&[("10.0.1.12", "healthy")]);
    assert_eq!(steps(&observed(both(), lagging(LIMIT))), [""; 0]);
    assert_eq!(steps(&observed(both(), lagging(LIMIT + 1))), ["+10.0.1.12", "-10.0.1.13"]);
    assert_eq!(steps(&observed(without(), lagging(LIMIT))), [""; 0]);
    assert_eq!(steps(&observed(without(), lagging(LIMIT / 2 + 1))), [""; 0]);
    assert_eq!(steps(&observed(without(), lagging(LIMIT / 2))), ["+10.0.1.13"]);
}

#[test]
fn an_unknown_lag_is_none_to_trust() {
    let unknown =
        |listed: &mut ClusterMember| listed.lag_bytes = listed.lag_bytes.filter(|_| !is_pg3(listed));
    assert_eq!(steps(&observed(both(), unknown)), ["+10.0.1.12", "-10.0.1.13"]);
}

#[test]
fn a_tagged_member_is_removed() {
    let tagged = |listed: &mut ClusterMember| listed.noloadbalance = is_pg3(listed);
    assert_eq!(steps(&observed(both(), tagged)), ["+10.0.1.12", "-10.0.1.13"]);
}

#[test]
fn a_member_that_does_not_stream_is_removed() {
    for state in ["in archive recovery", "starting", "running"] {
        let idle = |listed: &mut ClusterMember| {
            if is_pg3(listed) {
                listed.state = PostgresState::from(state);
            }
        };
        assert_eq!(steps(&observed(both(), idle)), ["+10.0.1.12", "-10.0.1.13"], "{state}");
    }
}

/// Before 3.0.4 a replica that streams is `running`, and only the member that it streams from lists it.
#[test]
fn a_replica_may_stream_from_a_replica() {
    let mut observed = observed(both(), |listed| listed.state = PostgresState::Running);
    let mut feeds = |number, fed| {
        let status = members_in(&mut observed).get_mut(&url(number)).unwrap().status.as_mut().unwrap();
        status.feeds = BTreeSet::from([name(fed)]);
    };
    feeds(1, 2);
    feeds(2, 3);
    assert_eq!(steps(&observed), [""; 0]);
}

/// A primary that was left behind feeds what the cluster does not have.
#[test]
fn what_streams_from_another_primary_goes() {
    let mut observed = observed(both(), |listed| listed.state = PostgresState::Running);
    let feeds = |status, fed| MemberStatus { feeds: BTreeSet::from([name(fed)]), ..status };
    let list = members_in(&mut observed)[&url(1)].view.clone();
    let answers = [answer(1, feeds(primary(3), 2), list), answer(2, feeds(primary(2), 3), Err(refused()))];
    members_in(&mut observed).extend(answers);
    assert_eq!(steps(&observed), ["+10.0.1.12", "-10.0.1.13"]);
}

/// Before 3.0.4 a replica that streams is `running`.
#[test]
fn the_primarys_own_view_shows_streaming_where_the_list_does_not() {
    let mut observed = observed(both(), |listed| listed.state = PostgresState::Running);
    assert_eq!(steps(&observed), ["+10.0.1.11", "-10.0.1.12", "-10.0.1.13"]);
    for status in members_in(&mut observed).values_mut().filter_map(|answer| answer.status.as_mut().ok()) {
        status.feeds = BTreeSet::from([name(2)]);
    }
    assert_eq!(steps(&observed), ["+10.0.1.12", "-10.0.1.13"]);
}

#[test]
fn a_member_that_does_not_answer_may_stay_and_is_not_added() {
    let silent = |group| {
        let mut observed = observed(group, |_| ());
        members_in(&mut observed).extend([silence(3)]);
        observed
    };
    assert_eq!(steps(&silent(both())), [""; 0]);
    assert_eq!(steps(&silent(ip_group(&[("10.0.1.12", "healthy")]))), [""; 0]);
}

#[test]
fn the_primary_takes_the_place_of_the_last_if_it_may() {
    let far = |listed: &mut ClusterMember| listed.lag_bytes = Some(LIMIT + 1);
    let observed = observed(both(), far);
    assert_eq!(steps(&observed), ["+10.0.1.11", "-10.0.1.12", "-10.0.1.13"]);

    let role = GroupRole::Reader { max_lag_bytes: LIMIT, primary_fallback: false };
    let plan = planned(GroupSpec { role, ..reader_spec(LIMIT) }, &observed);
    assert_eq!(plan.step_groups, []);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::NoReader);
}

#[test]
fn without_a_list_no_member_is_in_or_out() {
    let mut observed = observed(both(), |_| ());
    for answer in members_in(&mut observed).values_mut() {
        answer.view = Err(refused());
    }
    let plan = planned(reader_spec(LIMIT), &observed);
    assert_eq!(plan.step_groups, []);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::NoReader);
}

/// What the auditor says of one that is not the planner's.
fn refusal(observed: &Observed, fallback: bool, steps: Vec<TargetStep>) -> Option<Refusal> {
    let role = GroupRole::Reader { max_lag_bytes: LIMIT, primary_fallback: fallback };
    let spec = of(GroupSpec { role, ..reader_spec(LIMIT) });
    let verdict = verdict(&spec, observed, &State::default());
    let plan = Plan { step_groups: vec![StepGroup::Group { arn: arn(GROUP), steps }], ..Plan::default() };
    audit(&plan, &spec, observed, &verdict, &State::default(), Timestamp(0)).err()
}

#[test]
fn the_auditor_lets_in_only_members_that_may_be_read_from() {
    let far =
        |listed: &mut ClusterMember| listed.lag_bytes = Some(if is_pg3(listed) { LIMIT + 1 } else { 0 });
    let observed = observed(ip_group(&[]), far);
    let register = |number: u8| vec![TargetStep::Register(target(&format!("10.0.1.1{number}"), 5432))];
    assert_eq!(refusal(&observed, true, register(1)), None);
    assert_eq!(refusal(&observed, true, register(2)), None);
    assert!(matches!(refusal(&observed, false, register(1)), Some(Refusal::WrongNode { .. })));
    assert!(matches!(refusal(&observed, true, register(3)), Some(Refusal::WrongNode { .. })));
    assert!(matches!(refusal(&observed, true, register(9)), Some(Refusal::WrongNode { .. })));
}

#[test]
fn the_auditor_refuses_to_close_before_a_member_is_in() {
    let observed = observed(both(), |_| ());
    let at = |number: u8| target(&format!("10.0.1.1{number}"), 5432);
    let close = |number| TargetStep::Deregister(at(number));
    let open = |number| TargetStep::Register(at(number));
    assert!(matches!(refusal(&observed, true, vec![close(3)]), Some(Refusal::ClosesFirst { .. })));
    assert!(matches!(
        refusal(&observed, true, vec![open(2), close(3), close(2)]),
        Some(Refusal::ClosesOpen { .. })
    ));
    assert_eq!(refusal(&observed, true, vec![open(2), close(3)]), None);
}

/// A pass is made for it, and not for every byte of lag.
#[test]
fn an_observation_shows_which_members_may_be_read_from() {
    let lagging = |lag| move |listed: &mut ClusterMember| listed.lag_bytes = Some(lag);
    let spec = of(reader_spec(LIMIT));
    let snapshot = |lag| Snapshot::of(&spec, observed(both(), lagging(lag)).sites);
    assert_eq!(snapshot(0), snapshot(LIMIT / 2));
    assert_ne!(snapshot(0), snapshot(LIMIT));
    assert_ne!(snapshot(LIMIT), snapshot(LIMIT + 1));
    assert!(snapshot(0).agrees(&snapshot(LIMIT + 1)), "it can wait for a moment");
}
