//! State in DynamoDB: what a run leaves there, as boto3 reads it.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::lab::Lab;
use crate::patroni::DEFAULT_SCOPE;
use crate::stage::Stage;

pub const TABLE: &str = "repoint-state";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.trial("state_table::the_first_run_makes_the_item_and_the_second_leaves_it", first_and_second)]
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

/// Everything configured, pointing at a member that is not the primary, with its state in the table.
async fn misled(lab: &Lab) -> anyhow::Result<Deployment<'_>> {
    let mut deployment = Deployment::new(lab).await?;
    deployment.store_state_in(TABLE);
    let replicas = lab.cluster.replicas().await?;
    let wrong = replicas.first().context("a replica")?;
    deployment.configure_everything(wrong, wrong).await?;
    Ok(deployment)
}

/// The item of the cluster of that name as boto3 reads it; null if there is none.
pub async fn item(lab: &Lab, name: &str) -> anyhow::Result<Value> {
    let args = json!({ "TableName": TABLE, "Key": { "scope": { "S": name } }, "ConsistentRead": true });
    Ok(lab.aws.call("dynamodb", "get_item", args).await?["Item"].clone())
}

/// The item's revision, which the state in it must have, too; and the state.
async fn settled(lab: &Lab) -> anyhow::Result<(u64, Value)> {
    let item = item(lab, DEFAULT_SCOPE).await?;
    let state: Value = serde_json::from_str(item["state"]["S"].as_str().context("no state")?)?;
    let revision: u64 = item["revision"]["N"].as_str().context("no revision")?.parse()?;
    ensure!(item["version"]["N"] == "1" && state["revision"] == revision, "{item}");
    ensure!(state["lease"].is_null(), "the lease has ended: {state}");
    ensure!(state["outbox"] == json!([]), "everything was published: {state}");
    Ok((revision, state))
}

async fn first_and_second(lab: &Lab) -> anyhow::Result<()> {
    create_table(lab).await?;
    let deployment = misled(lab).await?;
    let leader = lab.cluster.leader().await?;
    ensure!(item(lab, DEFAULT_SCOPE).await?.is_null());

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
