//! Two entries that share the key of a state.

use repoint_domain::decide::verdict::Verdict;
use repoint_domain::spec::{Intent, RecordIntent};
use repoint_domain::state::{ConditionKind, Memory};
use repoint_domain::values::cluster::Timeline;
use repoint_domain::values::record::{RecordName, RecordType};

use crate::support::diary::Diary;
use crate::support::evidence::{healthy, intent, members_in, record_intent, silence};

fn record(name: &str) -> RecordIntent {
    let mut record = record_intent(RecordType::A);
    record.key.place.name = RecordName::new(name);
    record
}

fn with_records(names: &[String]) -> Intent {
    Intent { records: names.iter().map(|name| record(name)).collect(), ..intent() }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_state_is_of_others_when_it_shares_no_endpoint() {
    let kept = Memory::default().kept_for(&with_records(&names(&["a.example.com", "b.example.com"])));
    assert!(!kept.is_of_others(&with_records(&names(&["b.example.com", "c.example.com"]))));
    assert!(kept.is_of_others(&with_records(&names(&["c.example.com"]))));
    assert!(!Memory::default().is_of_others(&with_records(&names(&["c.example.com"]))), "it is nobody's yet");
    // An entry that only looks moves nothing, and takes nothing over.
    assert!(!kept.is_of_others(&intent()));
    assert_eq!(kept.clone().kept_for(&intent()), kept);
}

#[test]
fn what_is_kept_of_the_endpoints_is_bounded_and_enough() {
    let many: Vec<String> = (0..5000).map(|number| format!("writer-{number:04}.db.example.com")).collect();
    let kept = Memory::default().kept_for(&with_records(&many));
    assert!(kept.endpoints.iter().map(String::len).sum::<usize>() <= 8192);
    assert!(kept.endpoints.len() > 100 && !kept.is_of_others(&with_records(&many)));
}

#[test]
fn a_pass_keeps_the_endpoints_that_are_configured_now() {
    let mut diary = Diary::with_group_at(1);
    diary.pass(0, &healthy(1, 3));
    assert_eq!(diary.memory.endpoints, [diary.intent.groups[0].arn.to_string()].into());
    diary.intent.records.push(record("a.example.com"));
    diary.pass(10, &healthy(1, 3));
    assert_eq!(diary.memory.endpoints.len(), 2);
}

/// Production and staging, with one scope and one store.
#[test]
fn the_state_of_others_is_told_once_and_left_as_it_is() {
    let mut production = Diary::with_group_at(1);
    production.pass(0, &healthy(1, 3));
    production.told.clear();
    let before = production.memory.clone();

    let mut staging =
        Diary { intent: with_records(&names(&["staging.example.com"])), ..Diary::with_group_at(1) };
    staging.memory = production.memory.clone();
    let made = staging.make_of_others(&healthy(2, 9));
    assert!(staging.fold(10, &made));
    insta::assert_snapshot!(staging.lines(), @"at 10 s: repoint: batman: CANNOT ACT, its state belongs to other endpoints");
    let shared = |memory: &Memory| Memory { revision: 0, conditions: Vec::new(), ..memory.clone() };
    assert_eq!(shared(&staging.memory), shared(&before));

    // Whose state it is takes no notice, and does not forget that it was told.
    production.memory = staging.memory.clone();
    production.pass(20, &healthy(1, 3));
    assert_eq!(production.lines(), "");
    staging.memory = production.memory.clone();
    let made = staging.make_of_others(&healthy(2, 9));
    assert!(!staging.fold(30, &made));
    assert_eq!(staging.lines(), "");

    // That entry may long have a state of its own.
    production.pass(20 + 25 * 3600, &healthy(1, 3));
    assert_eq!((production.lines(), production.memory.conditions), (String::new(), Vec::new()));
}

#[test]
fn what_the_owner_has_to_tell_is_told_by_the_owner() {
    let mut production = Diary::with_group_at(1);
    production.pass(0, &healthy(1, 3));
    let mut unwell = healthy(1, 3);
    members_in(&mut unwell).extend([silence(3)]);
    production.pass(10, &unwell);
    assert_eq!(production.memory.conditions.len(), 1, "it is not told of at once");
    production.told.clear();

    let mut staging =
        Diary { intent: with_records(&names(&["staging.example.com"])), ..Diary::with_group_at(1) };
    staging.memory = production.memory.clone();
    let made = staging.make_of_others(&healthy(2, 9));
    staging.fold(3600, &made);
    assert_eq!(
        staging.lines(),
        "at 3600 s: repoint: batman: CANNOT ACT, its state belongs to other endpoints"
    );
    let kept = |kind| staging.memory.conditions.iter().find(|known| known.kind == kind).cloned();
    for condition in &production.memory.conditions {
        assert_eq!(kept(condition.kind).as_ref(), Some(condition));
    }
}

#[test]
fn adopting_takes_the_state_over() {
    let mut diary = Diary::with_group_at(1);
    diary.pass(0, &healthy(1, 3));
    let mut other = Diary { intent: with_records(&names(&["staging.example.com"])), ..diary.clone() };
    let made = other.make_of_others(&healthy(1, 3));
    other.fold(10, &made);
    let Verdict::Primary(primary) = &made.verdict else { panic!("no primary") };
    other.memory = other.memory.adopted(primary).kept_for(&other.intent);
    assert!(other.memory.members.is_empty() && !other.memory.is_of_others(&other.intent));
    assert_eq!(other.memory.highest_timeline, Some(Timeline(3)));
    other.told.clear();
    other.pass(20, &healthy(1, 3));
    assert!(
        other
            .memory
            .conditions
            .iter()
            .all(|condition| condition.kind != ConditionKind::StateOfOtherEndpoints)
    );
    assert!(other.lines().contains("resolved after 10 s: CANNOT ACT"), "{:?}", other.told);
}
