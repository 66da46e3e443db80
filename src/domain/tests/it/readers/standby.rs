//! A standby cluster: its replicas can be read from, and nothing that takes writes moves.

use std::collections::BTreeMap;

use repoint_domain::alerts::findings;
use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::decide::verdict::{HoldKind, Verdict, verdict};
use repoint_domain::observed::{ClusterMember, ClusterView, MemberStatus, Observed};
use repoint_domain::plan::{Plan, StepGroup, TargetStep, plan};
use repoint_domain::report::{Outcome, holds, outcome};
use repoint_domain::spec::{GroupRole, GroupSpec, PointsTo, RecordSpec, Spec};
use repoint_domain::state::State;
use repoint_domain::values::cluster::{ClusterRole, PostgresState, Role, Timeline};
use repoint_domain::values::record::RecordType;
use repoint_domain::values::target::TargetGroup;
use repoint_domain::values::timestamp::Timestamp;

use super::{LIMIT, of, words};
use crate::support::evidence::{
    GROUP, answer, arn, group_spec, ip_group, listed, members_in, name, observed, reader_spec, record,
    record_spec, refused, replica, spec, target,
};

const WRITERS: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/writers/0123456789abcdef";

fn cluster_view(timeline: u32) -> ClusterView {
    let leader = ClusterMember { lag_bytes: Some(0), ..listed(1, ClusterRole::StandbyLeader, timeline) };
    let others = (2..=3).map(|number| listed(number, ClusterRole::Replica, timeline));
    ClusterView {
        scope: None,
        members: std::iter::once(leader).chain(others).collect(),
        paused: false,
        scheduled_switchover: None,
    }
}

/// pg1 leads the standby cluster, pg2 and pg3 stream from it.
fn standby(group: TargetGroup) -> Observed {
    let leader = MemberStatus { role: Role::StandbyLeader, ..replica(3) };
    let statuses = [leader, replica(3), replica(3)];
    let answers = (1..).zip(statuses).map(|(number, status)| answer(number, status, Ok(cluster_view(3))));
    let writers = ip_group(&[("10.0.1.99", "healthy")]);
    Observed {
        groups: BTreeMap::from([(arn(GROUP), Ok(group)), (arn(WRITERS), Ok(writers))]),
        ..observed(answers)
    }
}

fn planned(spec: &Spec, observed: &Observed, state: &State) -> Plan {
    let verdict = verdict(spec, observed, state);
    let plan = plan(spec, observed, &verdict, state, Timestamp(0));
    assert_eq!(audit(&plan, spec, observed, &verdict, state, Timestamp(0)).err(), None);
    plan
}

fn reported(spec: &Spec, observed: &Observed) -> (Outcome, usize) {
    let verdict = verdict(spec, observed, &State::default());
    let plan = plan(spec, observed, &verdict, &State::default(), Timestamp(0));
    let holds = holds(&verdict, &plan);
    (outcome(true, &repoint_domain::report::planned_steps(&plan), &holds), holds.len())
}

fn both() -> TargetGroup {
    ip_group(&[("10.0.1.12", "healthy"), ("10.0.1.13", "healthy")])
}

#[test]
fn its_replicas_are_added_and_other_targets_are_removed() {
    let observed = standby(ip_group(&[("10.0.1.99", "healthy")]));
    let plan = planned(&of(reader_spec(LIMIT)), &observed, &State::default());
    assert_eq!(words(&plan), ["+10.0.1.12", "+10.0.1.13", "-10.0.1.99"]);
}

#[test]
fn its_leader_takes_the_place_of_the_last() {
    let mut observed = standby(both());
    for view in members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        view.members.iter_mut().for_each(|listed| listed.lag_bytes = None);
    }
    let plan = planned(&of(reader_spec(LIMIT)), &observed, &State::default());
    assert_eq!(words(&plan), ["+10.0.1.11", "-10.0.1.12", "-10.0.1.13"]);
}

/// Before 3.0.4 its replicas are `running`, and it says who streams from it.
#[test]
fn it_says_which_members_stream_from_it() {
    let mut observed = standby(both());
    for (number, answer) in (1..).zip(members_in(&mut observed).values_mut()) {
        answer
            .view
            .as_mut()
            .unwrap()
            .members
            .iter_mut()
            .for_each(|listed| listed.state = PostgresState::Running);
        if number == 1 {
            answer.status.as_mut().unwrap().feeds.insert(name(2));
        }
    }
    let plan = planned(&of(reader_spec(LIMIT)), &observed, &State::default());
    assert_eq!(words(&plan), ["+10.0.1.12", "-10.0.1.13"]);
}

#[test]
fn nothing_that_takes_writes_moves() {
    let writers = GroupSpec { arn: arn(WRITERS), ..group_spec() };
    let points_to = PointsTo::Readers { max_lag_bytes: LIMIT, primary_fallback: true };
    let of_readers = RecordSpec { points_to, ..record_spec(RecordType::A) };
    let of_writers = RecordSpec {
        key: repoint_domain::values::record::RecordKey {
            set_identifier: Some(repoint_domain::values::record::SetIdentifier::new("writers")),
            ..of_readers.key.clone()
        },
        points_to: PointsTo::Primary,
        ..of_readers.clone()
    };
    let records =
        BTreeMap::from([(of_readers.key.place.clone(), Ok(vec![record(&of_readers, &["10.0.1.99"])]))]);
    let observed = Observed { records, ..standby(ip_group(&[])) };
    let spec =
        Spec { groups: vec![writers, reader_spec(LIMIT)], records: vec![of_readers, of_writers], ..spec() };
    let plan = planned(&spec, &observed, &State::default());
    let [StepGroup::Group { arn: group, .. }, StepGroup::Zone { changes, .. }] = &plan.step_groups[..] else {
        panic!("{plan:?}")
    };
    assert_eq!((group, changes.len()), (&arn(GROUP), 1));
    assert_eq!(changes[0].after.answer.to_string(), "10.0.1.12,10.0.1.13");
    assert_eq!(reported(&spec, &observed), (Outcome::Held, 1), "the writers are");
}

/// A site that has only readers is as it should be: it must not fail every minute.
#[test]
fn where_only_readers_are_configured_it_is_converged() {
    let spec = of(reader_spec(LIMIT));
    assert_eq!(reported(&spec, &standby(both())), (Outcome::Converged, 0));
    assert_eq!(reported(&spec, &standby(ip_group(&[]))), (Outcome::Planned, 0));
    let verdict = verdict(&spec, &standby(both()), &State::default());
    assert!(matches!(&verdict, Verdict::Hold(hold) if hold.kind() == HoldKind::StandbyCluster));
}

/// Invariants 3 and 4 hold for those who read as well.
#[test]
fn a_doubtful_leader_is_not_followed() {
    let spec = of(reader_spec(LIMIT));
    let is_served = |observed: &Observed, state: &State| {
        let is_served = verdict(&spec, observed, state).leader().is_some();
        assert_eq!(planned(&spec, observed, state) != Plan::default(), is_served);
        is_served
    };
    let known = |timeline| State { highest_timeline: Some(Timeline(timeline)), ..State::default() };
    let empty = || standby(ip_group(&[]));
    assert!(is_served(&empty(), &known(3)));
    assert!(!is_served(&empty(), &known(4)), "it is behind");
    let mut silent = empty();
    let (url, mut unread) = answer(1, replica(3), Err(refused()));
    unread.status = Err(refused());
    members_in(&mut silent).insert(url, unread);
    assert!(!is_served(&silent, &known(3)), "it does not answer for itself");
    let mut doubted = empty();
    let another = members_in(&mut doubted).values_mut().next_back().unwrap().view.as_mut().unwrap();
    another.members[1].role = ClusterRole::StandbyLeader;
    assert!(!is_served(&doubted, &known(3)), "another is named as well");
    assert_eq!(reported(&spec, &doubted), (Outcome::Held, 1));
}

#[test]
fn the_auditor_lets_only_readers_follow_it() {
    let writers = GroupSpec { arn: arn(WRITERS), ..group_spec() };
    let warm = GroupSpec { role: GroupRole::Writer, ..reader_spec(LIMIT) };
    let observed = standby(both());
    for (group, arn) in [(writers, arn(WRITERS)), (warm, arn(GROUP))] {
        let spec = of(group);
        let verdict = verdict(&spec, &observed, &State::default());
        let steps = vec![TargetStep::Register(target("10.0.1.11", 5432))];
        let plan = Plan { step_groups: vec![StepGroup::Group { arn, steps }], ..Plan::default() };
        let refusal = audit(&plan, &spec, &observed, &verdict, &State::default(), Timestamp(0));
        assert_eq!(refusal.err(), Some(Refusal::NoPrimary));
    }
}

/// The auditor asks those who lead itself.
#[test]
fn the_auditor_believes_no_leader_that_does_not_say_so() {
    let spec = of(reader_spec(LIMIT));
    let mut observed = standby(ip_group(&[]));
    let verdict = verdict(&spec, &observed, &State::default());
    let plan = plan(&spec, &observed, &verdict, &State::default(), Timestamp(0));
    for status in members_in(&mut observed).values_mut().filter_map(|answer| answer.status.as_mut().ok()) {
        status.role = Role::Replica;
    }
    let refusal = audit(&plan, &spec, &observed, &verdict, &State::default(), Timestamp(0));
    assert_eq!(refusal.err(), Some(Refusal::NoPrimary));
}

/// What was wrong with endpoints of writers is neither there nor gone; what is wrong with readers is told.
#[test]
fn what_is_wrong_with_readers_is_found() {
    let mut observed = standby(both());
    observed.groups.insert(arn(GROUP), Err(refused()));
    let spec =
        Spec { groups: vec![GroupSpec { arn: arn(WRITERS), ..group_spec() }, reader_spec(LIMIT)], ..spec() };
    let verdict = verdict(&spec, &observed, &State::default());
    let plan = plan(&spec, &observed, &verdict, &State::default(), Timestamp(0));
    let found = format!("{:?}", findings(&spec, &observed, None, &verdict, &plan, &[], None));
    assert!(
        found.contains(&format!("kind: EndpointHeld, subject: Some(Endpoint(Group(GroupArn(\"{GROUP}\"))))")),
        "{found}"
    );
    assert!(found.contains(&format!("left_alone: [Group(GroupArn(\"{WRITERS}\"))]")), "{found}");
}

#[test]
fn an_observation_shows_another_leader_and_its_readable_members() {
    let spec = of(reader_spec(LIMIT));
    let snapshot = |change: &dyn Fn(&mut ClusterMember)| {
        let mut observed = standby(both());
        for view in members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
            view.members.iter_mut().for_each(change);
        }
        Snapshot::of(&spec, observed.sites)
    };
    let lagging = |lag| snapshot(&move |listed| listed.lag_bytes = listed.lag_bytes.map(|_| lag));
    assert_eq!(lagging(0), lagging(1));
    assert_ne!(lagging(0), lagging(LIMIT + 1));
    let moved = snapshot(&|listed| {
        if listed.name == name(1) {
            listed.address.as_mut().unwrap().port = 5433;
        }
    });
    assert!(!moved.agrees(&lagging(0)) && !moved.names_a_primary());
}
