//! A group of readers while replicas of a real cluster come and go.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;

use crate::deployment::Deployment;
use crate::lab::Lab;
use crate::member::Member;
use crate::stage::Stage;
use crate::wait::wait_until;

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.long_trial(
            "readers::replicas_come_and_go_and_the_primary_takes_the_place_of_the_last",
            come_and_go,
        ),
    ]
}

async fn come_and_go(lab: &Lab) -> anyhow::Result<()> {
    let leader = lab.cluster.leader().await?;
    let replicas = lab.cluster.replicas().await?;
    let [first, second] = &replicas[..] else { anyhow::bail!("two replicas, not {replicas:?}") };
    let mut deployment = Deployment::new(lab).await?;
    let readers = deployment.infra.target_group("readers", "ip").await?;
    deployment.configure_readers(&readers)?;

    // The primary is where it does not belong any more.
    deployment.infra.register(&readers, &[(&leader.host, leader.pg_port)]).await?;
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "changed", "{report}");
    holds(&deployment, &readers, &[first, second]).await?;
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "converged", "{report}");

    // A stopped member is listed until its key in the DCS has expired.
    lab.cluster.kill9(first).await?;
    until_it_holds(&deployment, &readers, &[second]).await?;
    lab.cluster.kill9(second).await?;
    until_it_holds(&deployment, &readers, &[&leader]).await?;
    lab.cluster.restart(second).await?;
    until_it_holds(&deployment, &readers, &[second]).await?;
    lab.cluster.restart(first).await?;
    lab.cluster.wait_healthy().await?;
    until_it_holds(&deployment, &readers, &[first, second]).await?;

    lab.cluster.switchover(first).await?;
    until_it_holds(&deployment, &readers, &[&leader, second]).await?;
    lab.cluster.wait_healthy().await?;
    Ok(())
}

async fn holds(deployment: &Deployment<'_>, group: &str, members: &[&Member]) -> anyhow::Result<()> {
    let mut expected: Vec<_> = members.iter().map(|member| (member.host.clone(), member.pg_port)).collect();
    expected.sort();
    let mut targets = deployment.infra.targets(group).await?;
    targets.sort();
    ensure!(targets == expected, "the group holds {targets:?}, not {expected:?}");
    Ok(())
}

/// Runs again and again, as cron does, until the group holds them; it is never empty meanwhile.
async fn until_it_holds(deployment: &Deployment<'_>, group: &str, members: &[&Member]) -> anyhow::Result<()> {
    wait_until("the group follows", Duration::from_mins(2), async || {
        deployment.repoint(&["run", "--format", "json"]).await?;
        deployment.infra.targets(group).await?.first().context("the group is empty")?;
        holds(deployment, group, members).await
    })
    .await
}
