//! A drill that is under way, so that another process does not begin one: on this machine or on another with the same store.
//!
//! It is no [`Lease`](super::Lease): passes act during a drill, which is what the drill measures. Nothing is saved while it is
//! measured, since a pass would lose a race against that.

use serde::{Deserialize, Serialize};

use super::State;
use crate::values::timestamp::Timestamp;

/// How long a drill that has not said that it ended keeps another one from beginning, in milliseconds. It lasts some minutes;
/// one that was killed ends without a word.
const LASTS_MS: u64 = 15 * 60 * 1000;

/// Who makes a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillLease {
    /// Which process: host and number.
    pub by: String,
    /// When it began, by its own clock.
    pub since: Timestamp,
}

impl DrillLease {
    /// Whether it began so long ago that its process has been killed.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.is_past(self.since, LASTS_MS)
    }
}

impl State {
    /// The drill of another process than this one.
    #[must_use]
    pub fn other_drill(&self, by: &str, now: Timestamp) -> Option<&DrillLease> {
        self.drill.as_ref().filter(|drill| drill.by != by && !drill.is_over(now))
    }

    /// The next revision, in which `by` makes a drill; `None` while another process does.
    #[must_use]
    pub fn with_drill(&self, by: &str, now: Timestamp) -> Option<Self> {
        if self.other_drill(by, now).is_some() {
            return None;
        }
        let drill = Some(DrillLease { by: by.to_owned(), since: now });
        Some(Self { revision: self.revision + 1, drill, ..self.clone() })
    }

    /// The next revision, in which the drill of `by` has ended; `None` if there is none.
    #[must_use]
    pub fn without_drill(&self, by: &str) -> Option<Self> {
        let is_its = self.drill.as_ref().is_some_and(|drill| drill.by == by);
        is_its.then(|| Self { revision: self.revision + 1, drill: None, ..self.clone() })
    }
}
