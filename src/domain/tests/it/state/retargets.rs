//! Moves of endpoints are counted, for metrics.

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
    assert_eq!(counted.last_at, Some(at(10)));
}
