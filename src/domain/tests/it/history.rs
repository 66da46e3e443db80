//! The history: what is written of a pass, and how it is read.

use std::collections::BTreeMap;

use proptest::prelude::*;
use repoint_domain::alerts::next_state;
use repoint_domain::history::{
    ClusterHistory, Happened, HistoryEvent, Promotions, Reading, of_adoption, of_pass,
};
use repoint_domain::observed::{Observed, TimelineEnd};
use repoint_domain::state::{MOST_EVENT_BYTES, PendingEvent, State};
use repoint_domain::values::cluster::{EntryName, MemberName, Scope, Timeline};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::timestamp::Timestamp;
use repoint_domain::values::utc::Utc;

use crate::support::evidence::{healthy, observed, silence};
use crate::support::history::{History, at};

/// A pass, and the events that it writes.
fn pass(story: &mut History, second: i64, members: &Observed) -> Vec<HistoryEvent> {
    let made = story.make(second, members);
    let before = story.state.clone();
    let (next, alerted) = next_state(&before, &made.ended(), &story.rules, at(second));
    let mut state = next.unwrap_or(before.clone());
    let events = of_pass(&alerted, &made.report, &before, state.revision, [at(second); 2]);
    for event in &events {
        let json = serde_json::to_string(event).unwrap();
        state.keep_event(PendingEvent { number: event.head.number, since: at(second), json });
    }
    story.state = state;
    events
}

/// pg1 is lost for 70 s, and then pg2 leads.
fn failover() -> Vec<HistoryEvent> {
    let mut story = History::with_group_at(1);
    let nobody = observed((1..=3).map(silence));
    let passes = [(0, healthy(1, 3)), (10, nobody.clone()), (75, nobody), (80, healthy(2, 4))];
    passes.iter().flat_map(|(second, members)| pass(&mut story, *second, members)).collect()
}

fn json(event: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(event).unwrap()
}

#[test]
fn a_failover_is_three_events() {
    let events = failover();
    let numbers: Vec<u64> = events.iter().map(|event| event.head.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    insta::assert_snapshot!(json(&events), @r#"
    [
      {
        "version": 1,
        "number": 1,
        "id": "batman-3-0",
        "cluster": "batman",
        "at": "2023-11-14T22:14:35.000Z",
        "kind": "condition",
        "condition": "no_primary",
        "status": "triggered",
        "severity": "critical",
        "message": "no member can be reached: GET /primary on a test: connection refused; GET /primary on a test: connection refused; GET /primary on a test: connection refused",
        "since": "2023-11-14T22:13:30.000Z",
        "lasted_ms": 65000
      },
      {
        "version": 1,
        "number": 2,
        "id": "batman-5-0",
        "cluster": "batman",
        "at": "2023-11-14T22:14:40.000Z",
        "kind": "moved",
        "cause": "switchover",
        "from": "pg1",
        "to": "pg2",
        "member": "pg2",
        "timeline": 4,
        "no_primary_since": "2023-11-14T22:13:30.000Z",
        "took_ms": 1,
        "steps": [
          {
            "action": "register_target",
            "endpoint": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33",
            "target": "10.0.1.12:5432",
            "result": "done",
            "at_ms": 1
          },
          {
            "action": "deregister_target",
            "endpoint": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33",
            "target": "10.0.1.11:5432",
            "result": "done",
            "at_ms": 1
          }
        ]
      },
      {
        "version": 1,
        "number": 3,
        "id": "batman-5-1",
        "cluster": "batman",
        "at": "2023-11-14T22:14:40.000Z",
        "kind": "condition",
        "condition": "no_primary",
        "status": "resolved",
        "severity": "critical",
        "message": "no member can be reached: GET /primary on a test: connection refused; GET /primary on a test: connection refused; GET /primary on a test: connection refused",
        "since": "2023-11-14T22:13:30.000Z",
        "lasted_ms": 70000
      }
    ]
    "#);
}

/// What is read is what was written; and a later version may add fields, kinds and words.
#[test]
fn later_versions_are_read_as_far_as_they_are_understood() {
    for event in failover() {
        let mut stored = serde_json::to_value(&event).unwrap();
        assert_eq!(serde_json::from_value::<HistoryEvent>(stored.clone()).unwrap(), event);
        stored["mood"] = "good".into();
        assert_eq!(serde_json::from_value::<HistoryEvent>(stored.clone()).unwrap(), event);
        stored["kind"] = "eclipse".into();
        let unknown: HistoryEvent = serde_json::from_value(stored).unwrap();
        assert_eq!((unknown.happened, unknown.head), (Happened::Unrecognized, event.head));
    }
    let mut stored = serde_json::to_value(&failover()[1]).unwrap();
    stored["cause"] = "eclipse".into();
    stored["steps"][0]["action"] = "set_haproxy".into();
    let event: HistoryEvent = serde_json::from_value(stored).unwrap();
    assert!(matches!(event.happened, Happened::Moved(moved) if moved.cause.as_str() == "unknown"));
}

#[test]
fn an_adoption_is_an_event() {
    let mut story = History::with_group_at(1);
    let made = story.make(0, &healthy(1, 3));
    let primary = made.verdict.leader().unwrap();
    let event = of_adoption(
        &EntryName::new("batman"),
        &State { last_event: 6, ..State::default() },
        9,
        primary,
        at(1),
    );
    insta::assert_snapshot!(json(&event), @r#"
    {
      "version": 1,
      "number": 7,
      "id": "batman-9-adopted",
      "cluster": "batman",
      "at": "2023-11-14T22:13:21.000Z",
      "kind": "adopted",
      "to": "pg1",
      "system_id": "7710341171024913225",
      "timeline": 3
    }
    "#);
}

/// A step that failed is what a reader needs, so those that were done are left out first.
#[test]
fn a_long_event_is_shortened() {
    let mut event = failover().remove(1);
    let Happened::Moved(moved) = &mut event.happened else { panic!("a move") };
    let mut failed = moved.steps[0].clone();
    failed.error = Some("AccessDenied".to_owned());
    moved.steps = vec![moved.steps[0].clone(); 40];
    moved.steps.insert(7, failed.clone());
    moved.left = vec!["an endpoint".to_owned(); 60];
    while serde_json::to_string(&event).unwrap().len() > MOST_EVENT_BYTES {
        assert!(event.shorten());
    }
    let Happened::Moved(moved) = &event.happened else { panic!("a move") };
    assert!(moved.steps.contains(&failed) && !moved.left.is_empty());
    assert_eq!(moved.steps.len() + moved.left.len() + moved.left_out, 101);
    while event.shorten() {}
}

fn read(events: Vec<HistoryEvent>, since: Option<Utc>) -> ClusterHistory {
    let reading = Reading { events, damaged: Vec::new() };
    ClusterHistory::new(&Scope::new("batman"), &EntryName::new("batman"), reading, since)
}

fn promoted(timeline: u32, second: i64, new_leader: &str) -> TimelineEnd {
    TimelineEnd {
        timeline: Timeline(timeline),
        at: Some(Utc(at(second))),
        new_leader: Some(MemberName::new(new_leader)),
    }
}

#[test]
fn each_event_is_read_once_and_in_order() {
    let events = failover();
    let twice = events.iter().rev().chain(&events).cloned().collect();
    let history = read(twice, None);
    let read_events: Vec<_> = history.events.iter().map(|view| view.event.clone()).collect();
    assert_eq!((read_events, &history.warnings[..]), (events.clone(), &[][..]));
    assert_eq!(read(events.clone(), Some(events[1].head.at)).events.len(), 2);

    let gap = vec![events[0].clone(), events[2].clone()];
    assert_eq!(read(gap, None).warnings, ["events that could not be stored: 1; the log has them"]);
    // The state was deleted, and the counting began again.
    let mut again = events[0].clone();
    again.head.at = Utc(at(500));
    assert_eq!(read(events.into_iter().chain([again]).collect(), None).warnings, [""; 0]);
}

#[test]
fn a_move_is_joined_with_its_promotion() {
    let joined = |ends: Vec<TimelineEnd>| {
        let mut history = read(failover(), None);
        assert_eq!(history.promoted_sites().into_iter().collect::<Vec<_>>(), [None]);
        history.join(&Promotions::from([(None, Ok(ends))]));
        let view = &history.events[1];
        (view.promoted_at, view.promoted_to_moved_ms, view.without_primary_ms)
    };
    let lost = Some(70_000);
    let end = promoted(3, 78, "pg2");
    assert_eq!(joined(vec![promoted(2, 1, "pg1"), end.clone()]), (end.at, Some(2_000), lost));
    // Another timeline's, another leader's, and one that came after the move by the member's clock.
    assert_eq!(joined(vec![promoted(4, 78, "pg2")]), (None, None, lost));
    assert_eq!(joined(vec![promoted(3, 78, "pg3")]), (None, None, lost));
    assert_eq!(joined(vec![promoted(3, 81, "pg2")]), (Some(Utc(at(81))), None, lost));
    // Before 2.1.1 there is neither.
    assert_eq!(joined(vec![TimelineEnd { at: None, new_leader: None, ..end }]), (None, None, lost));
}

#[test]
fn a_patroni_that_does_not_answer_is_said() {
    let mut history = read(failover(), None);
    let failure =
        Failure::new(Kind::Unavailable, "GET /history", "http://10.0.1.11:8008", "Connection refused");
    history.join(&BTreeMap::from([(None, Err(failure))]));
    insta::assert_snapshot!(history.warnings.join("\n"), @"when primaries were promoted is not known: GET /history on http://10.0.1.11:8008: Connection refused");
    assert!(history.events.iter().all(|view| view.promoted_at.is_none()));
}

#[test]
fn events_that_wait_are_bounded() {
    let mut state = State::default();
    for number in 1..=100 {
        let json = "\"".repeat(2_000);
        state.keep_event(PendingEvent { number, since: Timestamp(0), json });
    }
    let waiting: Vec<u64> = state.pending_events.iter().map(|event| event.number).collect();
    assert_eq!((waiting.last(), state.last_event), (Some(&100), 100));
    assert!(serde_json::to_string(&state.pending_events).unwrap().len() <= 32 * 1024);
}

#[test]
fn a_time_is_read_as_it_is_written() {
    for (text, expected) in [
        ("2026-11-29T03:12:45.123Z", "2026-11-29T03:12:45.123Z"),
        ("2026-11-29", "2026-11-29T00:00:00.000Z"),
        ("2026-11-29 03:12", "2026-11-29T03:12:00.000Z"),
        ("2024-02-29T23:30:00-01:30", "2024-03-01T01:00:00.000Z"),
        ("2026-01-01T00:30:00.5+01:00", "2025-12-31T23:30:00.500Z"),
        // As Patroni writes it.
        ("2026-11-29T03:12:45.123456+00:00", "2026-11-29T03:12:45.123Z"),
        ("2000-12-31T23:59:60Z", "2001-01-01T00:00:00.000Z"),
    ] {
        assert_eq!(Utc::parse(text).map(|utc| utc.to_string()).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "",
        "2026",
        "2026-02-29",
        "2100-02-29",
        "2026-13-01",
        "2026-11-29T",
        "2026-11-29T24:00",
        "2026-11-29T03:12:45.Z",
        "1969-12-31",
        "2026-11-29T03:12 CET",
        "äöüäöüäöü",
        "1970-01-01T00:00+01:00",
    ] {
        assert_eq!(Utc::parse(text), None, "{text}");
    }
    assert!(Utc(Timestamp(u64::MAX)).to_string().starts_with("9999-12-31T"));
}

proptest! {
    #[test]
    fn every_time_is_read_back(milliseconds in 0_u64..253_402_300_800_000) {
        let utc = Utc(Timestamp(milliseconds));
        prop_assert_eq!(Utc::parse(&utc.to_string()), Some(utc));
    }
}
