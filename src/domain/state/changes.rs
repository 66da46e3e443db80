//! How often the primary has changed of late.
//!
//! Counted by timelines: each promotion raises the timeline by one, so a run of cron that sees only the last of several
//! promotions knows how many there were. It is for an alert alone: nothing is decided by it.

use serde::{Deserialize, Serialize};

use super::State;
use crate::values::primary::Primary;
use crate::values::timestamp::Timestamp;

/// The most that are kept, and so the most that can be counted.
pub const MOST_CHANGES: usize = 16;

/// The primary was seen to have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderChange {
    /// When it was seen.
    pub at: Timestamp,
    /// How often since it was last seen.
    pub count: u32,
}

impl State {
    /// The changes, with the one that this leader shows. Not one that an operator has adopted from an older timeline.
    #[must_use]
    pub fn changes_with(&self, leader: &Primary, now: Timestamp) -> Vec<LeaderChange> {
        let mut changes = self.changes.clone();
        let before = self.leader.as_ref().filter(|known| !known.is(leader));
        let risen = before.and_then(|known| leader.timeline.0.checked_sub(known.timeline.0));
        // The leader of a standby cluster changes without a new timeline.
        changes.extend(risen.map(|risen| LeaderChange { at: now, count: risen.max(1) }));
        bound_changes(&mut changes);
        changes
    }
}

/// The oldest go first.
pub(super) fn bound_changes(changes: &mut Vec<LeaderChange>) {
    changes.drain(..changes.len().saturating_sub(MOST_CHANGES));
}

/// How many changes there were within so many milliseconds until now. What a clock that was ahead has written does not count.
#[must_use]
pub fn changes_within(changes: &[LeaderChange], milliseconds: u64, now: Timestamp) -> u32 {
    let recent = changes.iter().filter(|change| !now.is_past(change.at, milliseconds));
    recent.fold(0, |sum, change| sum.saturating_add(change.count))
}
