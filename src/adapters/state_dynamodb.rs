//! State in DynamoDB, for Lambdas and for several machines.
//!
//! One item per entry, read consistently, and replaced only if its revision is still the one that was read
//! (`PutItem`, `ConditionExpression`). A put replaces the whole item, so attributes that only a newer repoint knows
//! are put back.

mod history;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::aws::{Call, failure, load_retries, save_retries};
use crate::limits::Calls;
use crate::ports::Store;
use repoint_domain::observed::Read;
use repoint_domain::state::State;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::table::TableName;

/// The attributes of an item.
type Item = HashMap<String, AttributeValue>;

const GET: &str = "dynamodb:GetItem";
const PUT: &str = "dynamodb:PutItem";
/// The version of the item's format. It rises when something is added; an older repoint keeps what it does not know.
const VERSION: u32 = 1;
/// The oldest version that can read this format. It rises when the meaning of something changes.
const MIN_READER: u32 = 1;
/// The table's partition key, a string. It holds the entry's name, which is the scope unless the configuration says
/// otherwise.
const KEY: &str = "scope";
/// The attributes of this version.
const OURS: [&str; 5] = [KEY, "version", "min_reader", "revision", "state"];

/// One table.
#[derive(Clone)]
pub struct StateTable {
    client: Client,
    table: TableName,
    calls: Calls,
    /// The items as last read or written.
    known: Arc<Mutex<BTreeMap<EntryName, Known>>>,
}

/// The attributes of an item besides its key and its state.
#[derive(Clone, Default)]
struct Known {
    revision: u64,
    version: u32,
    min_reader: u32,
    /// Attributes of a newer repoint, which are put back.
    unknown: Item,
}

impl StateTable {
    /// Keeps the state in `table`; counts requests in `calls`.
    #[must_use]
    pub fn new(client: Client, table: TableName, calls: Calls) -> Self {
        Self { client, table, calls, known: Arc::default() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<EntryName, Known>> {
        // Items are only replaced, so a panic leaves no partial change.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn damaged(&self, entry: &EntryName, what: &str) -> Failure {
        self.unreadable(format!(
            "the item `{entry}` {what}, and was not changed; restore the table to an earlier point in time, or delete the \
             item: repoint then starts with empty state for this cluster"
        ))
    }

    fn unreadable(&self, message: String) -> Failure {
        let resource = format!("table {}", self.table);
        Failure::new(Kind::Invalid, GET, resource, message)
    }
}

impl StateTable {
    /// The item with that key, as it was last written.
    async fn item(&self, key: AttributeValue) -> Read<Option<Item>> {
        let answer = self
            .client
            .get_item()
            .table_name(self.table.as_str())
            .key(KEY, key)
            .consistent_read(true)
            .customize()
            .config_override(Builder::new().retry_config(load_retries()))
            .interceptor(Call::new(&self.calls, GET))
            .send()
            .await
            .map_err(|error| failure(GET, &format!("table {}", self.table), &error))?;
        Ok(answer.item)
    }

    async fn read(&self, entry: &EntryName) -> Read<(State, Known)> {
        let key = AttributeValue::S(entry.to_string());
        let Some(mut item) = self.item(key).await? else { return Ok(<_>::default()) };
        let number = |name| item.get(name).and_then(|value| value.as_n().ok()?.parse::<u32>().ok());
        let version = number("version").ok_or_else(|| self.damaged(entry, "has no version"))?;
        let min_reader = number("min_reader").unwrap_or(version);
        if min_reader > VERSION {
            return Err(self.unreadable(format!(
                    "the item `{entry}` has version {version}, and this repoint supports version {VERSION}: use the newer \
                     repoint that wrote it; the item was not changed; do not delete it, it holds the highest timeline"
            )));
        }
        let text = item.get("state").and_then(|state| state.as_s().ok());
        let text = text.ok_or_else(|| self.damaged(entry, "has no state"))?;
        let state: State = serde_json::from_str(text)
            .map_err(|error| self.damaged(entry, &format!("cannot be read ({error})")))?;
        let revision = item.get("revision").and_then(|revision| revision.as_n().ok());
        if revision != Some(&state.revision.to_string()) {
            return Err(self.damaged(entry, "has a revision that differs from its state's"));
        }
        item.retain(|name, _| !OURS.contains(&name.as_str()));
        let known = Known { revision: state.revision, version, min_reader, unknown: item };
        Ok((state, known))
    }

    /// What to write back with the next revision. As a rule it was read a moment ago.
    async fn known_at(&self, entry: &EntryName, revision: u64) -> Read<Known> {
        let known = self.known().get(entry).filter(|known| known.revision == revision).cloned();
        match known {
            Some(known) => Ok(known),
            None if revision == 0 => Ok(Known::default()),
            None => Ok(self.read(entry).await?.1),
        }
    }
}

#[async_trait]
impl Store for StateTable {
    async fn load(&self, entry: &EntryName) -> Read<State> {
        let (state, known) = self.read(entry).await?;
        self.known().insert(entry.clone(), known);
        Ok(state)
    }

    async fn save(&self, entry: &EntryName, state: &State) -> Result<(), Failure> {
        let resource = format!("table {}", self.table);
        let text = serde_json::to_string(state)
            .map_err(|error| Failure::new(Kind::Invalid, PUT, resource.clone(), error.to_string()))?;
        let before = state.revision.saturating_sub(1);
        let known = self.known_at(entry, before).await?;
        let (version, min_reader) = (known.version.max(VERSION), known.min_reader.max(MIN_READER));
        let request = self
            .client
            .put_item()
            .table_name(self.table.as_str())
            .set_item(Some(known.unknown.clone()))
            .item(KEY, AttributeValue::S(entry.to_string()))
            .item("version", AttributeValue::N(version.to_string()))
            .item("min_reader", AttributeValue::N(min_reader.to_string()))
            .item("revision", AttributeValue::N(state.revision.to_string()))
            .item("state", AttributeValue::S(text));
        let request = if before == 0 {
            request.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", KEY)
        } else {
            request
                .condition_expression("#revision = :before")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":before", AttributeValue::N(before.to_string()))
        };
        request
            .customize()
            .config_override(Builder::new().retry_config(save_retries()))
            .interceptor(Call::new(&self.calls, PUT))
            .send()
            .await
            .map_err(|error| failure(PUT, &resource, &error))?;
        let known = Known { revision: state.revision, version, min_reader, ..known };
        self.known().insert(entry.clone(), known);
        Ok(())
    }
}
