//! What is to be alerted, before it is a message.

use std::collections::BTreeSet;

use crate::state::Condition;
use crate::values::cluster::EntryName;
use crate::values::endpoint::Endpoint;
use crate::values::moves::Move;

/// Something that is to be alerted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Endpoints have moved.
    Moved {
        /// Why, and from where.
        moves: Move,
        /// The endpoints that were left behind, since they are held or their change failed.
        left: BTreeSet<Endpoint>,
    },
    /// A condition began, lasts or has ended.
    Condition {
        /// Which one.
        condition: Condition,
        /// Where it stands.
        phase: Phase,
    },
}

impl Event {
    /// The name that the event at `index` of those saved with that revision has in the outbox and in the history.
    #[must_use]
    pub fn id(entry: &EntryName, revision: u64, index: usize) -> String {
        format!("{entry}-{revision}-{index}")
    }
}

/// Where a condition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It began, and has lasted as long as its grace.
    Began,
    /// It is still there.
    Lasts,
    /// It is gone.
    Ended,
}
