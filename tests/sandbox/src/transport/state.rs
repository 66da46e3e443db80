//! The state: a table with conditional writes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use repoint::ports::Store;
use repoint_domain::observed::Read;
use repoint_domain::state::State;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::{Failure, Kind};

use super::Link;

const GET: &str = "dynamodb:GetItem";
pub(super) const PUT: &str = "dynamodb:PutItem";

pub(super) fn failure(call: &str, kind: Kind, message: &str) -> Failure {
    Failure::new(kind, call, "table repoint", message)
}

/// What is kept, by entry; several worlds may have one.
#[derive(Clone, Debug, Default)]
pub struct Table {
    states: Arc<Mutex<BTreeMap<EntryName, State>>>,
    /// The stored events, by their numbers.
    pub(super) histories: Arc<Mutex<BTreeMap<EntryName, BTreeMap<u64, String>>>>,
}

impl Table {
    fn items(&self) -> MutexGuard<'_, BTreeMap<EntryName, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored events of an entry.
    #[must_use]
    pub fn history(&self, entry: &EntryName) -> BTreeMap<u64, String> {
        let histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        histories.get(entry).cloned().unwrap_or_default()
    }

    /// Whether nothing has been saved yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items().is_empty()
    }
}

#[async_trait]
impl Store for Link {
    async fn load(&self, entry: &EntryName) -> Read<State> {
        let (entry, reconciler) = (entry.clone(), self.reconciler);
        self.call(GET, "table repoint", None, move |world, _| {
            if world.is_state_away(reconciler) {
                return Err(failure(GET, Kind::Unavailable, "no answer before the timeout"));
            }
            // Another world may have saved since.
            world.state = world.table.items().get(&entry).cloned().unwrap_or_default();
            Ok(world.state.clone())
        })
        .await
    }

    async fn save(&self, entry: &EntryName, state: &State) -> Result<(), Failure> {
        let (entry, next, by) = (entry.clone(), state.clone(), self.identity.clone());
        let reconciler = self.reconciler;
        self.call(PUT, "table repoint", None, move |world, now| {
            if world.is_state_away(reconciler) {
                return Err(failure(PUT, Kind::Unavailable, "no answer before the timeout"));
            }
            if world.is_state_read_only {
                return Err(failure(PUT, Kind::Throttled, "ThrottlingException: Rate exceeded"));
            }
            let kept = world.table.items().get(&entry).cloned().unwrap_or_default();
            if kept.revision + 1 != next.revision {
                return Err(failure(PUT, Kind::Conflict, "ConditionalCheckFailedException"));
            }
            // Another world may have added to it.
            world.state = kept;
            world.table.items().insert(entry, next.clone());
            world.saved(now, &by, next);
            Ok(())
        })
        .await
    }
}
