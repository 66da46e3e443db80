//! Memory in DynamoDB: what a run leaves there, and two runs at the same moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use libtest_mimic::Trial;
use repoint::adapters::aws::{Access, Options};
use repoint::adapters::state_dynamodb::StateTable;
use repoint::limits::Calls;
use repoint::ports::Store as _;
use repoint_domain::state::State;
use repoint_domain::values::cluster::{EntryName, Timeline};
use repoint_domain::values::failure::Kind;
use serde_json::{Value, json};

use crate::aws::REGION;
use crate::command::Outcome;
use crate::deployment::{Deployment, holds};
use crate::lab::Lab;
use crate::moto::Moto;
use crate::stage::Stage;

pub const TABLE: &str = "repoint-state";
/// How often two runs begin at the same moment.
const RACES: u32 = 20;
/// How often two writes of one revision do.
const DUELS: u64 = 50;

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.trial("state_table::the_first_run_makes_the_item_and_the_second_leaves_it", first_and_second),
        stage.trial("state_table::of_two_runs_at_the_same_moment_one_acts", race),
        stage.trial("state_table::of_two_writes_of_one_revision_one_is_refused", duel),
        stage.trial("state_table::what_cannot_be_read_is_said_and_left_as_it_is", unreadable),
        stage.trial("state_table::a_missing_table_is_named", missing),
    ]
}

pub async fn create_table(lab: &Lab) -> anyhow::Result<()> {
    let args = json!({
        "TableName": TABLE,
        "KeySchema": [{ "AttributeName": "scope", "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": "scope", "AttributeType": "S" }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    lab.aws.call("dynamodb", "create_table", args).await?;
    Ok(())
}

/// Everything configured, pointing at a member that is not the primary, and remembered in the table.
async fn misled(lab: &Lab) -> anyhow::Result<Deployment<'_>> {
    let mut deployment = Deployment::new(lab).await?;
    deployment.store_state_in(TABLE);
    let replicas = lab.cluster.replicas().await?;
    let wrong = replicas.first().context("a replica")?;
    deployment.configure_everything(wrong, wrong).await?;
    Ok(deployment)
}

/// The cluster's item as boto3 reads it; null if there is none.
async fn item(lab: &Lab) -> anyhow::Result<Value> {
    let args = json!({ "TableName": TABLE, "Key": { "scope": { "S": "batman" } }, "ConsistentRead": true });
    Ok(lab.aws.call("dynamodb", "get_item", args).await?["Item"].clone())
}

async fn put(lab: &Lab, item: &Value) -> anyhow::Result<()> {
    let args = json!({ "TableName": TABLE, "Item": item });
    lab.aws.call("dynamodb", "put_item", args).await?;
    Ok(())
}

/// The item's revision, which the memory in it must have, too; and the memory.
async fn settled(lab: &Lab) -> anyhow::Result<(u64, Value)> {
    let item = item(lab).await?;
    let state: Value = serde_json::from_str(item["state"]["S"].as_str().context("no state")?)?;
    let revision: u64 = item["revision"]["N"].as_str().context("no revision")?.parse()?;
    ensure!(item["version"]["N"] == "1" && state["revision"] == revision, "{item}");
    ensure!(state["lease"].is_null(), "nobody is acting any more: {state}");
    ensure!(state["outbox"] == json!([]), "everything was published: {state}");
    Ok((revision, state))
}

async fn first_and_second(lab: &Lab) -> anyhow::Result<()> {
    create_table(lab).await?;
    let deployment = misled(lab).await?;
    let leader = lab.cluster.leader().await?;
    ensure!(item(lab).await?.is_null());

    let first = deployment.run(0).await?;
    eprintln!("first run: {} ms, {}", first["duration_ms"], first["api_calls"]);
    ensure!(first["outcome"] == "changed" && first["cause"] == "adoption", "{first}");
    let (revision, state) = settled(lab).await?;
    ensure!(state["primary"]["member"] == *leader.name, "{state}");
    ensure!(state["highest_timeline"] == first["verdict"]["timeline"], "{state}");
    ensure!(state["members"].as_object().is_some_and(|members| members.len() == 3), "{state}");
    ensure!(deployment.mailbox.messages().await?.len() == 1);

    let second = deployment.run(0).await?;
    eprintln!("second run: {} ms, {}", second["duration_ms"], second["api_calls"]);
    ensure!(second["outcome"] == "converged", "{second}");
    ensure!(second["api_calls"]["dynamodb:GetItem"] == 1, "{second}");
    ensure!(second["api_calls"]["dynamodb:PutItem"].is_null(), "nothing new, nothing saved: {second}");
    ensure!(settled(lab).await? == (revision, state));
    ensure!(deployment.mailbox.messages().await?.is_empty());
    Ok(())
}

async fn race(lab: &Lab) -> anyhow::Result<()> {
    create_table(lab).await?;
    let deployment = misled(lab).await?;
    let leader = lab.cluster.leader().await?;
    let standbys = lab.cluster.replicas().await?;
    let wrong = standbys.first().context("a replica")?;
    let (mut known, mut took, mut waited) = (0, Vec::new(), 0_u32);
    for number in 0..RACES {
        deployment.mislead(wrong).await?;
        lab.moto.start_recording().await?;
        let began = Instant::now();
        let arguments = ["run", "--format", "json"];
        let (one, other) = tokio::try_join!(
            deployment.repoint_on("one", &arguments),
            deployment.repoint_on("other", &arguments)
        )?;
        took.push(began.elapsed());
        waited +=
            u32::from([&one, &other].iter().any(|run| run.stderr.contains("another repoint is acting")));

        let (one, other) = (ended(&one)?, ended(&other)?);
        let outcomes = [&one["outcome"], &other["outcome"]];
        let changed = outcomes.iter().filter(|outcome| **outcome == "changed").count();
        ensure!(changed == 1, "race {number}: {one:#} {other:#}");
        deployment.ensure_points_at(&leader, &standbys).await.with_context(|| format!("race {number}"))?;
        let calls = deployment.written().await?;
        let writes = |operation: &str| calls.iter().filter(|call| call.operation == operation).count();
        ensure!(writes("RegisterTargets") == 2 && writes("DeregisterTargets") == 2, "{calls:?}");
        ensure!(writes("ChangeResourceRecordSets") == 1, "race {number}: {calls:?}");

        let notified = deployment.mailbox.messages().await?;
        let events: Vec<&Value> =
            notified.iter().map(|message| &message["MessageAttributes"]["event"]["Value"]).collect();
        ensure!(events == ["retargeted"], "race {number}: {events:?}");
        let (revision, _) = settled(lab).await?;
        ensure!(revision > known, "race {number}: {revision} after {known}");
        known = revision;
    }
    took.sort();
    let (median, slowest) = (took[took.len() / 2], took[took.len() - 1]);
    let all: Duration = took.iter().sum();
    eprintln!(
        "{RACES} races in {all:.1?}: median {median:.0?}, slowest {slowest:.0?}; one waited in {waited}"
    );
    Ok(())
}

/// A run that went well, or left everything to the other one.
fn ended(run: &Outcome) -> anyhow::Result<Value> {
    let report: Value = serde_json::from_str(&run.stdout).with_context(|| format!("{run:?}"))?;
    let report = report["clusters"][0].clone();
    let is_left_to_the_other = run.code == 1 && matches!(holds(&report)[..], ["locked" | "conflict"]);
    ensure!(run.code == 0 || is_left_to_the_other, "{run:?}");
    ensure!(report["warnings"].is_null(), "{run:?}");
    Ok(report)
}

async fn store() -> StateTable {
    let access = Access::load(&Options {
        region: Some(REGION),
        endpoint_url: Some(&Moto::endpoint()),
        ..Options::default()
    })
    .await;
    let config = access.config().clone().into_builder();
    let credentials = Credentials::new("lab", "lab", None, None, "lab");
    let config = config.credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    StateTable::new(Client::new(&config), TABLE.to_owned(), Calls::default())
}

async fn duel(lab: &Lab) -> anyhow::Result<()> {
    create_table(lab).await?;
    let entry = EntryName::new("batman");
    let stores = [store().await, store().await];
    ensure!(stores[0].load(&entry).await? == State::default());
    for revision in 1..=DUELS {
        // What tells them apart.
        let theirs = [1, 2].map(|timeline| State {
            revision,
            highest_timeline: Some(Timeline(timeline)),
            ..State::default()
        });
        let saves = [0, 1].map(|index| {
            let (store, entry, state) = (stores[index].clone(), entry.clone(), theirs[index].clone());
            tokio::spawn(async move { store.save(&entry, &state).await })
        });
        let [one, other] = saves;
        let results = [one.await?, other.await?];
        let winner = match &results {
            [Ok(()), Err(lost)] if lost.kind == Kind::Conflict => 0,
            [Err(lost), Ok(())] if lost.kind == Kind::Conflict => 1,
            neither => anyhow::bail!("revision {revision}: {neither:?}"),
        };
        ensure!(stores[1 - winner].load(&entry).await? == theirs[winner], "revision {revision}");
    }
    let late = State { revision: DUELS, ..State::default() };
    let early = State { revision: DUELS + 2, ..State::default() };
    for wrong in [late, early, State { revision: 1, ..State::default() }] {
        let refused = stores[0].save(&entry, &wrong).await;
        ensure!(refused.as_ref().is_err_and(|failure| failure.kind == Kind::Conflict), "{refused:?}");
    }
    Ok(())
}

async fn unreadable(lab: &Lab) -> anyhow::Result<()> {
    create_table(lab).await?;
    let deployment = misled(lab).await?;
    let good = json!({
        "scope": { "S": "batman" }, "version": { "N": "1" }, "revision": { "N": "3" },
        "state": { "S": serde_json::to_string(&State { revision: 3, ..State::default() })? },
    });
    let with = |field: &str, value: Value| {
        let mut item = good.clone();
        item[field] = value;
        item
    };
    let without = |field: &str| {
        let mut item = good.clone();
        item.as_object_mut().context("an object")?.remove(field);
        anyhow::Ok(item)
    };
    for (item_there, words) in [
        (with("state", json!({ "S": "{\"revision\": 3, " })), "the item `batman` cannot be read (EOF"),
        (with("state", json!({ "N": "3" })), "has no state"),
        (without("state")?, "has no state"),
        (without("version")?, "has no version"),
        (with("version", json!({ "N": "2" })), "a newer repoint wrote it, so run that one"),
    ] {
        put(lab, &item_there).await?;
        lab.moto.start_recording().await?;
        let report = deployment.run(1).await?;
        ensure!(report["outcome"] == "held" && holds(&report) == ["state_unavailable"], "{report:#}");
        let message = report["holds"][0]["message"].as_str().context("a message")?;
        ensure!(message.contains(words) && message.contains("left as it is"), "{words}: {message}");
        ensure!(deployment.written().await?.is_empty(), "{words}");
        ensure!(item(lab).await? == item_there, "{words}");
        eprintln!("{message}");
    }
    put(lab, &good).await?;
    ensure!(deployment.run(0).await?["outcome"] == "changed");
    ensure!(settled(lab).await?.0 > 3);
    Ok(())
}

async fn missing(lab: &Lab) -> anyhow::Result<()> {
    let deployment = misled(lab).await?;
    lab.moto.start_recording().await?;
    let report = deployment.run(1).await?;
    ensure!(holds(&report) == ["state_unavailable"], "{report:#}");
    let hint = report["holds"][0]["hint"].as_str().context("a hint")?;
    eprintln!("no table: {} {hint}", report["holds"][0]["message"]);
    ensure!(hint.contains(&format!("`table {TABLE}` does not exist")), "{report:#}");
    ensure!(deployment.written().await?.is_empty());
    Ok(())
}
