//! The history: where it is stored, and as a reader sees it.

mod command;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use repoint::adapters::state_dynamodb::StateTable;
use repoint::adapters::state_file::StateFile;
use repoint::limits::Calls;
use repoint::ports::{History, Store as _};
use repoint_domain::history::Reading;
use repoint_domain::state::{PendingEvent, State};
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::table::TableName;
use repoint_domain::values::timestamp::Timestamp;
use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::policy::Policy;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::sandbox::Aws;

const TABLE: &str = "repoint";

fn batman() -> EntryName {
    EntryName::new("batman")
}

fn event_of(cluster: &str, number: u64) -> PendingEvent {
    let json = json!({
        "version": 1, "number": number, "id": format!("{cluster}-{number}-0"), "cluster": cluster,
        "at": "2026-11-29T03:12:45.000Z", "kind": "moved", "cause": "failover", "steps": [],
    });
    PendingEvent { number, since: Timestamp(number), json: json.to_string() }
}

fn event(number: u64) -> PendingEvent {
    event_of("batman", number)
}

async fn reading(history: &dyn History, last: u64) -> Reading {
    let mut all = history.stored(&BTreeMap::from([(batman(), last)]), None).await;
    all.remove(&batman()).unwrap().unwrap()
}

/// The numbers that are stored, in their order, and what is damaged.
async fn numbers(history: &dyn History, last: u64) -> (Vec<u64>, Vec<String>) {
    let Reading { events, damaged } = reading(history, last).await;
    let mut numbers: Vec<u64> = events.iter().map(|event| event.head.number).collect();
    numbers.sort_unstable();
    (numbers, damaged)
}

fn file(folder: &TempDir) -> StateFile {
    StateFile::new(folder.path().join("state.json"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test]
async fn a_file_beside_the_state_has_a_line_for_each_event() {
    let folder = TempDir::new().unwrap();
    let (history, path) = (file(&folder), folder.path().join("state.json.history"));
    assert_eq!(numbers(&history, 0).await, (vec![], vec![]));
    assert!(!path.exists(), "reading makes no file");

    // It has the mode of the state, whichever of them comes first.
    history.save(&batman(), &State { revision: 1, ..State::default() }).await.unwrap();
    fs::set_permissions(folder.path().join("state.json"), fs::Permissions::from_mode(0o640)).unwrap();
    history.store(&batman(), &[event(1), event(2)]).await.unwrap();
    history.store(&EntryName::new("robin"), &[event_of("robin", 1)]).await.unwrap();
    assert_eq!(mode(&path), 0o640);
    assert_eq!(numbers(&history, 2).await, (vec![1, 2], vec![]));

    // A process died within a line, and another one does not know that.
    let torn = &event(3).json[..20];
    fs::write(&path, fs::read_to_string(&path).unwrap() + torn).unwrap();
    history.store(&batman(), &[event(3), event(4)]).await.unwrap();
    let (read, damaged) = numbers(&history, 4).await;
    assert_eq!((read, damaged.len()), (vec![1, 2, 3, 4], 1));
    assert!(damaged[0].starts_with("line 4 of ") && damaged[0].contains("is damaged"), "{damaged:?}");
}

#[tokio::test]
async fn a_file_that_has_grown_keeps_the_newest_of_each_cluster() {
    let folder = TempDir::new().unwrap();
    let (history, path) = (file(&folder), folder.path().join("state.json.history"));
    history.store(&EntryName::new("robin"), &[event_of("robin", 1)]).await.unwrap();
    let line = |number| format!("{}{}\n", event(number).json, " ".repeat(4000));
    let lines: String = (1..9_000).map(line).collect();
    fs::write(&path, fs::read_to_string(&path).unwrap() + &lines).unwrap();
    history.store(&batman(), &[event(9_000)]).await.unwrap();

    assert_eq!(numbers(&history, 9_000).await.0, (8_873..=9_000).collect::<Vec<u64>>());
    assert!(fs::read_to_string(&path).unwrap().contains("robin-1-0"), "the other cluster's events are kept");
    history.store(&batman(), &[event(9_001)]).await.unwrap();
    assert_eq!(numbers(&history, 9_001).await.0.len(), 129);
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2, "the history and its lock");
}

async fn table() -> (Aws, StateTable) {
    let mut account = Account::default();
    account.create_table(0, TABLE, "scope").unwrap();
    let aws = Aws::start(account).await;
    let client = aws_sdk_dynamodb::Client::new(&aws.config().await);
    (aws, StateTable::new(client, TableName::parse(TABLE).unwrap(), Calls::default()))
}

/// A page shows a few events, and reads no others from a table.
#[tokio::test]
async fn the_newest_alone_can_be_read() {
    let folder = TempDir::new().unwrap();
    let (aws, table) = table().await;
    let stores: [&dyn History; 2] = [&file(&folder), &table];
    for history in stores {
        history.store(&batman(), &(1..=5).map(event).collect::<Vec<_>>()).await.unwrap();
        aws.account().drain_calls();
        let mut all = history.stored(&BTreeMap::from([(batman(), 5)]), Some(2)).await;
        let events = all.remove(&batman()).unwrap().unwrap().events;
        let mut numbers: Vec<u64> = events.iter().map(|event| event.head.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [4, 5]);
    }
    assert_eq!(aws.account().drain_calls().len(), 2);
}

fn items(aws: &Aws) -> usize {
    aws.account().describe_table(0, TABLE).unwrap().items
}

#[tokio::test]
async fn a_table_has_an_item_for_each_of_the_newest_events() {
    let (aws, history) = table().await;
    let events: Vec<PendingEvent> = (1..=130).map(event).collect();
    history.store(&batman(), &events).await.unwrap();
    assert_eq!(items(&aws), 128);
    assert_eq!(numbers(&history, 130).await, ((3..=130).collect(), vec![]));
    // Again by a process that did not see the answer, and late by one that was stopped.
    history.store(&batman(), &[event(1), event(130)]).await.unwrap();
    assert_eq!(numbers(&history, 130).await.0, (3..=130).collect::<Vec<u64>>());
    assert_eq!(numbers(&history, 131).await.0, (4..=130).collect::<Vec<u64>>());

    // The state was deleted: the numbers begin again, and time goes on.
    let later = PendingEvent { since: Timestamp(1_000), ..event(1) };
    history.store(&batman(), &[later]).await.unwrap();
    assert_eq!(numbers(&history, 1).await.0, [1]);
    // It is no state, and no state is one of its items.
    assert_eq!(history.load(&batman()).await, Ok(State::default()));
}

#[tokio::test]
async fn a_damaged_item_is_named() {
    let (aws, history) = table().await;
    history.store(&batman(), &[event(1), event(2)]).await.unwrap();
    let damaged: serde_json::Map<String, Value> =
        serde_json::from_value(json!({"scope": {"S": "batman/history/2"}, "event": {"S": "{"}})).unwrap();
    aws.account().put_item(0, TABLE, damaged, &<_>::default()).unwrap();
    let (read, damaged) = numbers(&history, 2).await;
    assert_eq!((read, damaged.len()), (vec![1], 1));
    assert!(damaged[0].starts_with("the item `batman/history/2` of table repoint is damaged"), "{damaged:?}");
}

/// The policy that `repoint iam` prints is enough, and allows no other entry's events.
#[tokio::test]
async fn the_policy_allows_the_events_of_its_entries() {
    let (aws, history) = table().await;
    let configuration = "[aws]\nregion = \"us-east-1\"\n[state]\ndynamodb_table = \"repoint\"\n\
                         [[cluster]]\nscope = \"batman\"\nmembers = [\"http://10.0.1.11:8008\"]\n";
    let printed = crate::support::command::Repoint::new(configuration)
        .without("REPOINT_STATE_FILE")
        .run(&["iam"])
        .await;
    let text = printed.stdout.replace(":*:table", ":123456789012:table");
    let policy = Policy::new(&serde_json::from_str(&text).unwrap()).unwrap();
    aws.account().policy = Some(policy);
    history.store(&batman(), &[event(1)]).await.unwrap();
    assert_eq!(numbers(&history, 1).await.0, [1]);
    let refused = history.store(&EntryName::new("robin"), &[event_of("robin", 1)]).await.unwrap_err();
    insta::assert_snapshot!(refused.to_string(), @"dynamodb:PutItem on table repoint: AccessDeniedException: User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: dynamodb:PutItem on resource: arn:aws:dynamodb:us-east-1:123456789012:table/repoint because no identity-based policy allows the dynamodb:PutItem action");
}
