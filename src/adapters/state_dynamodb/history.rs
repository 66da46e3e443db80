//! The history in the state's table: one item for each event, in a ring of a fixed number of items for each entry.
//!
//! So a write takes the capacity of one event and not of the whole history, needs no read, and loses to no other writer: an
//! event's number says which item is its own. Many clusters may fail over at once, and a throttled table would hold their
//! states up, too.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;
use futures::stream::{self, StreamExt as _};

use super::{Item, KEY, PUT, StateTable};
use crate::adapters::aws::{Call, failure, save_retries};
use crate::adapters::history_event::parse;
use crate::ports::History;
use repoint_domain::history::{HistoryEvent, Reading};
use repoint_domain::observed::Read;
use repoint_domain::state::PendingEvent;
use repoint_domain::values::cluster::{EntryName, HISTORY};
use repoint_domain::values::failure::{Failure, Kind};

/// The items of an entry. An event has at most 4 KB, so they take half a megabyte at most: a year of a cluster that fails over
/// every third day.
const ITEMS: u64 = 128;
/// How many items are read at the same time.
const READS_AT_ONCE: usize = 32;
/// The attributes beside the key: the event, and since when it waited to be stored. Numbers begin again if the state is
/// deleted; time does not.
const EVENT: &str = "event";
const SINCE: &str = "since";

/// An event, or what is wrong with its item.
type Found = Result<HistoryEvent, String>;

/// The key of an event's item. No entry's name contains the middle part.
fn key(entry: &EntryName, number: u64) -> AttributeValue {
    AttributeValue::S(format!("{entry}{HISTORY}{}", number % ITEMS))
}

#[async_trait]
impl History for StateTable {
    async fn store(&self, entry: &EntryName, events: &[PendingEvent]) -> Result<(), Failure> {
        try_join_all(events.iter().map(|event| self.put(entry, event))).await.map(drop)
    }

    async fn stored(
        &self,
        last_events: &BTreeMap<EntryName, u64>,
        most: Option<u64>,
    ) -> BTreeMap<EntryName, Read<Reading>> {
        let most = most.map_or(ITEMS, |most| most.min(ITEMS));
        let numbers = |(entry, last): (&EntryName, &u64)| {
            let (entry, first) = (entry.clone(), last.saturating_sub(most) + 1);
            (first..=*last).map(move |number| (entry.clone(), number))
        };
        let reads: Vec<_> = last_events.iter().flat_map(numbers).map(|at| self.get(at)).collect();
        let mut items = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        let nothing = |entry: &EntryName| (entry.clone(), Ok(Reading::default()));
        let mut readings: BTreeMap<EntryName, Read<Reading>> = last_events.keys().map(nothing).collect();
        while let Some((entry, number, item)) = items.next().await {
            let Some(of_entry) = readings.get_mut(&entry) else { continue };
            let Ok(reading) = of_entry else { continue };
            match item {
                Ok(Some(Ok(event))) if event.head.number == number => reading.events.push(event),
                // An event whose item has another one, or none, is noticed as missing by its number.
                Ok(Some(Ok(_)) | None) => {}
                Ok(Some(Err(damage))) => reading.damaged.push(damage),
                Err(failure) => *of_entry = Err(failure),
            }
        }
        readings
    }
}

impl StateTable {
    /// Puts an event into its item, unless that has it already, or a later one.
    async fn put(&self, entry: &EntryName, event: &PendingEvent) -> Result<(), Failure> {
        let since = AttributeValue::N(event.since.0.to_string());
        let put = self
            .client
            .put_item()
            .table_name(self.table.as_str())
            .item(KEY, key(entry, event.number))
            .item(SINCE, since.clone())
            .item(EVENT, AttributeValue::S(event.json.clone()))
            .condition_expression("attribute_not_exists(#key) OR #since < :since")
            .expression_attribute_names("#key", KEY)
            .expression_attribute_names("#since", SINCE)
            .expression_attribute_values(":since", since)
            .customize()
            .config_override(Builder::new().retry_config(save_retries()))
            .interceptor(Call::new(&self.calls, PUT));
        match put.send().await.map_err(|error| failure(PUT, &format!("table {}", self.table), &error)) {
            Ok(_) => Ok(()),
            Err(refused) if refused.kind == Kind::Conflict => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// The event in an item, or what is wrong with it.
    async fn get(&self, (entry, number): (EntryName, u64)) -> (EntryName, u64, Read<Option<Found>>) {
        let item = self.item(key(&entry, number)).await;
        let found = item.map(|item| item.map(|item| self.found(&entry, number, &item)));
        (entry, number, found)
    }

    fn found(&self, entry: &EntryName, number: u64, item: &Item) -> Found {
        let damaged = |what: &str| {
            format!(
                "the item `{entry}{HISTORY}{}` of table {} is damaged ({what})",
                number % ITEMS,
                self.table
            )
        };
        let text = item.get(EVENT).and_then(|event| event.as_s().ok());
        let text = text.ok_or_else(|| damaged("it has no event"))?;
        parse(text).map_err(|error| damaged(&error.to_string()))
    }
}
