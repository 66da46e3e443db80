//! Real failovers: a primary that dies, and one that hands over.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::deployment::{Deployment, holds};
use crate::lab::Lab;
use crate::mailbox::{Mailbox, events};
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
    settled_with(lab, leader, "").await
}

/// The same with these lines in the configuration.
async fn settled_with<'a>(lab: &'a Lab, leader: &Member, lines: &str) -> anyhow::Result<Deployment<'a>> {
    let mut deployment = Deployment::new(lab).await?;
    deployment.configure(lines);
    let standbys = lab.cluster.replicas().await?;
    deployment.configure_everything(leader, standbys.first().context("a replica")?).await?;
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "converged", "{report}");
    Ok(deployment)
}

async fn killed_primary(lab: &Lab) -> anyhow::Result<()> {
    let old = lab.cluster.leader().await?;
    let formats = ["chatbot", "cloudwatch", "json"];
    let mut mailboxes = Vec::new();
    let mut topics = String::new();
    for format in formats {
        let mailbox = Mailbox::new(&lab.aws, format).await?;
        writeln!(topics, "\n[[alerts.topic]]\narn = {:?}\nformat = \"{format}\"", mailbox.topic)?;
        mailboxes.push(mailbox);
    }
    let deployment = settled_with(lab, &old, &topics).await?;
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
    for (format, mailbox) in formats.into_iter().zip(&mailboxes) {
        in_format(format, &mailbox.messages().await?)?;
    }

    lab.cluster.restart(&old).await?;
    lab.cluster.wait_healthy().await?;
    settle(lab, &deployment).await?;
    for mailbox in mailboxes {
        mailbox.close().await?;
    }
    deployment.ensure_points_at(&new, &others).await
}

/// The messages of one failover, as a queue behind the topic has received them: no primary, a move, and a primary again.
fn in_format(format: &str, messages: &[Value]) -> anyhow::Result<()> {
    let notified = events(messages)?;
    let (mut began, mut ended) = (Vec::new(), Vec::new());
    for (message, event) in messages.iter().zip(&notified) {
        let text = message["Message"].as_str().context("a body")?;
        let body: Value = serde_json::from_str(text).with_context(|| format!("{format}: {text}"))?;
        eprintln!("{format}: Subject: {}\n{body:#}\n", message["Subject"].as_str().unwrap_or(""));
        match event.as_str() {
            "no_primary triggered" => began.push((message["Subject"].clone(), body)),
            "no_primary resolved" => ended.push((message["Subject"].clone(), body)),
            _ => {}
        }
    }
    let ([(begins, began)], [(ends, ended)]) = (&began[..], &ended[..]) else {
        anyhow::bail!("{format}: {notified:?}")
    };
    let has_moved = notified.contains(&"retargeted triggered".to_owned());
    ensure!(has_moved == (format != "cloudwatch"), "{format}: {notified:?}");
    let key = match format {
        "chatbot" => "/metadata/threadId",
        "cloudwatch" => "/AlarmName",
        _ => "/dedup_key",
    };
    ensure!(began.pointer(key).is_some() && began.pointer(key) == ended.pointer(key), "{began} {ended}");
    if format == "cloudwatch" {
        let begins_with =
            |subject: &Value, word: &str| subject.as_str().is_some_and(|text| text.starts_with(word));
        ensure!(begins_with(begins, "ALARM: ") && begins_with(ends, "OK: "), "{begins} {ends}");
        ensure!(began["NewStateValue"] == "ALARM" && ended["NewStateValue"] == "OK", "{began} {ended}");
    }
    Ok(())
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
