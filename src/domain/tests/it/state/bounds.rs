//! How large the state may become: invariant 10, bounded.

use std::collections::BTreeMap;

use repoint_domain::state::{
    Condition, ConditionKind, KnownMember, MOST_BYTES, MOST_MESSAGES, OutboxMessage, State, Unknown,
};
use repoint_domain::values::cluster::{Address, MemberName};
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::url;
use crate::support::history::at;

#[test]
fn the_outbox_keeps_the_newest() {
    let mut state = State::default();
    for number in 0..MOST_MESSAGES + 5 {
        state.post(OutboxMessage {
            id: number.to_string(),
            topic: None,
            subject: String::new(),
            body: String::new(),
            attributes: BTreeMap::new(),
            claimed_by: String::new(),
            claimed_at: Timestamp(0),
        });
    }
    assert_eq!(state.outbox.len(), MOST_MESSAGES);
    assert_eq!(state.outbox[0].id, "5");
}

/// DynamoDB takes no item above 400 KB, and then not even a commit is saved.
#[test]
fn the_state_stays_small_whatever_happens() {
    let long = |number: usize| format!("{number}-{}", "\"\n".repeat(20_000));
    let condition = |number| Condition {
        kind: ConditionKind::EndpointHeld,
        subject: Some(format!("{number}")),
        endpoint: None,
        site: None,
        title: String::new(),
        message: "x".repeat(700),
        since: at(0),
        notified: (number % 3 == 0).then(|| at(1)),
        unknown: Unknown::new(),
    };
    let known = |number| KnownMember {
        api_url: Some(url(1)),
        address: Some(Address { host: long(number), port: 1 }),
    };
    let mut state = State {
        conditions: (0..2000).map(condition).collect(),
        members: (0..2000).map(|number| (MemberName::new(format!("pg{number}")), known(number))).collect(),
        ..State::default()
    };
    for number in 0..100 {
        state.post(OutboxMessage {
            id: number.to_string(),
            topic: None,
            subject: "s".repeat(99),
            body: "\"".repeat(6_000),
            attributes: BTreeMap::new(),
            claimed_by: "host".to_owned(),
            claimed_at: at(0),
        });
    }
    let bounded = state.bounded();
    let size = serde_json::to_string(&bounded).unwrap().len();
    assert!(size < MOST_BYTES, "{size}");
    assert_eq!(bounded.outbox.last().unwrap().id, "99");
    assert!(
        bounded.conditions.iter().all(|open| open.notified.is_some()),
        "those that were alerted are kept first"
    );
    assert_eq!(bounded.clone().bounded(), bounded);
}

fn message_for(topic: Option<&str>, number: usize, bytes: usize) -> OutboxMessage {
    OutboxMessage {
        id: format!("{topic:?}-{number}"),
        topic: topic.map(str::to_owned),
        subject: String::new(),
        body: "x".repeat(bytes),
        attributes: BTreeMap::new(),
        claimed_by: String::new(),
        claimed_at: at(0),
    }
}

#[test]
fn a_topic_that_refuses_for_days_takes_no_room_from_others() {
    let mut state = State::default();
    state.post(message_for(None, 0, 2_000));
    for number in 0..200 {
        state.post(message_for(Some("refuses"), number, 4_000));
        state.post(message_for(None, number + 1, 500));
        state.outbox.retain(|message| message.topic.is_some() || message.id == "None-0");
    }
    assert_eq!(state.outbox[0].id, "None-0");
    assert_eq!(state.outbox.last().unwrap().id, r#"Some("refuses")-199"#);
    let of_other = state.outbox.iter().filter(|message| message.topic.is_some()).count();
    assert!((20..=32).contains(&of_other), "{of_other}");
}

/// An earlier version publishes all that it finds in `outbox` to its one topic, and carries along what it does not know.
#[test]
fn messages_of_other_topics_are_stored_where_no_earlier_version_finds_them() {
    let messages = [message_for(None, 0, 3), message_for(Some("pages"), 1, 3), message_for(None, 2, 3)];
    let state = State { outbox: messages.to_vec(), ..State::default() };
    let stored = serde_json::to_value(&state).unwrap();
    let ids = |field: &str| -> Vec<String> {
        let list = stored[field].as_array().unwrap();
        list.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("outbox"), ["None-0", "None-2"]);
    assert_eq!(ids("outbox_of_topics"), [r#"Some("pages")-1"#]);
    assert!(stored["outbox"][0].get("topic").is_none());
    let loaded: State = serde_json::from_value(stored).unwrap();
    assert_eq!(loaded.unknown, Unknown::new());
    assert_eq!(loaded.outbox, [messages[0].clone(), messages[2].clone(), messages[1].clone()]);
    let without = State { outbox: Vec::new(), ..State::default() };
    assert!(serde_json::to_value(&without).unwrap().get("outbox_of_topics").is_none());
}
