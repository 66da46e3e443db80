//! Moves of endpoints are counted, for metrics, and the last one is kept for readers.

use repoint_domain::state::{LastMove, Retargets, State};
use repoint_domain::values::moves::MoveCause;
use repoint_domain::values::utc::Utc;
use serde_json::json;

use crate::support::history::at;

use super::{settled, without};

/// Each process that reads the state reports the same number.
#[test]
fn moves_are_counted_by_their_cause() {
    let mut history = settled();
    assert!(history.state.retargets.is_none(), "what was right already was not moved");
    history.pass(10, &without(1, 2, 4));
    history.pass(20, &without(1, 2, 4));
    let counted = &history.state.retargets;
    assert_eq!(counted.counts.iter().collect::<Vec<_>>(), [(&"failover".to_owned(), &1)]);
    let (from, to) = (Some("pg1".to_owned()), Some("pg2".to_owned()));
    let last = LastMove { at: Utc(at(10)), cause: MoveCause::Failover, from, to };
    assert_eq!(counted.last, Some(last));
}

/// What a later version has written, and names of any length.
#[test]
fn the_last_move_is_read_as_far_as_it_is_known() {
    let last = json!({"at": "2026-11-29T03:12:45.123Z", "cause": "relocation", "from": "x".repeat(1000),
        "to": "pg2", "by": "hand"});
    let retargets: Retargets = serde_json::from_value(json!({"counts": {}, "last": last})).unwrap();
    let last = State { retargets, ..State::default() }.bounded().retargets.last.unwrap();
    assert_eq!((last.cause, last.to.as_deref()), (MoveCause::Unknown, Some("pg2")));
    assert_eq!(last.from.unwrap().len(), 400);
}
