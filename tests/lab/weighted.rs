//! A listener before a group for each member, beside a real cluster: a failover is one request, and the rest of the
//! listener stays as it was.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::deployment::{Deployment, holds};
use crate::lab::Lab;
use crate::stage::Stage;

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.long_trial("weighted::a_failover_is_one_request", failover)]
}

async fn failover(lab: &Lab) -> anyhow::Result<()> {
    let leader = lab.cluster.leader().await?;
    let mut deployment = Deployment::new(lab).await?;
    let infra = deployment.infra.clone();
    let mut groups = Vec::new();
    for member in lab.cluster.members() {
        groups.push((member.name.clone(), infra.target_group(&member.name, "ip").await?));
    }
    let blue = infra.target_group("blue", "ip").await?;
    let group_of = |name: &str| groups.iter().find(|(member, _)| member == name).map(|(_, group)| group);
    // At first it knows the group of a member that does not lead, and one that is none of repoint's business.
    let other = groups.iter().find(|(member, _)| *member != leader.name).context("another member")?;
    let listener = infra.listener("pg", &[(&other.1, 1), (&blue, 0)]).await?;
    for (member, group) in &groups {
        deployment.configure_weighted(group, &listener, member)?;
    }
    let before = infra.described_listener(&listener).await?;

    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "changed", "{report}");
    let shares = |primary: &str| {
        let mut shares: Vec<(String, u64)> = groups
            .iter()
            .map(|(member, group)| (group.clone(), if member == primary { 100 } else { 0 }))
            .collect();
        shares.push((blue.clone(), 0));
        shares.sort();
        shares
    };
    ensure!(infra.shares(&listener).await? == shares(&leader.name), "{report}");
    for member in lab.cluster.members() {
        let group = group_of(&member.name).context("a group")?;
        ensure!(infra.targets(group).await? == [(member.host.clone(), member.pg_port)], "{report}");
    }
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "converged", "{report}");

    lab.cluster.kill9(&leader).await?;
    let new = lab.cluster.wait_new_leader(&leader).await?;
    lab.moto.start_recording().await?;
    let report = deployment.run(0).await?;
    let written = deployment.written().await?;
    let operations: Vec<&str> = written.iter().map(|call| call.operation.as_str()).collect();
    ensure!(operations == ["ModifyListener"], "{operations:?}");
    ensure!(report["cause"] == "failover" && report["steps"][0]["action"] == "set_weights", "{report}");
    ensure!(infra.shares(&listener).await? == shares(&new.name), "{report}");
    let after = infra.described_listener(&listener).await?;
    let rest = |mut described: Value| {
        described["DefaultActions"][0]["ForwardConfig"]["TargetGroups"] = Value::Null;
        described
    };
    ensure!(rest(after.clone()) == rest(before.clone()), "{before} became {after}");

    // An operator sends a share to a group that is not configured: repoint leaves it.
    infra.forward(&listener, &[(group_of(&new.name).context("a group")?, 100), (&blue, 5)]).await?;
    let report = deployment.run(1).await?;
    ensure!(holds(&report) == ["listener"], "{report}");
    let hold = &report["holds"][0];
    ensure!(hold["message"].as_str().is_some_and(|words| words.contains("target group blue")), "{report}");
    ensure!(report["steps"] == json!([]), "{report}");

    lab.cluster.restart(&leader).await?;
    lab.cluster.wait_healthy().await.context("health")
}
