//! How often endpoints were moved, and the last move: each process that reads the state reports the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bounds::{MOST_SUBJECT_BYTES, clipped};
use crate::values::moves::{Move, MoveCause};
use crate::values::timestamp::Timestamp;
use crate::values::utc::Utc;

/// The moves of endpoints that were recorded. Nothing that is decided rests on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retargets {
    /// How many there were, by cause. A newer version may know other causes.
    pub counts: BTreeMap<String, u64>,
    /// The last one.
    pub last: Option<LastMove>,
}

/// A move of endpoints, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastMove {
    /// When, by the clock of the process that recorded it.
    pub at: Utc,
    /// Why.
    pub cause: MoveCause,
    /// What the endpoints followed before, if known: a member, or an address that no member has.
    pub from: Option<String>,
    /// The primary that they follow since, if it has a name.
    pub to: Option<String>,
}

impl Retargets {
    /// Whether there was none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// When the last one was recorded.
    #[must_use]
    pub fn last_at(&self) -> Option<Timestamp> {
        self.last.as_ref().map(|last| last.at.0)
    }

    /// One more, to that primary.
    pub(crate) fn count(&mut self, moves: &Move, to: Option<String>, now: Timestamp) {
        *self.counts.entry(moves.cause.as_str().to_owned()).or_default() += 1;
        self.last = Some(LastMove { at: Utc(now), cause: moves.cause, from: moves.previous.clone(), to });
    }

    /// Clips the names of the last one.
    pub(super) fn bound_last(&mut self) {
        let names = self.last.iter_mut().flat_map(|last| [&mut last.from, &mut last.to]);
        names.flatten().for_each(|name| *name = clipped(name, MOST_SUBJECT_BYTES));
    }
}
