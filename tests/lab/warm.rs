//! A warm group beside a real cluster: its targets, what its health check must be, and when surplus targets leave.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::deployment::{Deployment, holds};
use crate::lab::Lab;
use crate::stage::Stage;
use crate::wait::wait_until;

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.long_trial("warm::every_member_is_in_and_a_failover_moves_nothing", members)]
}

async fn members(lab: &Lab) -> anyhow::Result<()> {
    let leader = lab.cluster.leader().await?;
    let mut deployment = Deployment::new(lab).await?;
    let fit =
        json!({ "HealthCheckProtocol": "HTTP", "HealthCheckPort": "8008", "HealthCheckPath": "/primary" });
    let warm = deployment.infra.target_group_with("warm", "ip", &fit).await?;
    let unfit = deployment.infra.target_group("unfit", "ip").await?;
    for group in [&warm, &unfit] {
        deployment.configure_warm(group)?;
    }
    deployment.infra.register(&warm, &[("10.9.9.9", 5432)]).await?;

    let report = deployment.run(1).await?;
    ensure!(holds(&report) == ["health_check"], "{report}");
    let hold = &report["holds"][0];
    ensure!(
        hold["endpoint"] == unfit && hold["message"].as_str().is_some_and(|words| words.contains("/primary"))
    );
    ensure!(deployment.infra.targets(&unfit).await?.is_empty(), "a group that is held is left alone");
    let there = |targets: &[(String, u16)], host: &str| targets.iter().any(|(id, _)| id == host);
    let targets = deployment.infra.targets(&warm).await?;
    ensure!(lab.cluster.members().iter().all(|member| there(&targets, &member.host)), "{targets:?}");

    // It belongs to no member, and leaves a second after that was first seen.
    wait_until("the surplus target leaves", Duration::from_secs(30), async || {
        deployment.repoint(&["run"]).await?;
        let targets = deployment.infra.targets(&warm).await?;
        ensure!(targets.len() == 3 && !there(&targets, "10.9.9.9"), "{targets:?}");
        Ok(())
    })
    .await?;

    // To the emulator every target is healthy, which no load balancer in front of this cluster should find.
    let notified = deployment.mailbox.messages().await?;
    let events: Vec<&str> = notified
        .iter()
        .filter_map(|message| message["MessageAttributes"]["event"]["Value"].as_str())
        .collect();
    ensure!(events.contains(&"target_health") && events.contains(&"target_surplus"), "{events:?}");

    lab.cluster.kill9(&leader).await?;
    let new = lab.cluster.wait_new_leader(&leader).await?;
    lab.moto.start_recording().await?;
    let report = deployment.run(1).await?;
    ensure!(
        report["verdict"]["member"] == *new.name && report["steps"] == Value::Array(Vec::new()),
        "{report}"
    );
    ensure!(deployment.written().await?.is_empty(), "its health check moves it");
    lab.cluster.restart(&leader).await?;
    lab.cluster.wait_healthy().await.context("health")
}
