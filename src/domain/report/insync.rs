//! Whether Route 53's servers have what was changed.
//!
//! A change that Route 53 accepted stands. That it is not yet everywhere, or that this is unknown, is reported and fails nothing.

use std::collections::BTreeSet;

use super::{ClusterReport, StepReport, describe};
use crate::values::failure::Failure;
use crate::values::record::ChangeId;

/// What became known of a batch of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// All servers have it; when that was seen, in milliseconds since the pass began.
    Seen(u64),
    /// Not all servers had it yet when so many milliseconds had been waited.
    NotYet(u64),
    /// It could not be asked.
    Unknown(Failure),
}

impl StepReport {
    /// The change of a record set, accepted or refused, and when.
    #[must_use]
    pub fn sent(self, result: Result<ChangeId, Failure>, at_ms: u64) -> Self {
        let change_id = result.as_ref().ok().cloned();
        Self { change_id, ..self.ended(&result.map(drop), at_ms) }
    }
}

impl ClusterReport {
    /// The batches that its changes were accepted with.
    #[must_use]
    pub fn changes(&self) -> BTreeSet<ChangeId> {
        self.steps.iter().filter_map(|step| step.change_id.clone()).collect()
    }

    /// What became known of one of its batches.
    pub fn arrived(&mut self, change: &ChangeId, arrival: &Arrival) {
        let mut records = Vec::new();
        for step in self.steps.iter_mut().filter(|step| step.change_id.as_ref() == Some(change)) {
            records.push(describe(&step.endpoint));
            if let Arrival::Seen(at_ms) = arrival {
                step.insync_at_ms = Some(*at_ms);
            }
        }
        let move_cause = match arrival {
            Arrival::Seen(_) => return,
            Arrival::NotYet(waited_ms) => {
                format!("but not all of its servers had it after {} s", waited_ms.div_ceil(1000))
            }
            Arrival::Unknown(failure) => {
                let hint = failure.hint.as_deref().map_or(String::new(), |hint| format!(" ({hint})"));
                format!("but whether all of its servers have it is not known: {failure}{hint}")
            }
        };
        self.warnings.push(format!("{}: Route 53 has accepted the change, {move_cause}", records.join(", ")));
    }
}
