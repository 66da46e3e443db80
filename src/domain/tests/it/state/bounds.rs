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
