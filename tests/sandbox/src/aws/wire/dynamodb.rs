//! DynamoDB: JSON 1.0, version 2012-08-10.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::Account;
use super::super::dynamodb::condition::Names;
use super::super::dynamodb::{Condition, Item, Table};
use super::super::error::AwsError;
use super::Answer;
use super::time::WORLD_BEGAN;
use crate::Millis;
use crate::http::exchange::Request;

pub(super) fn action(request: &Request) -> Option<&str> {
    request.headers.get("x-amz-target")?.strip_prefix("DynamoDB_20120810.")
}

pub(super) fn answer(account: &mut Account, now: Millis, request: &Request) -> Result<Answer, AwsError> {
    let body: Map<String, Value> = serde_json::from_slice(&request.body)
        .map_err(|error| AwsError::new("SerializationException", error.to_string()))?;
    let table = body.get("TableName").and_then(Value::as_str).unwrap_or_default();
    let result = match action(request).unwrap_or_default() {
        "GetItem" => {
            let consistent = body.get("ConsistentRead") == Some(&Value::Bool(true));
            let found = account.get_item(now, table, &item(&body, "Key")?, consistent)?;
            found.map_or_else(|| json!({}), |item| json!({"Item": item}))
        }
        "PutItem" => {
            let before = account.put_item(now, table, item(&body, "Item")?, &condition(&body)?)?;
            returned(&body, before)
        }
        "DeleteItem" => {
            let before = account.delete_item(now, table, &item(&body, "Key")?, &condition(&body)?)?;
            returned(&body, before)
        }
        "CreateTable" => {
            let made = account.create_table(now, table, partition_key(&body)?)?;
            json!({"TableDescription": description(&made)})
        }
        "DescribeTable" => json!({"Table": description(&account.describe_table(now, table)?)}),
        _ => return Err(AwsError::new("UnknownOperationException", "")),
    };
    Ok(json(&result))
}

pub(super) fn json(value: &Value) -> Answer {
    let content_type = "application/x-amz-json-1.0";
    Answer { status: 200, content_type, headers: Vec::new(), body: value.to_string() }
}

fn item(body: &Map<String, Value>, member: &str) -> Result<Item, AwsError> {
    body.get(member).and_then(Value::as_object).cloned().ok_or_else(|| {
        let words = format!("1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must not be null");
        AwsError::new("ValidationException", words)
    })
}

fn returned(body: &Map<String, Value>, before: Option<Item>) -> Value {
    let wanted = body.get("ReturnValues").and_then(Value::as_str) == Some("ALL_OLD");
    before.filter(|_| wanted).map_or_else(|| json!({}), |item| json!({"Attributes": item}))
}

fn condition(body: &Map<String, Value>) -> Result<Condition, AwsError> {
    let names = match body.get("ExpressionAttributeNames").cloned() {
        None => BTreeMap::new(),
        Some(names) => serde_json::from_value(names)
            .map_err(|error| AwsError::new("SerializationException", error.to_string()))?,
    };
    let values =
        body.get("ExpressionAttributeValues").and_then(Value::as_object).cloned().unwrap_or_default();
    Ok(Condition {
        expression: body.get("ConditionExpression").and_then(Value::as_str).unwrap_or_default().to_owned(),
        names: Names { names, values: values.into_iter().collect() },
    })
}

fn partition_key(body: &Map<String, Value>) -> Result<&str, AwsError> {
    let schema = body.get("KeySchema").and_then(Value::as_array).map(Vec::as_slice);
    match schema {
        Some([key]) => key.get("AttributeName").and_then(Value::as_str),
        _ => None,
    }
    .ok_or_else(|| {
        AwsError::new("ValidationException", "Only tables with a partition key alone are simulated")
    })
}

fn description(table: &Table) -> Value {
    json!({
        "TableName": table.name,
        "TableArn": table.arn,
        "TableStatus": "ACTIVE",
        "ItemCount": table.items,
        "CreationDateTime": WORLD_BEGAN,
        "KeySchema": [{"AttributeName": table.key, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": table.key, "AttributeType": "S"}],
    })
}
