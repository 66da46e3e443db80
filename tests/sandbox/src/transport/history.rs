//! The history: beside the states, in the same table.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use async_trait::async_trait;
use repoint::ports::History;
use repoint_domain::history::Reading;
use repoint_domain::observed::Read;
use repoint_domain::state::PendingEvent;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::{Failure, Kind};

use super::Link;
use super::state::{PUT, failure};
use crate::simulation::Invariant;

#[async_trait]
impl History for Link {
    async fn store(&self, entry: &EntryName, events: &[PendingEvent]) -> Result<(), Failure> {
        let (entry, events) = (entry.clone(), events.to_vec());
        self.call(PUT, "table repoint", None, move |world, now| {
            if world.is_state_down {
                return Err(failure(PUT, Kind::Unavailable, "no answer before the timeout"));
            }
            if world.is_state_read_only {
                return Err(failure(PUT, Kind::Throttled, "ThrottlingException: Rate exceeded"));
            }
            let histories = world.table.histories.clone();
            let mut histories = histories.lock().unwrap_or_else(PoisonError::into_inner);
            let history = histories.entry(entry).or_default();
            for event in events {
                let stored = history.entry(event.number).or_insert_with(|| event.json.clone());
                if *stored != event.json {
                    let how = format!("event {} is {} and {stored}", event.number, event.json);
                    world.invariants.violated(now, Invariant::Recorded, how);
                }
            }
            Ok(())
        })
        .await
    }

    async fn stored(
        &self,
        last_events: &BTreeMap<EntryName, u64>,
        most: Option<u64>,
    ) -> BTreeMap<EntryName, Read<Reading>> {
        let world = self.world();
        let of = |entry: &EntryName| {
            let events = world.table.history(entry);
            let events = events.values().filter_map(|json| serde_json::from_str(json).ok()).collect();
            let mut reading = Reading { events, damaged: Vec::new() };
            if let Some(most) = most {
                reading.keep_newest(most);
            }
            (entry.clone(), Ok(reading))
        };
        last_events.keys().map(of).collect()
    }
}
