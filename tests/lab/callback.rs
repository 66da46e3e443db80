//! Callbacks as a real Patroni makes them, of its newest version and of an old one.

use std::sync::Arc;

use anyhow::ensure;
use libtest_mimic::Trial;

use crate::deployment::Deployment;
use crate::lab::{Lab, directory_from};
use crate::member::Software;
use crate::patroni::{Cluster, Layout};
use crate::service::make_directory_for_postgres;
use crate::stage::Stage;

pub const BY_ITSELF: &str = "[callback]\nmode = \"self\"\n";
/// What Patroni says when the callback before was still running (`callback_executor.py`).
const WAITED: &str = "because it was still running";
pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.trial("callback::patroni_4_1_is_followed", newest),
        stage.long_trial("callback::patroni_3_0_is_followed", old),
    ]
}

async fn newest(lab: &Lab) -> anyhow::Result<()> {
    follow(lab, &lab.cluster).await
}

async fn old(lab: &Lab) -> anyhow::Result<()> {
    lab.cluster.stop_all().await?;
    let homes = lab.dir.join("patroni-3.0");
    make_directory_for_postgres(&homes).await?;
    let venv = directory_from("LAB_VENV_PATRONI_3_0")?;
    let software = Software { venv, homes, callback: lab.callback.clone() };
    let cluster = Cluster::start(&software, &lab.http, Layout::usual("old")).await?;
    let followed = follow(lab, &cluster).await;
    cluster.stop_all().await?;
    followed
}

/// A kill, a switchover and a restart of the primary; only callbacks trigger a check.
async fn follow(lab: &Lab, cluster: &Cluster) -> anyhow::Result<()> {
    let mut deployment = Deployment::new(lab).await?;
    deployment.configure_group(&deployment.ip_group.clone())?;
    deployment.watch_scope(cluster.scope());
    deployment.install_callbacks(BY_ITSELF)?;
    let old = cluster.leader().await?;
    deployment.point_groups_at(&old).await?;

    cluster.kill9(&old).await?;
    let new = cluster.wait_new_leader(&old).await?;
    deployment.wait_for_group(&new).await?;
    cluster.restart(&old).await?;
    cluster.wait_healthy().await?;

    cluster.switchover(&old).await?;
    deployment.wait_for_group(&old).await?;

    cluster.restart_postgres(&old).await?;
    cluster.wait_healthy().await?;
    deployment.wait_for_group(&old).await?;
    let logs = cluster.whole_logs();
    ensure!(logs.contains("callback: a process of its own checks the cluster"), "{logs}");
    ensure!(!logs.contains(WAITED), "{logs}");
    Ok(())
}
