//! Groups of readers: who is in, who is out, and when the primary takes their place.

mod places;
mod record;
mod settling;
mod standby;

use std::collections::{BTreeMap, BTreeSet};

use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::sight::Sight;
use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::{Health, Listed, World};
use repoint_domain::plan::{EndpointReasonKind, Lane, Plan, TargetStep, plan};
use repoint_domain::spec::{GroupIntent, GroupRole, Intent};
use repoint_domain::state::{Memory, Timestamp};
use repoint_domain::values::cluster::State;
use repoint_domain::values::endpoint::TargetGroup;

use crate::support::evidence::{
    GROUP, answer, arn, healthy, intent, ip_group, members_in, name, primary, reader_intent, refused,
    silence, target, url,
};

const LIMIT: u64 = 1000;

/// pg1 leads; what is said of pg2 and pg3 is up to `change`.
fn world(group: TargetGroup, change: impl Fn(&mut Listed)) -> World {
    let mut world = healthy(1, 3);
    for view in members_in(&mut world).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        view.members.iter_mut().filter(|listed| !listed.role.leads()).for_each(&change);
    }
    World { groups: BTreeMap::from([(arn(GROUP), Ok(group))]), ..world }
}

fn of(group: GroupIntent) -> Intent {
    Intent { groups: vec![group], ..intent() }
}

fn planned(group: GroupIntent, world: &World) -> Plan {
    let intent = of(group);
    let verdict = verdict(&intent, world, &Memory::default());
    let plan = plan(&intent, world, &verdict, &Memory::default(), Timestamp(0));
    assert_eq!(audit(&plan, &intent, world, &verdict, &Memory::default(), Timestamp(0)).err(), None);
    plan
}

fn steps(world: &World) -> Vec<String> {
    words(&planned(reader_intent(LIMIT), world))
}

/// The steps of a plan for one group.
fn words(plan: &Plan) -> Vec<String> {
    match &plan.lanes[..] {
        [] => Vec::new(),
        [Lane::Group { steps, .. }] => steps
            .iter()
            .map(|step| match step {
                TargetStep::Register(target) => format!("+{}", target.id),
                TargetStep::Deregister(target) => format!("-{}", target.id),
            })
            .collect(),
        lanes => panic!("{lanes:?}"),
    }
}

fn both() -> TargetGroup {
    ip_group(&[("10.0.1.12", "healthy"), ("10.0.1.13", "healthy")])
}

fn is_pg3(listed: &Listed) -> bool {
    listed.name == name(3)
}

#[test]
fn the_replicas_come_in_and_the_primary_goes() {
    let group = ip_group(&[("10.0.1.11", "healthy")]);
    assert_eq!(steps(&world(group, |_| ())), ["+10.0.1.12", "+10.0.1.13", "-10.0.1.11"]);
}

#[test]
fn what_is_right_is_left_alone() {
    assert_eq!(steps(&world(both(), |_| ())), [""; 0]);
}

#[test]
fn at_the_limit_who_is_in_stays_and_who_is_out_stays_out() {
    let lagging =
        |lag| move |listed: &mut Listed| listed.lag_bytes = Some(if is_pg3(listed) { lag } else { 0 });
    let without = || ip_group(&[("10.0.1.12", "healthy")]);
    assert_eq!(steps(&world(both(), lagging(LIMIT))), [""; 0]);
    assert_eq!(steps(&world(both(), lagging(LIMIT + 1))), ["+10.0.1.12", "-10.0.1.13"]);
    assert_eq!(steps(&world(without(), lagging(LIMIT))), [""; 0]);
    assert_eq!(steps(&world(without(), lagging(LIMIT / 2 + 1))), [""; 0]);
    assert_eq!(steps(&world(without(), lagging(LIMIT / 2))), ["+10.0.1.13"]);
}

#[test]
fn an_unknown_lag_is_none_to_trust() {
    let unknown = |listed: &mut Listed| listed.lag_bytes = listed.lag_bytes.filter(|_| !is_pg3(listed));
    assert_eq!(steps(&world(both(), unknown)), ["+10.0.1.12", "-10.0.1.13"]);
}

#[test]
fn who_is_tagged_goes() {
    let tagged = |listed: &mut Listed| listed.noloadbalance = is_pg3(listed);
    assert_eq!(steps(&world(both(), tagged)), ["+10.0.1.12", "-10.0.1.13"]);
}

#[test]
fn who_does_not_stream_goes() {
    for state in ["in archive recovery", "starting", "running"] {
        let idle = |listed: &mut Listed| {
            if is_pg3(listed) {
                listed.state = State::from(state);
            }
        };
        assert_eq!(steps(&world(both(), idle)), ["+10.0.1.12", "-10.0.1.13"], "{state}");
    }
}

/// Before 3.0.4 a replica that streams is `running`, and only the member that it streams from lists it.
#[test]
fn a_replica_may_stream_from_a_replica() {
    let mut world = world(both(), |listed| listed.state = State::Running);
    let mut feeds = |number, fed| {
        let health = members_in(&mut world).get_mut(&url(number)).unwrap().health.as_mut().unwrap();
        health.feeds = BTreeSet::from([name(fed)]);
    };
    feeds(1, 2);
    feeds(2, 3);
    assert_eq!(steps(&world), [""; 0]);
}

/// A primary that was left behind feeds what the cluster does not have.
#[test]
fn what_streams_from_another_primary_goes() {
    let mut world = world(both(), |listed| listed.state = State::Running);
    let feeds = |health, fed| Health { feeds: BTreeSet::from([name(fed)]), ..health };
    let list = members_in(&mut world)[&url(1)].view.clone();
    let answers = [answer(1, feeds(primary(3), 2), list), answer(2, feeds(primary(2), 3), Err(refused()))];
    members_in(&mut world).extend(answers);
    assert_eq!(steps(&world), ["+10.0.1.12", "-10.0.1.13"]);
}

/// Before 3.0.4 a replica that streams is `running`.
#[test]
fn the_primarys_own_account_tells_who_streams_where_the_list_does_not() {
    let mut world = world(both(), |listed| listed.state = State::Running);
    assert_eq!(steps(&world), ["+10.0.1.11", "-10.0.1.12", "-10.0.1.13"]);
    for health in members_in(&mut world).values_mut().filter_map(|answer| answer.health.as_mut().ok()) {
        health.feeds = BTreeSet::from([name(2)]);
    }
    assert_eq!(steps(&world), ["+10.0.1.12", "-10.0.1.13"]);
}

#[test]
fn who_does_not_answer_may_stay_and_does_not_come_in() {
    let silent = |group| {
        let mut world = world(group, |_| ());
        members_in(&mut world).extend([silence(3)]);
        world
    };
    assert_eq!(steps(&silent(both())), [""; 0]);
    assert_eq!(steps(&silent(ip_group(&[("10.0.1.12", "healthy")]))), [""; 0]);
}

#[test]
fn the_primary_takes_the_place_of_the_last_if_it_may() {
    let far = |listed: &mut Listed| listed.lag_bytes = Some(LIMIT + 1);
    let world = world(both(), far);
    assert_eq!(steps(&world), ["+10.0.1.11", "-10.0.1.12", "-10.0.1.13"]);

    let role = GroupRole::Reader { max_lag_bytes: LIMIT, primary_fallback: false };
    let plan = planned(GroupIntent { role, ..reader_intent(LIMIT) }, &world);
    assert_eq!(plan.lanes, []);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::NoReader);
}

#[test]
fn without_a_list_nobody_is_in_or_out() {
    let mut world = world(both(), |_| ());
    for answer in members_in(&mut world).values_mut() {
        answer.view = Err(refused());
    }
    let plan = planned(reader_intent(LIMIT), &world);
    assert_eq!(plan.lanes, []);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::NoReader);
}

/// What the auditor says of one that is not the planner's.
fn refusal(world: &World, fallback: bool, steps: Vec<TargetStep>) -> Option<Refusal> {
    let role = GroupRole::Reader { max_lag_bytes: LIMIT, primary_fallback: fallback };
    let intent = of(GroupIntent { role, ..reader_intent(LIMIT) });
    let verdict = verdict(&intent, world, &Memory::default());
    let plan = Plan { lanes: vec![Lane::Group { arn: arn(GROUP), steps }], ..Plan::default() };
    audit(&plan, &intent, world, &verdict, &Memory::default(), Timestamp(0)).err()
}

#[test]
fn the_auditor_lets_in_only_who_may_be_read_from() {
    let far = |listed: &mut Listed| listed.lag_bytes = Some(if is_pg3(listed) { LIMIT + 1 } else { 0 });
    let world = world(ip_group(&[]), far);
    let register = |number: u8| vec![TargetStep::Register(target(&format!("10.0.1.1{number}"), 5432))];
    assert_eq!(refusal(&world, true, register(1)), None);
    assert_eq!(refusal(&world, true, register(2)), None);
    assert!(matches!(refusal(&world, false, register(1)), Some(Refusal::WrongNode { .. })));
    assert!(matches!(refusal(&world, true, register(3)), Some(Refusal::WrongNode { .. })));
    assert!(matches!(refusal(&world, true, register(9)), Some(Refusal::WrongNode { .. })));
}

#[test]
fn the_auditor_lets_nobody_close_before_somebody_is_in() {
    let world = world(both(), |_| ());
    let at = |number: u8| target(&format!("10.0.1.1{number}"), 5432);
    let close = |number| TargetStep::Deregister(at(number));
    let open = |number| TargetStep::Register(at(number));
    assert!(matches!(refusal(&world, true, vec![close(3)]), Some(Refusal::ClosesFirst { .. })));
    assert!(matches!(
        refusal(&world, true, vec![open(2), close(3), close(2)]),
        Some(Refusal::ClosesOpen { .. })
    ));
    assert_eq!(refusal(&world, true, vec![open(2), close(3)]), None);
}

/// A pass is made for it, and not for every byte of lag.
#[test]
fn a_look_sees_who_may_be_read_from() {
    let lagging = |lag| move |listed: &mut Listed| listed.lag_bytes = Some(lag);
    let intent = of(reader_intent(LIMIT));
    let sight = |lag| Sight::of(&intent, world(both(), lagging(lag)).sites);
    assert_eq!(sight(0), sight(LIMIT / 2));
    assert_ne!(sight(0), sight(LIMIT));
    assert_ne!(sight(LIMIT), sight(LIMIT + 1));
    assert!(sight(0).agrees(&sight(LIMIT + 1)), "it can wait for a moment");
}
