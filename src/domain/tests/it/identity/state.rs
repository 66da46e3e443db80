//! Two entries that share the key of a state.

use repoint_domain::decide::verdict::Verdict;
use repoint_domain::spec::{RecordSpec, Spec};
use repoint_domain::state::{ConditionKind, State};
use repoint_domain::values::cluster::Timeline;
use repoint_domain::values::record::{RecordName, RecordType};

use crate::support::evidence::{healthy, members_in, record_spec, silence, spec};
use crate::support::history::History;

fn record(name: &str) -> RecordSpec {
    let mut record = record_spec(RecordType::A);
    record.key.place.name = RecordName::new(name);
    record
}

fn with_records(names: &[String]) -> Spec {
    Spec { records: names.iter().map(|name| record(name)).collect(), ..spec() }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_state_is_of_others_when_it_shares_no_endpoint() {
    let kept = State::default().kept_for(&with_records(&names(&["a.example.com", "b.example.com"])));
    assert!(!kept.is_of_others(&with_records(&names(&["b.example.com", "c.example.com"]))));
    assert!(kept.is_of_others(&with_records(&names(&["c.example.com"]))));
    assert!(
        !State::default().is_of_others(&with_records(&names(&["c.example.com"]))),
        "it belongs to no entry yet"
    );
    // An entry that only looks moves nothing, and takes nothing over.
    assert!(!kept.is_of_others(&spec()));
    assert_eq!(kept.clone().kept_for(&spec()), kept);
}

#[test]
fn what_is_kept_of_the_endpoints_is_bounded_and_enough() {
    let many: Vec<String> = (0..5000).map(|number| format!("writer-{number:04}.db.example.com")).collect();
    let kept = State::default().kept_for(&with_records(&many));
    assert!(kept.endpoints.iter().map(String::len).sum::<usize>() <= 8192);
    assert!(kept.endpoints.len() > 100 && !kept.is_of_others(&with_records(&many)));
}

#[test]
fn a_pass_keeps_the_endpoints_that_are_configured_now() {
    let mut history = History::with_group_at(1);
    history.pass(0, &healthy(1, 3));
    assert_eq!(history.state.endpoints, [history.spec.groups[0].arn.to_string()].into());
    history.spec.records.push(record("a.example.com"));
    history.pass(10, &healthy(1, 3));
    assert_eq!(history.state.endpoints.len(), 2);
}

/// Production and staging, with one scope and one store.
#[test]
fn the_state_of_other_endpoints_is_alerted_once_and_left_as_it_is() {
    let mut production = History::with_group_at(1);
    production.pass(0, &healthy(1, 3));
    production.notified.clear();
    let before = production.state.clone();

    let mut staging =
        History { spec: with_records(&names(&["staging.example.com"])), ..History::with_group_at(1) };
    staging.state = production.state.clone();
    let made = staging.make_of_others(&healthy(2, 9));
    assert!(staging.update(10, &made));
    insta::assert_snapshot!(staging.lines(), @"at 10 s: repoint: batman: STATE OF OTHER ENDPOINTS, changes blocked");
    let shared = |state: &State| State { revision: 0, conditions: Vec::new(), ..state.clone() };
    assert_eq!(shared(&staging.state), shared(&before));

    // Whose state it is takes no notice, and does not forget that it was told.
    production.state = staging.state.clone();
    production.pass(20, &healthy(1, 3));
    assert_eq!(production.lines(), "");
    staging.state = production.state.clone();
    let made = staging.make_of_others(&healthy(2, 9));
    assert!(!staging.update(30, &made));
    assert_eq!(staging.lines(), "");

    // That entry may long have a state of its own.
    production.pass(20 + 25 * 3600, &healthy(1, 3));
    assert_eq!((production.lines(), production.state.conditions), (String::new(), Vec::new()));
}

#[test]
fn only_the_owner_of_a_state_alerts_of_its_conditions() {
    let mut production = History::with_group_at(1);
    production.pass(0, &healthy(1, 3));
    let mut unwell = healthy(1, 3);
    members_in(&mut unwell).extend([silence(3)]);
    production.pass(10, &unwell);
    assert_eq!(production.state.conditions.len(), 1, "it is not told of at once");
    production.notified.clear();

    let mut staging =
        History { spec: with_records(&names(&["staging.example.com"])), ..History::with_group_at(1) };
    staging.state = production.state.clone();
    let made = staging.make_of_others(&healthy(2, 9));
    staging.update(3600, &made);
    assert_eq!(staging.lines(), "at 3600 s: repoint: batman: STATE OF OTHER ENDPOINTS, changes blocked");
    let kept = |kind| staging.state.conditions.iter().find(|known| known.kind == kind).cloned();
    for condition in &production.state.conditions {
        assert_eq!(kept(condition.kind).as_ref(), Some(condition));
    }
}

#[test]
fn adopting_takes_the_state_over() {
    let mut history = History::with_group_at(1);
    history.pass(0, &healthy(1, 3));
    let mut other = History { spec: with_records(&names(&["staging.example.com"])), ..history.clone() };
    let made = other.make_of_others(&healthy(1, 3));
    other.update(10, &made);
    let Verdict::Primary(primary) = &made.verdict else { panic!("no primary") };
    other.state = other.state.adopted(primary).kept_for(&other.spec);
    assert!(other.state.members.is_empty() && !other.state.is_of_others(&other.spec));
    assert_eq!(other.state.highest_timeline, Some(Timeline(3)));
    other.notified.clear();
    other.pass(20, &healthy(1, 3));
    assert!(
        other.state.conditions.iter().all(|condition| condition.kind != ConditionKind::StateOfOtherEndpoints)
    );
    assert!(other.lines().contains("resolved after 10 s: STATE OF OTHER"), "{:?}", other.notified);
}
