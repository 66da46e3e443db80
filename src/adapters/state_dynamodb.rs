//! Memory in DynamoDB, for Lambdas and for several machines.
//!
//! Law: one item an entry, read consistently, and replaced only if its revision is still the one that was read
//! (`PutItem`, `ConditionExpression`).

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use super::aws::{Counted, failure};
use crate::domain::cluster::EntryName;
use crate::domain::failure::{Failure, Kind};
use crate::domain::memory::Memory;
use crate::domain::world::Read;
use crate::ports::{Calls, Store};

const GET: &str = "dynamodb:GetItem";
const PUT: &str = "dynamodb:PutItem";
/// The version of the item's shape. It rises when something is added; what an older repoint does not know it keeps.
const VERSION: u32 = 1;
/// The oldest version that reads what this one writes. It rises when something changes its meaning.
const MIN_READER: u32 = 1;
/// The table's partition key, a string. It holds the entry's name, which is the scope unless the configuration says
/// otherwise.
const KEY: &str = "scope";

/// One table.
#[derive(Clone)]
pub struct StateTable {
    client: Client,
    table: String,
    calls: Calls,
}

impl StateTable {
    /// Keeps memory in `table`, counts in `calls`.
    #[must_use]
    pub fn new(client: Client, table: String, calls: Calls) -> Self {
        Self { client, table, calls }
    }

    fn damaged(&self, entry: &EntryName, what: &str) -> Failure {
        self.unreadable(format!(
            "the item `{entry}` {what}, and was left as it is; restore the table to an earlier point, or delete the item: \
             repoint then begins anew and takes the cluster as it finds it"
        ))
    }

    fn unreadable(&self, message: String) -> Failure {
        let resource = format!("table {}", self.table);
        Failure { kind: Kind::Invalid, call: GET.to_owned(), resource, message }
    }
}

#[async_trait]
impl Store for StateTable {
    async fn load(&self, entry: &EntryName) -> Read<Memory> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(KEY, AttributeValue::S(entry.to_string()))
            .consistent_read(true)
            .customize()
            .interceptor(Counted::new(&self.calls, GET))
            .send()
            .await
            .map_err(|error| failure(GET, &format!("table {}", self.table), &error))?;
        let Some(item) = answer.item() else { return Ok(Memory::default()) };
        let number = |name| item.get(name).and_then(|value| value.as_n().ok()?.parse::<u32>().ok());
        let version = number("version").ok_or_else(|| self.damaged(entry, "has no version"))?;
        if number("min_reader").unwrap_or(version) > VERSION {
            return Err(self.unreadable(format!(
                "the item `{entry}` has version {version}, and this repoint knows version {VERSION}: a newer repoint wrote it, so \
                 run that one; it was left as it is, and must not be deleted, since it tells which primary is newest"
            )));
        }
        let text = item.get("memory").and_then(|memory| memory.as_s().ok());
        let text = text.ok_or_else(|| self.damaged(entry, "has no memory"))?;
        let memory: Memory = serde_json::from_str(text)
            .map_err(|error| self.damaged(entry, &format!("cannot be read ({error})")))?;
        let revision = item.get("revision").and_then(|revision| revision.as_n().ok());
        if revision != Some(&memory.revision.to_string()) {
            return Err(self.damaged(entry, "has a revision that is not its memory's"));
        }
        Ok(memory)
    }

    async fn save(&self, entry: &EntryName, memory: &Memory) -> Result<(), Failure> {
        let resource = format!("table {}", self.table);
        let text = serde_json::to_string(memory).map_err(|error| Failure {
            kind: Kind::Invalid,
            call: PUT.to_owned(),
            resource: resource.clone(),
            message: error.to_string(),
        })?;
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(KEY, AttributeValue::S(entry.to_string()))
            .item("version", AttributeValue::N(VERSION.to_string()))
            .item("min_reader", AttributeValue::N(MIN_READER.to_string()))
            .item("revision", AttributeValue::N(memory.revision.to_string()))
            .item("memory", AttributeValue::S(text));
        let before = memory.revision.saturating_sub(1);
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
            .interceptor(Counted::new(&self.calls, PUT))
            .send()
            .await
            .map(drop)
            .map_err(|error| failure(PUT, &resource, &error))
    }
}
