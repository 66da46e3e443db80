//! The function under AWS's own runtime interface emulator, through a real failover.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::deployment::{Deployment, holds};
use crate::function::Function;
use crate::lab::Lab;
use crate::member::Member;
use crate::stage::Stage;
use crate::state_table::{TABLE, create_table};

const SCHEDULED: &str = include_str!("../../lambda/events/scheduler.json");
const INSTANCE_STOPS: &str = include_str!("../../lambda/events/ec2_state_change.json");
const UNKNOWN: &str = include_str!("../../lambda/events/s3.json");

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.trial("lambda::a_killed_primary_is_followed_once_another_is_promoted", killed_primary)]
}

async fn killed_primary(lab: &Lab) -> anyhow::Result<()> {
    create_table(lab).await?;
    let mut deployment = Deployment::new(lab).await?;
    deployment.store_state_in(TABLE);
    let old = lab.cluster.leader().await?;
    let standbys = lab.cluster.replicas().await?;
    deployment.configure_everything(&old, standbys.first().context("a replica")?).await?;
    let configuration = [("REPOINT_CONFIG_INLINE", deployment.configuration())];
    let bootstrap = Function::bootstrap();
    let function = Function::start(lab, &[bootstrap.to_str().context("a text")?], &configuration).await?;
    ensure!(invoked(&function, SCHEDULED).await?["outcome"] == "converged");

    lab.cluster.kill9(&old).await?;
    lab.moto.start_recording().await?;
    let during = invoked(&function, INSTANCE_STOPS).await?;
    ensure!(during["outcome"] == "held" && holds(&during) == ["unreachable"], "{during}");
    ensure!(
        deployment.written().await?.iter().all(|call| call.service == "dynamodb"),
        "an election moves nothing"
    );

    let new = lab.cluster.wait_new_leader(&old).await?;
    let report = invoked(&function, SCHEDULED).await?;
    ensure!(report["outcome"] == "changed" && report["cause"] == "failover", "{report}");
    ensure!(report["verdict"]["member"] == *new.name && report["previous_primary"] == *old.name, "{report}");
    let others: Vec<Member> =
        lab.cluster.members().iter().filter(|member| **member != new).cloned().collect();
    deployment.ensure_points_at(&new, &others).await?;

    lab.cluster.restart(&old).await?;
    lab.cluster.wait_healthy().await?;
    // Another standby may be the better one by now.
    invoked(&function, SCHEDULED).await?;
    lab.moto.start_recording().await?;
    let report = invoked(&function, SCHEDULED).await?;
    ensure!(report["outcome"] == "converged" && deployment.written().await?.is_empty(), "{report}");
    deployment.ensure_points_at(&new, &others).await?;

    let refused = function.invoke(UNKNOWN).await?;
    ensure!(refused["errorType"] == "UnknownEvent", "{refused}");
    ensure!(invoked(&function, SCHEDULED).await?["outcome"] == "converged", "the next event is not harmed");
    let log = function.end().await?;
    ensure!(log.contains("\"message\":\"shut down\""), "{log}");
    Ok(())
}

/// The cluster's report.
async fn invoked(function: &Function, event: &str) -> anyhow::Result<Value> {
    let answer = function.invoke(event).await?;
    let report = answer["clusters"][0].clone();
    ensure!(report.is_object(), "{answer}");
    Ok(report)
}
