//! Callbacks as a real Patroni makes them, of its newest version and of an old one.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use tokio::process::Command;

use crate::aws::environment;
use crate::deployment::Deployment;
use crate::lab::{Lab, callback_home, directory_from};
use crate::member::Software;
use crate::moto::Moto;
use crate::patroni::{Cluster, DEFAULT_SCOPE, Layout};
use crate::service::{as_postgres, make_directory_for_postgres};
use crate::stage::Stage;

pub const BY_ITSELF: &str = "[callback]\nmode = \"self\"\n";
/// What Patroni says when the callback before was still running (`callback_executor.py`).
const WAITED: &str = "because it was still running";
/// How often two callbacks come one right after the other.
const PAIRS: u32 = 10;
/// How long the first of a pair lives before it is killed as Patroni kills, in microseconds; at each time, in turn.
const LIVES: [u64; 5] = [0, 500, 1_000, 2_000, 5_000];

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![
        stage.trial("callback::patroni_4_1_is_followed", newest),
        stage.trial("callback::patroni_3_0_is_followed", old),
        stage.trial("callback::one_that_is_killed_at_once_is_made_up_for_by_the_next", pairs),
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

/// A kill, a switchover and a restart of the primary; nothing but the callbacks looks.
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
    ensure!(logs.contains("callback: handed over"), "{logs}");
    ensure!(!logs.contains(WAITED), "{logs}");
    Ok(())
}

async fn pairs(lab: &Lab) -> anyhow::Result<()> {
    let mut deployment = Deployment::new(lab).await?;
    deployment.configure_group(&deployment.ip_group.clone())?;
    deployment.install_callbacks(BY_ITSELF)?;
    let leader = lab.cluster.leader().await?;
    let wrong = lab.cluster.replicas().await?.pop().context("a replica")?;
    let mut lives = Vec::new();
    for life in LIVES.iter().cycle().take(PAIRS as usize) {
        deployment.point_groups_at(&wrong).await?;
        let mut first = callback(lab).spawn()?;
        tokio::time::sleep(Duration::from_micros(*life)).await;
        first.kill().await?;
        let began = Instant::now();
        ensure!(callback(lab).status().await?.success());
        lives.push(began.elapsed());
        deployment.wait_for_group(&leader).await?;
    }
    lives.sort_unstable();
    eprintln!(
        "a callback's process lives {:.1} ms at the median of {PAIRS}",
        lives[lives.len() / 2].as_secs_f64() * 1e3
    );
    Ok(())
}

/// As Patroni calls it.
fn callback(lab: &Lab) -> Command {
    let mut command = as_postgres(&lab.program);
    command
        .args(["callback", "--config"])
        .arg(callback_home(&lab.dir).join("repoint.toml"))
        .args(["on_role_change", "primary", DEFAULT_SCOPE])
        .envs(environment(&Moto::endpoint()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
