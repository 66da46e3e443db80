//! Records of readers: a value for each replica that may be read from.

use std::collections::BTreeMap;

use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::retarget::{Cause, retarget};
use repoint_domain::decide::sight::Sight;
use repoint_domain::decide::verdict::{Primary, Verdict, verdict};
use repoint_domain::observed::{Listed, World};
use repoint_domain::plan::{EndpointReasonKind, Lane, Plan, plan};
use repoint_domain::spec::{Intent, PointsTo, RecordIntent};
use repoint_domain::state::{LastPrimary, Memory, Timestamp};
use repoint_domain::values::record::{Answer, RecordChange, RecordSet, RecordType};

use super::{LIMIT, is_pg3, world as group_world};
use crate::support::evidence::{intent, ip_group, members_in, record, record_intent, refused};

fn wanted(primary_fallback: bool) -> RecordIntent {
    let points_to = PointsTo::Readers { max_lag_bytes: LIMIT, primary_fallback };
    RecordIntent { points_to, ..record_intent(RecordType::A) }
}

/// pg1 leads; the record has these values.
fn world(values: &[&str], change: impl Fn(&mut Listed)) -> World {
    let wanted = wanted(true);
    let set = record(&wanted, values);
    let records = BTreeMap::from([(wanted.key.place, Ok(vec![set]))]);
    World { records, ..group_world(ip_group(&[]), change) }
}

fn of(record: RecordIntent) -> Intent {
    Intent { records: vec![record], groups: Vec::new(), ..intent() }
}

fn primary_of(intent: &Intent, world: &World) -> Primary {
    let Verdict::Primary(primary) = verdict(intent, world, &Memory::default()) else {
        panic!("nobody leads")
    };
    primary
}

fn planned(wanted: RecordIntent, world: &World) -> Plan {
    let intent = of(wanted);
    let verdict = verdict(&intent, world, &Memory::default());
    let plan = plan(&intent, world, &verdict, &Memory::default(), Timestamp(0));
    assert_eq!(audit(&plan, &intent, world, &verdict, &Memory::default(), Timestamp(0)).err(), None);
    plan
}

fn after(world: &World) -> Option<Vec<String>> {
    match &planned(wanted(true), world).lanes[..] {
        [] => None,
        [Lane::Zone { changes, .. }] => match &changes[0].after.answer {
            Answer::Values { values, .. } => Some(values.clone()),
            Answer::Alias(alias) => panic!("an alias of {alias}"),
        },
        lanes => panic!("{lanes:?}"),
    }
}

fn lagging(lag: u64) -> impl Fn(&mut Listed) {
    move |listed: &mut Listed| listed.lag_bytes = Some(if is_pg3(listed) { lag } else { 0 })
}

const BOTH: [&str; 2] = ["10.0.1.12", "10.0.1.13"];

#[test]
fn it_has_a_value_for_each_replica() {
    assert_eq!(after(&world(&["10.0.1.11"], |_| ())), Some(BOTH.map(str::to_owned).to_vec()));
}

#[test]
fn another_order_is_no_difference() {
    assert_eq!(after(&world(&["10.0.1.13", "10.0.1.12"], |_| ())), None);
}

#[test]
fn at_the_limit_who_is_in_stays_and_who_is_out_stays_out() {
    let alone = Some(vec!["10.0.1.12".to_owned()]);
    assert_eq!(after(&world(&BOTH, lagging(LIMIT))), None);
    assert_eq!(after(&world(&BOTH, lagging(LIMIT + 1))), alone);
    assert_eq!(after(&world(&["10.0.1.12"], lagging(LIMIT))), None);
    assert_eq!(after(&world(&["10.0.1.12"], lagging(LIMIT / 2))), Some(BOTH.map(str::to_owned).to_vec()));
}

#[test]
fn the_primary_takes_the_place_of_the_last_if_it_may() {
    let far = world(&BOTH, |listed| listed.lag_bytes = None);
    assert_eq!(after(&far), Some(vec!["10.0.1.11".to_owned()]));
    let plan = planned(wanted(false), &far);
    assert_eq!(plan.lanes, []);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::NoReader);
}

#[test]
fn without_a_list_nobody_is_in_or_out() {
    let mut world = world(&BOTH, |_| ());
    for answer in members_in(&mut world).values_mut() {
        answer.view = Err(refused());
    }
    let plan = planned(wanted(true), &world);
    assert_eq!(plan.lanes, []);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::NoReader);
}

/// Even where the primary takes their place: nobody's writes have moved.
#[test]
fn readers_that_come_and_go_are_no_correction() {
    for change in
        [&lagging(LIMIT + 1) as &dyn Fn(&mut Listed), &|listed: &mut Listed| listed.lag_bytes = None]
    {
        let (intent, world) = (of(wanted(true)), world(&BOTH, change));
        let primary = primary_of(&intent, &world);
        let Primary { member, address, timeline, .. } = primary.clone();
        let memory = Memory {
            primary: Some(LastPrimary { site: None, member, address, timeline }),
            ..Memory::default()
        };
        let plan = planned(wanted(true), &world);
        let told = retarget(&intent, &memory, &world, &primary, &plan).unwrap();
        assert_eq!((told.cause, told.previous), (Cause::Members, None));
    }
}

/// What the auditor says of values that are not the planner's.
fn refusal(world: &World, fallback: bool, values: &[&str]) -> Option<Refusal> {
    let wanted = wanted(fallback);
    let place = wanted.key.place.clone();
    let before = world.records[&place].as_ref().unwrap()[0].clone();
    let answer = record(&wanted, values).answer;
    let after = RecordSet { answer, ..before.clone() };
    let changes = vec![RecordChange { before: Some(before), after }];
    let plan = Plan { lanes: vec![Lane::Zone { zone: place.zone, changes }], ..Plan::default() };
    let intent = of(wanted);
    let verdict = verdict(&intent, world, &Memory::default());
    audit(&plan, &intent, world, &verdict, &Memory::default(), Timestamp(0)).err()
}

#[test]
fn the_auditor_lets_in_only_who_may_be_read_from() {
    let world = world(&BOTH, lagging(LIMIT + 1));
    assert_eq!(refusal(&world, true, &["10.0.1.12"]), None);
    assert_eq!(refusal(&world, true, &["10.0.1.11"]), None);
    assert!(matches!(refusal(&world, false, &["10.0.1.11"]), Some(Refusal::WrongNode { .. })));
    for stray in ["10.0.1.13", "10.0.1.99"] {
        assert!(matches!(refusal(&world, true, &[stray, "10.0.1.12"]), Some(Refusal::WrongNode { .. })));
    }
    assert!(matches!(refusal(&world, true, &[]), Some(Refusal::Empties(_))));
}

/// A pass is made for it, and not for every byte of lag.
#[test]
fn a_look_sees_who_may_be_read_from() {
    let intent = of(wanted(true));
    let sight = |lag| Sight::of(&intent, world(&BOTH, lagging(lag)).sites);
    assert_eq!(sight(0), sight(LIMIT / 2));
    assert_ne!(sight(LIMIT), sight(LIMIT + 1));
}

/// Route 53 refuses a value that stands there twice.
#[test]
fn two_replicas_at_one_address_are_one_value() {
    let mut world = world(&["10.0.1.11"], |_| ());
    for view in members_in(&mut world).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        let shared = view.members[1].address.clone();
        view.members[2].address = shared;
    }
    assert_eq!(after(&world), Some(vec!["10.0.1.12".to_owned()]));
}
