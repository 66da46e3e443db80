//! How often endpoints were moved, for metrics: each process that reads the state reports the same numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::values::moves::MoveCause;
use crate::values::timestamp::Timestamp;

/// The moves of endpoints that were recorded. Nothing that is decided rests on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retargets {
    /// How many there were, by cause. A newer version may know other causes.
    pub counts: BTreeMap<String, u64>,
    /// When the last one was recorded, by the clock of the process that did so.
    pub last_at: Option<Timestamp>,
}

impl Retargets {
    /// Whether there was none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// One more.
    pub(crate) fn count(&mut self, cause: MoveCause, now: Timestamp) {
        *self.counts.entry(cause.as_str().to_owned()).or_default() += 1;
        self.last_at = Some(now);
    }
}
