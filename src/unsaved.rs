//! What one process knows of conditions while memory is out of reach.
//!
//! Law: alert once, never silent (12). Without memory nothing can be noted down for the next process; but one that lives on,
//! a daemon or a warm Lambda, need not tell the same thing at every pass.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use repoint_domain::state::{Condition, State};
use repoint_domain::values::cluster::EntryName;

/// What is wrong with each cluster, as this process last knew it.
#[derive(Clone, Debug, Default)]
pub struct Unsaved(Arc<Mutex<BTreeMap<EntryName, Past>>>);

/// What this process knows of earlier passes over one cluster.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// As it was last saved.
    saved: Known,
    /// As it became since then, while memory was out of reach.
    alone: Option<Known>,
}

/// The part of memory that tells what was told.
#[derive(Clone, Debug, Default)]
struct Known(State);

impl From<&State> for Known {
    fn from(state: &State) -> Self {
        let (conditions, primary) = (state.conditions.clone(), state.primary.clone());
        Self(State { primary, conditions, ..State::default() })
    }
}

impl Unsaved {
    /// What is known of a cluster; `None` if this process has not passed over it yet.
    #[must_use]
    pub fn of(&self, entry: &EntryName) -> Option<Past> {
        self.held().get(entry).cloned()
    }

    /// Memory was saved, or is as it should be.
    pub fn saved(&self, entry: &EntryName, state: &State) {
        self.held().insert(entry.clone(), Past { saved: state.into(), alone: None });
    }

    /// Memory could not be saved, and would have become this.
    pub fn alone(&self, entry: &EntryName, state: &State) {
        self.held().entry(entry.clone()).or_default().alone = Some(state.into());
    }

    /// Nothing is half done where one panicked: what is held is only replaced.
    fn held(&self) -> MutexGuard<'_, BTreeMap<EntryName, Past>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    /// What is known: conditions and the primary, and nothing that a verdict may rest on.
    #[must_use]
    pub fn known(&self) -> State {
        self.alone.as_ref().unwrap_or(&self.saved).0.clone()
    }

    /// Memory, and what this process has told while it was out of reach: what began is to end, and what has ended did.
    #[must_use]
    pub fn and_notified(&self, state: &State) -> State {
        let mut known = state.clone();
        let Some(Known(alone)) = &self.alone else { return known };
        let saved = &self.saved.0.conditions;
        for condition in &mut known.conditions {
            let has_ended = like(saved, condition).is_some() && like(&alone.conditions, condition).is_none();
            condition.notified = condition.notified.filter(|_| !has_ended);
        }
        let is_notified = |one: &&Condition| one.notified.is_some();
        for began in alone.conditions.iter().filter(is_notified) {
            if like(saved, began).is_some_and(|saved| saved.notified.is_some()) {
                continue;
            }
            match known.conditions.iter_mut().find(|one| is_like(one, began)) {
                Some(one) => one.notified = one.notified.or(began.notified),
                None => known.conditions.push(began.clone()),
            }
        }
        known
    }
}

fn is_like(one: &Condition, other: &Condition) -> bool {
    one.kind == other.kind && one.subject == other.subject
}

fn like<'a>(conditions: &'a [Condition], one: &Condition) -> Option<&'a Condition> {
    conditions.iter().find(|other| is_like(other, one))
}
