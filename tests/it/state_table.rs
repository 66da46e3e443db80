//! Memory in DynamoDB: the shape of an item, from version to version.

use repoint::adapters::state_dynamodb::StateTable;
use repoint::limits::Calls;
use repoint::ports::Store as _;
use repoint_domain::state::{ConditionKind, Raw, State};
use repoint_domain::values::cluster::{EntryName, Timeline};
use repoint_domain::values::failure::Kind;
use repoint_domain::values::table::TableName;
use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::dynamodb::{Condition, Item};
use serde_json::json;

use crate::state_file::{first, full};
use crate::support::sandbox::Aws;

const TABLE: &str = "repoint";
const FUTURE: &str = include_str!("state_table/version-of-the-future.json");

fn batman() -> EntryName {
    EntryName::new("batman")
}

fn parsed(golden: &str) -> Item {
    serde_json::from_str(golden).unwrap()
}

/// A table in which somebody has put these items.
async fn table(items: &[Item]) -> Aws {
    let mut account = Account::default();
    account.create_table(0, TABLE, "scope").unwrap();
    for item in items {
        account.put_item(0, TABLE, item.clone(), &Condition::default()).unwrap();
    }
    Aws::start(account).await
}

async fn store(aws: &Aws) -> StateTable {
    let client = aws_sdk_dynamodb::Client::new(&aws.config().await);
    StateTable::new(client, TableName::parse(TABLE).unwrap(), Calls::default())
}

fn stored(aws: &Aws) -> Item {
    let key = [("scope".to_owned(), json!({"S": "batman"}))].into_iter().collect();
    aws.account().get_item(0, TABLE, &key, true).unwrap().expect("an item")
}

/// An item for each shape that was ever put; they are read for ever.
#[tokio::test]
async fn every_version_of_an_item_is_read() {
    let newest = include_str!("state_table/version-1.json");
    for (golden, expected) in [(newest, full(1)), (include_str!("state_table/version-1-first.json"), first())]
    {
        let aws = table(&[parsed(golden)]).await;
        let store = store(&aws).await;
        assert_eq!(store.load(&batman()).await, Ok(expected));
        // And it is replaced by the newest, whoever put it.
        store.save(&batman(), &full(2)).await.unwrap();
        let version = |name| stored(&aws).get(name).cloned();
        assert_eq!(
            (version("version"), version("min_reader")),
            (Some(json!({"N": "1"})), Some(json!({"N": "1"})))
        );
    }
    // The newest is the one that is put.
    let aws = table(&[]).await;
    store(&aws).await.save(&batman(), &full(1)).await.unwrap();
    assert_eq!(stored(&aws), parsed(newest));
}

/// After a rollback, or while several machines that share a table are upgraded one by one.
#[tokio::test]
async fn what_a_newer_version_has_put_into_an_item_is_kept() {
    for loads in [true, false] {
        let aws = table(&[parsed(FUTURE)]).await;
        let state = store(&aws).await.load(&batman()).await.unwrap();
        assert_eq!(state.highest_timeline, Some(Timeline(4)));
        assert_eq!(state.conditions[0].kind, ConditionKind::Unrecognized);
        assert_eq!(state.unknown["mood"], Raw::Text("good".to_owned()));

        // Of those who save twice, and of those who have not loaded it themselves.
        let store = store(&aws).await;
        if loads {
            store.load(&batman()).await.unwrap();
        }
        for revision in [2, 3] {
            store.save(&batman(), &State { revision, ..state.clone() }).await.unwrap();
            let mut expected = parsed(FUTURE);
            expected["revision"] = json!({"N": revision.to_string()});
            let text = expected["state"]["S"].as_str().unwrap();
            let text = text.replacen("\"revision\":1", &format!("\"revision\":{revision}"), 1);
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            expected["state"] = value(&text);
            let mut found = stored(&aws);
            found["state"] = value(found["state"]["S"].as_str().unwrap());
            assert_eq!(found, expected);
        }
    }
}

/// Deleting it would destroy the only record of the highest timeline.
#[tokio::test]
async fn an_item_that_only_a_newer_version_reads_is_refused_and_left_as_it_is() {
    let mut newer = parsed(FUTURE);
    newer["min_reader"] = json!({"N": "2"});
    // One that was put before there was a minimum, or that has lost it.
    let mut without = newer.clone();
    without.remove("min_reader");
    for item in [newer, without] {
        let aws = table(std::slice::from_ref(&item)).await;
        let store = store(&aws).await;
        let failure = store.load(&batman()).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid, "{failure}");
        for word in ["version 2", "use the newer repoint", "do not delete it"] {
            assert!(failure.message.contains(word), "{failure}");
        }
        assert!(!failure.message.contains("or delete"), "{failure}");
        assert_eq!(store.save(&batman(), &full(2)).await, Err(failure));
        assert_eq!(stored(&aws), item);
    }
}

/// An item that was edited or truncated: nothing is decided by it, and nothing replaces it.
#[tokio::test]
async fn a_damaged_item_is_refused_and_left_as_it_is() {
    let set = |field: &str, value: serde_json::Value| {
        let mut item = parsed(FUTURE);
        item[field] = value;
        item
    };
    let without = |field: &str| {
        let mut item = parsed(FUTURE);
        item.remove(field);
        item
    };
    for (item, words) in [
        (set("state", json!({"S": "{\"revision\": 3, "})), "cannot be read (EOF"),
        (set("state", json!({"N": "3"})), "has no state"),
        (without("state"), "has no state"),
        (without("version"), "has no version"),
    ] {
        let aws = table(std::slice::from_ref(&item)).await;
        let failure = store(&aws).await.load(&batman()).await.unwrap_err();
        assert!(failure.message.contains(words), "{words}: {failure}");
        assert_eq!(stored(&aws), item);
    }
}
