//! What one process knows of conditions while the state store is unavailable.
//!
//! Invariant 12: alert once, never silent. Without the store nothing can be saved for the next process, but one that lives
//! on, such as the daemon or a warm Lambda, need not publish the same alert at every pass.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use repoint_domain::state::{Condition, OutboxMessage, State};
use repoint_domain::values::cluster::EntryName;

/// What is wrong with each cluster, as this process last knew it.
#[derive(Clone, Debug, Default)]
pub struct Unsaved(Arc<Mutex<BTreeMap<EntryName, Past>>>);

/// What this process knows of earlier passes over one cluster.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// As it was last saved.
    saved: Known,
    /// As it became since then, while the store was unavailable.
    alone: Option<Known>,
}

/// The part of the state that says what has been notified, and what has yet to be published.
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

    /// The state was saved, or needed no change.
    pub fn saved(&self, entry: &EntryName, state: &State) {
        self.held().insert(entry.clone(), Past { saved: state.into(), alone: None });
    }

    /// The state could not be saved, and would have become this.
    pub fn alone(&self, entry: &EntryName, state: &State) {
        let Known(known) = state.into();
        let alone = Known(State { outbox: state.outbox.clone(), ..known });
        self.held().entry(entry.clone()).or_default().alone = Some(alone);
    }

    /// A panic leaves nothing half done: what is held is only replaced.
    fn held(&self) -> MutexGuard<'_, BTreeMap<EntryName, Past>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    /// What is known: conditions, the primary and the messages that no topic has taken yet; nothing that a verdict may rest
    /// on.
    #[must_use]
    pub fn known(&self) -> State {
        self.alone.as_ref().unwrap_or(&self.saved).0.clone()
    }

    /// The state, and what this process has notified while the store was unavailable: each condition that began is to end,
    /// and each that has ended did. What it could not publish is in the outbox.
    #[must_use]
    pub fn and_notified(&self, state: &State) -> State {
        let mut known = state.clone();
        let Some(Known(alone)) = &self.alone else { return known };
        let is_new = |message: &&OutboxMessage| !state.outbox.iter().any(|known| known.id == message.id);
        known.outbox.extend(alone.outbox.iter().filter(is_new).cloned());
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
