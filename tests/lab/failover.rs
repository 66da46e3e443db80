//! Real failovers: a primary that dies, and one that hands over.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::deployment::{Deployment, holds};
use crate::lab::Lab;
use crate::mailbox::events;
use crate::member::Member;
use crate::stage::Stage;

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.trial("failover::a_killed_primary_is_followed_once_another_is_promoted", killed_primary),
        stage.trial("failover::a_switchover_is_followed", switchover),
    ]
}

/// A deployment that points where it should, in one run that changes nothing.
async fn settled<'a>(lab: &'a Lab, leader: &Member) -> anyhow::Result<Deployment<'a>> {
    let mut deployment = Deployment::new(lab).await?;
    let standbys = lab.cluster.replicas().await?;
    deployment.configure_everything(leader, standbys.first().context("a replica")?).await?;
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "converged", "{report}");
    Ok(deployment)
}

async fn killed_primary(lab: &Lab) -> anyhow::Result<()> {
    let old = lab.cluster.leader().await?;
    let deployment = settled(lab, &old).await?;
    lab.cluster.kill9(&old).await?;

    lab.moto.start_recording().await?;
    let during = deployment.run(1).await?;
    eprintln!("during the election: {during:#}");
    ensure!(during["outcome"] == "held" && during["steps"] == Value::Array(Vec::new()), "{during}");
    ensure!(holds(&during) == ["unreachable"], "{during}");
    ensure!(deployment.written().await?.is_empty(), "an election moves nothing");
    let notified = deployment.mailbox.messages().await?;
    ensure!(events(&notified)?.first() == Some(&"no_primary triggered".to_owned()), "{notified:?}");

    let new = lab.cluster.wait_new_leader(&old).await?;
    let (report, notified) = moved(&deployment, &old, &new, "failover").await?;
    ensure!(notified.contains(&"no_primary resolved".to_owned()), "{notified:?}");
    let others = others(lab, &new);
    deployment.ensure_points_at(&new, &others).await?;
    eprintln!("after the promotion: {report:#}");

    lab.cluster.restart(&old).await?;
    lab.cluster.wait_healthy().await?;
    settle(lab, &deployment).await?;
    deployment.ensure_points_at(&new, &others).await
}

async fn switchover(lab: &Lab) -> anyhow::Result<()> {
    let old = lab.cluster.leader().await?;
    let deployment = settled(lab, &old).await?;
    let new = lab.cluster.replicas().await?.pop().context("a replica")?;
    lab.cluster.switchover(&new).await?;
    moved(&deployment, &old, &new, "switchover").await?;
    deployment.ensure_points_at(&new, &others(lab, &new)).await?;
    settle(lab, &deployment).await
}

fn others(lab: &Lab, primary: &Member) -> Vec<Member> {
    lab.cluster.members().iter().filter(|member| *member != primary).cloned().collect()
}

/// One run that moves everything from `old` to `new`; its report, and the events that it published.
async fn moved(
    deployment: &Deployment<'_>,
    old: &Member,
    new: &Member,
    cause: &str,
) -> anyhow::Result<(Value, Vec<String>)> {
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "changed", "{report}");
    ensure!(report["verdict"]["member"] == *new.name, "{report}");
    ensure!(report["previous_primary"] == *old.name && report["cause"] == cause, "{report}");
    let done = report["steps"].as_array().context("steps")?.iter().all(|step| step["result"] == "done");
    ensure!(done, "{report}");

    let messages = deployment.mailbox.messages().await?;
    let notified = events(&messages)?;
    let moves: Vec<&Value> = messages
        .iter()
        .zip(&notified)
        .filter(|(_, event)| event.starts_with("retargeted"))
        .map(|(m, _)| m)
        .collect();
    let [message] = moves[..] else { anyhow::bail!("{messages:?}") };
    eprintln!(
        "Subject: {}\n\n{}",
        message["Subject"].as_str().unwrap_or(""),
        message["Message"].as_str().unwrap_or("")
    );
    let subject = message["Subject"].as_str().context("a subject")?;
    ensure!(subject.len() < 100 && subject.contains(&new.name) && subject.contains(&old.name), "{subject}");
    for (name, value) in [("cluster", "batman"), ("severity", "info"), ("cause", cause)] {
        ensure!(message["MessageAttributes"][name]["Value"] == value, "{message}");
    }
    let body = message["Message"].as_str().context("a body")?;
    let json = body.lines().last().context("a last line")?;
    let machine: Value = serde_json::from_str(json).context("the last line is JSON")?;
    let pass = &machine["report"];
    ensure!(pass["steps"] == report["steps"] && pass["verdict"] == report["verdict"], "{json}");
    Ok((report, notified))
}

/// Whatever standby was chosen while members were still joining, two runs later nothing is left to do.
async fn settle(lab: &Lab, deployment: &Deployment<'_>) -> anyhow::Result<()> {
    deployment.run(0).await?;
    lab.moto.start_recording().await?;
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "converged", "{report}");
    ensure!(deployment.written().await?.is_empty(), "an empty plan writes nothing");
    Ok(())
}
