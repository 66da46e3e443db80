//! An Auto Scaling group whose nodes are all replaced, one after the other, with failovers between. Members are found by
//! the tag of their instances alone.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::json;

use crate::deployment::Deployment;
use crate::lab::Lab;
use crate::member::Member;
use crate::patroni::{Cluster, Layout};
use crate::sites::start;
use crate::stage::Stage;
use crate::wait::wait_until;

const SCOPE: &str = "batman-group";

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.long_trial("discovery::replaced_nodes_need_no_edit", replaced)]
}

async fn replaced(lab: &Lab) -> anyhow::Result<()> {
    lab.cluster.stop_all().await?;
    let cluster = start(lab, Layout { spares: 3, first_host: 31, ..Layout::usual(SCOPE) }).await?;
    let replaced = replace_all(lab, &cluster).await;
    cluster.stop_all().await?;
    replaced
}

async fn replace_all(lab: &Lab, cluster: &Cluster) -> anyhow::Result<()> {
    let lines = format!("scope = \"{SCOPE}\"\ndiscover = {{ ec2_tag = \"patroni-scope\" }}\n");
    let mut deployment = Deployment::of(lab, &lines).await?;
    deployment.configure_group(&deployment.ip_group.clone())?;
    let (first, spares) = cluster.members().split_at(3);
    let mut instances = BTreeMap::new();
    for member in first {
        instances.insert(&member.name, launch(&deployment, member).await?);
    }
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "changed", "{report}");
    deployment.wait_for_group(&cluster.leader().await?).await?;

    for (old, new) in first.iter().zip(spares) {
        instances.insert(&new.name, launch(&deployment, new).await?);
        cluster.restart(new).await?;
        cluster.wait_healthy().await?;
        follow(&deployment, &cluster.leader().await?).await?;
        let leads = cluster.leader().await? == *old;
        cluster.retire(old).await?;
        deployment.infra.terminate(&instances[&old.name]).await?;
        let since = Instant::now();
        if leads {
            cluster.wait_new_leader(old).await?;
        }
        cluster.wait_healthy().await?;
        if !leads {
            cluster.switchover(new).await?;
        }
        let leader = cluster.leader().await?;
        follow(&deployment, &leader).await?;
        let how = if leads { "failover" } else { "switchover" };
        eprintln!("{} replaced by {}: {how} to {} in {:?}", old.name, new.name, leader.name, since.elapsed());
    }
    // None of the first members is left, and nothing is remembered.
    fs::remove_file(lab.dir.join("state.json")).context("the state")?;
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "converged" && report["warnings"].is_null(), "{report}");
    Ok(())
}

/// The instance of a new node of the group.
async fn launch(deployment: &Deployment<'_>, member: &Member) -> anyhow::Result<String> {
    let tags = json!([{ "Key": "patroni-scope", "Value": SCOPE }]);
    let tags = json!({ "TagSpecifications": [{ "ResourceType": "instance", "Tags": tags }] });
    deployment.infra.instance_with(member, &tags).await
}

/// Runs until the group holds that member alone.
async fn follow(deployment: &Deployment<'_>, leader: &Member) -> anyhow::Result<()> {
    wait_until("a run that is content", Duration::from_secs(30), async || deployment.run(0).await).await?;
    deployment.wait_for_group(leader).await
}
