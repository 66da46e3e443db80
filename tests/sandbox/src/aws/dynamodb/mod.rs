//! DynamoDB tables with a string partition key.
//!
//! A write with a condition is judged by the latest item, never by what a lagging read shows.
//! Source: the DynamoDB API reference (version 2012-08-10).

pub mod condition;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::condition::Names;
use super::Account;
use super::error::AwsError;
use super::history::History;
use super::policy::Says;
use super::service::{Operation, Service};
use crate::Millis;

const CREATE: Operation = Operation::dynamodb("dynamodb:CreateTable");
const DESCRIBE: Operation = Operation::dynamodb("dynamodb:DescribeTable");
const GET: Operation = Operation::dynamodb("dynamodb:GetItem");
const PUT: Operation = Operation::dynamodb("dynamodb:PutItem");
const DELETE: Operation = Operation::dynamodb("dynamodb:DeleteItem");

/// Names and values of all attributes together.
const LARGEST_ITEM: usize = 400 * 1024;

/// An item: attributes in DynamoDB's own JSON, e.g. `{"scope": {"S": "batman"}}`.
pub type Item = Map<String, Value>;

/// A condition, as a request brings it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    /// `ConditionExpression`; empty is none.
    pub expression: String,
    /// `ExpressionAttributeNames` and `ExpressionAttributeValues`.
    pub names: Names,
}

/// A table as it is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// The partition key's name.
    pub key: String,
    /// How many items it has.
    pub items: usize,
}

#[derive(Clone, Debug)]
struct Stored {
    key: String,
    items: BTreeMap<String, History<Option<Item>>>,
}

/// The account's tables, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    tables: BTreeMap<String, Stored>,
}

impl Account {
    /// `CreateTable`, with a partition key of type string. It is active at once.
    ///
    /// # Errors
    /// `ResourceInUseException`.
    pub fn create_table(&mut self, now: Millis, name: &str, key: &str) -> Result<Table, AwsError> {
        self.call(now, CREATE, &self.table_arn(name), |account| {
            if account.tables.tables.contains_key(name) {
                let words = format!("Table already exists: {name}");
                return Err(AwsError::new("ResourceInUseException", words));
            }
            let stored = Stored { key: key.to_owned(), items: BTreeMap::new() };
            account.tables.tables.insert(name.to_owned(), stored);
            account.described_table(name)
        })
    }

    /// `DescribeTable`.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn describe_table(&mut self, now: Millis, name: &str) -> Result<Table, AwsError> {
        self.call(now, DESCRIBE, &self.table_arn(name), |account| account.described_table(name))
    }

    /// `GetItem`. May lag unless it is `consistent`.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `ValidationException`.
    pub fn get_item(
        &mut self,
        now: Millis,
        table: &str,
        key: &Item,
        consistent: bool,
    ) -> Result<Option<Item>, AwsError> {
        let says = self.leading_key(table, key);
        self.call_saying(now, GET, &self.table_arn(table), &says, |account| {
            let stored = account.table(table)?;
            if key.len() != 1 {
                return Err(validation("The number of conditions on the keys is invalid"));
            }
            let id = stored.id_of(key)?;
            let lag = if consistent { 0 } else { account.lag(Service::DynamoDb) };
            let history = stored.items.get(&id);
            Ok(history.and_then(|history| history.at(now.saturating_sub(lag))).cloned().flatten())
        })
    }

    /// `PutItem`; the answer has the item that was there.
    ///
    /// # Errors
    /// `ConditionalCheckFailedException`, `ResourceNotFoundException`, `ValidationException`.
    pub fn put_item(
        &mut self,
        now: Millis,
        table: &str,
        item: Item,
        condition: &Condition,
    ) -> Result<Option<Item>, AwsError> {
        let says = self.leading_key(table, &item);
        self.call_saying(now, PUT, &self.table_arn(table), &says, |account| {
            if size(&item) > LARGEST_ITEM {
                return Err(validation("Item size has exceeded the maximum allowed size"));
            }
            let id = account.table(table)?.id_of(&item)?;
            account.replace(now, table, id, Some(item), condition)
        })
    }

    /// `DeleteItem`; the answer has the item that was there.
    ///
    /// # Errors
    /// `ConditionalCheckFailedException`, `ResourceNotFoundException`, `ValidationException`.
    pub fn delete_item(
        &mut self,
        now: Millis,
        table: &str,
        key: &Item,
        condition: &Condition,
    ) -> Result<Option<Item>, AwsError> {
        let says = self.leading_key(table, key);
        self.call_saying(now, DELETE, &self.table_arn(table), &says, |account| {
            let id = account.table(table)?.id_of(key)?;
            account.replace(now, table, id, None, condition)
        })
    }

    fn replace(
        &mut self,
        now: Millis,
        table: &str,
        id: String,
        item: Option<Item>,
        condition: &Condition,
    ) -> Result<Option<Item>, AwsError> {
        let keep = self.lag(Service::DynamoDb);
        let Some(stored) = self.tables.tables.get_mut(table) else { return Err(no_table()) };
        let before = stored.items.get(&id).and_then(|history| history.latest().clone());
        let nothing = Item::new();
        if !condition::holds(condition, before.as_ref().unwrap_or(&nothing)).map_err(validation)? {
            let words = "The conditional request failed";
            return Err(AwsError::new("ConditionalCheckFailedException", words));
        }
        match stored.items.get_mut(&id) {
            Some(history) => *history.change(now, keep) = item,
            None => drop(stored.items.insert(id, History::new(now, item))),
        }
        Ok(before)
    }

    fn table(&self, name: &str) -> Result<&Stored, AwsError> {
        self.tables.tables.get(name).ok_or_else(no_table)
    }

    /// The partition key of the item that a call is about (Service Authorization Reference, "Condition keys for Amazon
    /// DynamoDB").
    fn leading_key(&self, table: &str, attributes: &Item) -> Says {
        let key = self.tables.tables.get(table).map(|stored| stored.key.as_str());
        let value = key.and_then(|key| attributes.get(key)).and_then(|value| value["S"].as_str());
        value.map(|value| ("dynamodb:LeadingKeys", vec![value.to_owned()])).into_iter().collect()
    }

    fn table_arn(&self, name: &str) -> String {
        format!("arn:{}:dynamodb:{}:{}:table/{name}", self.partition(), self.region, self.id)
    }

    fn described_table(&self, name: &str) -> Result<Table, AwsError> {
        let stored = self.tables.tables.get(name).ok_or_else(|| {
            AwsError::new(
                "ResourceNotFoundException",
                format!("Requested resource not found: Table: {name} not found"),
            )
        })?;
        let items = stored.items.values().filter(|history| history.latest().is_some()).count();
        Ok(Table { name: name.to_owned(), arn: self.table_arn(name), key: stored.key.clone(), items })
    }
}

impl Stored {
    fn id_of(&self, attributes: &Item) -> Result<String, AwsError> {
        let value = attributes.get(&self.key).ok_or_else(|| {
            validation(format!(
                "One of the required keys was not given a value: Missing the key {} in the item",
                self.key
            ))
        })?;
        let Some(text) = value.get("S").and_then(Value::as_str) else {
            return Err(validation(format!("Type mismatch for key {} expected: S", self.key)));
        };
        if text.is_empty() {
            return Err(validation(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                 empty string value. Key: {}",
                self.key
            )));
        }
        Ok(text.to_owned())
    }
}

fn no_table() -> AwsError {
    AwsError::new("ResourceNotFoundException", "Requested resource not found")
}

fn validation(message: impl Into<String>) -> AwsError {
    let message = message.into();
    AwsError::new("ValidationException", message)
}

/// Near enough to DynamoDB's own count: names and texts.
fn size(item: &Item) -> usize {
    fn weight(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(weight).sum(),
            Value::Object(members) => members.values().map(weight).sum(),
            _ => 1,
        }
    }
    item.iter().map(|(name, value)| name.len() + weight(value)).sum()
}
