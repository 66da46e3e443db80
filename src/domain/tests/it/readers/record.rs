//! Records of readers: a value for each replica that may be read from.

use std::collections::BTreeMap;

use repoint_domain::audit::{Refusal, audit};
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::{ClusterMember, Observed};
use repoint_domain::plan::moves::moves;
use repoint_domain::plan::{EndpointReasonKind, Plan, StepGroup, plan};
use repoint_domain::spec::{PointsTo, RecordSpec, Spec};
use repoint_domain::state::{LastPrimary, State};
use repoint_domain::values::moves::MoveCause;
use repoint_domain::values::primary::Primary;
use repoint_domain::values::record::{Answer, RecordChange, RecordSet, RecordType};
use repoint_domain::values::timestamp::Timestamp;

use super::{LIMIT, is_pg3, observed as group_world};
use crate::support::evidence::{ip_group, members_in, record, record_spec, refused, spec};

fn wanted(primary_fallback: bool) -> RecordSpec {
    let points_to = PointsTo::Readers { max_lag_bytes: LIMIT, primary_fallback };
    RecordSpec { points_to, ..record_spec(RecordType::A) }
}

/// pg1 leads; the record has these values.
fn observed(values: &[&str], change: impl Fn(&mut ClusterMember)) -> Observed {
    let wanted = wanted(true);
    let set = record(&wanted, values);
    let records = BTreeMap::from([(wanted.key.place, Ok(vec![set]))]);
    Observed { records, ..group_world(ip_group(&[]), change) }
}

fn of(record: RecordSpec) -> Spec {
    Spec { records: vec![record], groups: Vec::new(), ..spec() }
}

fn primary_of(spec: &Spec, observed: &Observed) -> Primary {
    let Verdict::Primary(primary) = verdict(spec, observed, &State::default()) else {
        panic!("no member leads")
    };
    primary
}

fn planned(wanted: RecordSpec, observed: &Observed) -> Plan {
    let spec = of(wanted);
    let verdict = verdict(&spec, observed, &State::default());
    let plan = plan(&spec, observed, &verdict, &State::default(), Timestamp(0));
    assert_eq!(audit(&plan, &spec, observed, &verdict, &State::default(), Timestamp(0)).err(), None);
    plan
}

fn after(observed: &Observed) -> Option<Vec<String>> {
    match &planned(wanted(true), observed).step_groups[..] {
        [] => None,
        [StepGroup::Zone { changes, .. }] => match &changes[0].after.answer {
            Answer::Values { values, .. } => Some(values.clone()),
            Answer::Alias(alias) => panic!("an alias of {alias}"),
        },
        step_groups => panic!("{step_groups:?}"),
    }
}

fn lagging(lag: u64) -> impl Fn(&mut ClusterMember) {
    move |listed: &mut ClusterMember| listed.lag_bytes = Some(if is_pg3(listed) { lag } else { 0 })
}

const BOTH: [&str; 2] = ["10.0.1.12", "10.0.1.13"];

#[test]
fn it_has_a_value_for_each_replica() {
    assert_eq!(after(&observed(&["10.0.1.11"], |_| ())), Some(BOTH.map(str::to_owned).to_vec()));
}

#[test]
fn another_order_is_no_difference() {
    assert_eq!(after(&observed(&["10.0.1.13", "10.0.1.12"], |_| ())), None);
}

#[test]
fn at_the_limit_a_member_in_stays_in_and_a_member_out_stays_out() {
    let alone = Some(vec!["10.0.1.12".to_owned()]);
    assert_eq!(after(&observed(&BOTH, lagging(LIMIT))), None);
    assert_eq!(after(&observed(&BOTH, lagging(LIMIT + 1))), alone);
    assert_eq!(after(&observed(&["10.0.1.12"], lagging(LIMIT))), None);
    assert_eq!(after(&observed(&["10.0.1.12"], lagging(LIMIT / 2))), Some(BOTH.map(str::to_owned).to_vec()));
}

#[test]
fn the_primary_takes_the_place_of_the_last_if_it_may() {
    let far = observed(&BOTH, |listed| listed.lag_bytes = None);
    assert_eq!(after(&far), Some(vec!["10.0.1.11".to_owned()]));
    let plan = planned(wanted(false), &far);
    assert_eq!(plan.step_groups, []);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::NoReader);
}

#[test]
fn without_a_list_no_member_is_in_or_out() {
    let mut observed = observed(&BOTH, |_| ());
    for answer in members_in(&mut observed).values_mut() {
        answer.view = Err(refused());
    }
    let plan = planned(wanted(true), &observed);
    assert_eq!(plan.step_groups, []);
    assert_eq!(plan.holds[0].reason.kind(), EndpointReasonKind::NoReader);
}

/// Even where the primary takes their place: nobody's writes have moved.
#[test]
fn readers_that_come_and_go_are_no_correction() {
    for change in [&lagging(LIMIT + 1) as &dyn Fn(&mut ClusterMember), &|listed: &mut ClusterMember| {
        listed.lag_bytes = None;
    }] {
        let (spec, observed) = (of(wanted(true)), observed(&BOTH, change));
        let primary = primary_of(&spec, &observed);
        let Primary { member, address, timeline, .. } = primary.clone();
        let state = State {
            primary: Some(LastPrimary { site: None, member, address, timeline }),
            ..State::default()
        };
        let plan = planned(wanted(true), &observed);
        let notified = moves(&spec, &state, &observed, &primary, &plan).unwrap();
        assert_eq!((notified.cause, notified.previous), (MoveCause::Members, None));
    }
}

/// What the auditor says of values that are not the planner's.
fn refusal(observed: &Observed, fallback: bool, values: &[&str]) -> Option<Refusal> {
    let wanted = wanted(fallback);
    let place = wanted.key.place.clone();
    let before = observed.records[&place].as_ref().unwrap()[0].clone();
    let answer = record(&wanted, values).answer;
    let after = RecordSet { answer, ..before.clone() };
    let changes = vec![RecordChange { before: Some(before), after }];
    let plan = Plan { step_groups: vec![StepGroup::Zone { zone: place.zone, changes }], ..Plan::default() };
    let spec = of(wanted);
    let verdict = verdict(&spec, observed, &State::default());
    audit(&plan, &spec, observed, &verdict, &State::default(), Timestamp(0)).err()
}

#[test]
fn the_auditor_lets_in_only_members_that_may_be_read_from() {
    let observed = observed(&BOTH, lagging(LIMIT + 1));
    assert_eq!(refusal(&observed, true, &["10.0.1.12"]), None);
    assert_eq!(refusal(&observed, true, &["10.0.1.11"]), None);
    assert!(matches!(refusal(&observed, false, &["10.0.1.11"]), Some(Refusal::WrongNode { .. })));
    for stray in ["10.0.1.13", "10.0.1.99"] {
        assert!(matches!(refusal(&observed, true, &[stray, "10.0.1.12"]), Some(Refusal::WrongNode { .. })));
    }
    assert!(matches!(refusal(&observed, true, &[]), Some(Refusal::Empties(_))));
}

/// A pass is made for it, and not for every byte of lag.
#[test]
fn an_observation_shows_which_members_may_be_read_from() {
    let spec = of(wanted(true));
    let snapshot = |lag| Snapshot::of(&spec, observed(&BOTH, lagging(lag)).sites);
    assert_eq!(snapshot(0), snapshot(LIMIT / 2));
    assert_ne!(snapshot(LIMIT), snapshot(LIMIT + 1));
}

/// Route 53 refuses a value that stands there twice.
#[test]
fn two_replicas_at_one_address_are_one_value() {
    let mut observed = observed(&["10.0.1.11"], |_| ());
    for view in members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        let shared = view.members[1].address.clone();
        view.members[2].address = shared;
    }
    assert_eq!(after(&observed), Some(vec!["10.0.1.12".to_owned()]));
}
