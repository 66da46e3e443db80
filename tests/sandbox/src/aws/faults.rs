//! Faults of calls to the model, set by the caller.
//!
//! A fault hits the next calls of its action, in the order in which faults were added, and nothing else.

use std::collections::{BTreeMap, VecDeque};

use super::error::AwsError;

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// AWS refuses it, and does nothing.
    Refuse(AwsError),
    /// It never arrives, and the caller gets no answer.
    LoseRequest,
    /// It is carried out, and the caller gets no answer.
    LoseAnswer,
}

/// Faults by action, e.g. `route53:ChangeResourceRecordSets`.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    queues: BTreeMap<String, VecDeque<(u32, Fault)>>,
}

impl Faults {
    /// The next `count` calls of the action end so, after those that earlier faults hit.
    pub fn next(&mut self, action: &str, count: u32, fault: Fault) {
        if count > 0 {
            self.queues.entry(action.to_owned()).or_default().push_back((count, fault));
        }
    }

    /// Forgets all faults.
    pub fn clear(&mut self) {
        self.queues.clear();
    }

    pub(super) fn meet(&mut self, action: &str) -> Option<Fault> {
        let queue = self.queues.get_mut(action)?;
        let (left, fault) = queue.front_mut()?;
        *left -= 1;
        let (done, fault) = (*left == 0, fault.clone());
        if done {
            queue.pop_front();
        }
        Some(fault)
    }
}
