//! The first runs: nothing is there, then everything, then nothing is left to do.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;

use crate::deployment::{Deployment, NAME};
use crate::lab::Lab;
use crate::stage::Stage;

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.trial("adoption::an_empty_group_and_a_missing_record_are_made", empty_group_and_missing_record),
        stage.trial("adoption::status_and_check_ask_and_change_nothing", status_and_check),
    ]
}

async fn empty_group_and_missing_record(lab: &Lab) -> anyhow::Result<()> {
    let mut deployment = Deployment::new(lab).await?;
    deployment.configure_group(&deployment.ip_group.clone())?;
    deployment.configure_record()?;
    let leader = lab.cluster.leader().await?;

    lab.moto.start_recording().await?;
    let plan = deployment.repoint(&["plan"]).await?;
    eprintln!("$ repoint plan\n{}", plan.stdout);
    ensure!(plan.code == 0, "{plan:?}");
    for words in [format!("register {}:5432", leader.host), format!("create {}", leader.host)] {
        ensure!(plan.stdout.contains(&words), "{plan:?}");
    }
    ensure!(deployment.written().await?.is_empty(), "a plan writes nothing");

    let run = deployment.repoint(&["run"]).await?;
    eprintln!("$ repoint run\n{}", run.stdout);
    ensure!(run.code == 0 && run.stderr.is_empty(), "{run:?}");
    ensure!(deployment.infra.targets(&deployment.ip_group).await? == [(leader.host.clone(), 5432)]);
    let records = deployment.infra.records(&deployment.zone).await?;
    ensure!(records[0]["Name"] == format!("{NAME}."), "{records}");
    ensure!(records[0]["ResourceRecords"][0]["Value"] == *leader.host, "{records}");
    ensure!(deployment.mailbox.messages().await?.len() == 1);

    lab.moto.start_recording().await?;
    let again = deployment.repoint(&["run"]).await?;
    eprintln!("$ repoint run\n{}", again.stdout);
    ensure!(again.code == 0 && again.stdout.contains("converged"), "{again:?}");
    let calls = lab.moto.recorded().await?;
    let mut operations: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    operations.sort_unstable();
    ensure!(operations == ["DescribeTargetHealth", "ListResourceRecordSets"], "{operations:?}");
    ensure!(deployment.mailbox.messages().await?.is_empty(), "no message");
    Ok(())
}

async fn status_and_check(lab: &Lab) -> anyhow::Result<()> {
    let mut deployment = Deployment::new(lab).await?;
    let leader = lab.cluster.leader().await?;
    let standby = lab.cluster.replicas().await?.into_iter().next().context("a replica")?;
    deployment.configure_everything(&leader, &standby).await?;
    lab.moto.start_recording().await?;
    let status = deployment.repoint(&["status"]).await?;
    eprintln!("$ repoint status\n{}", status.stdout);
    ensure!(status.code == 0, "{status:?}");
    ensure!(status.stdout.matches("right").count() == 4, "{status:?}");
    ensure!(deployment.written().await?.is_empty());

    lab.moto.start_recording().await?;
    let check = deployment.repoint(&["check"]).await?;
    ensure!(check.code == 0 && check.stdout.contains("[[cluster.record]]"), "{check:?}");
    ensure!(lab.moto.recorded().await?.is_empty(), "check makes no request");
    Ok(())
}
