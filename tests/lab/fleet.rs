//! The example `fleet`: a real shard, and callbacks in batches. Each of its clusters is an entry over the lab's one.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::deployed::{ACCOUNT, PROMPTLY, REGION, Tool, members, printed, reports};
use crate::infra::Infra;
use crate::lab::{Lab, callback_home};
use crate::member::Member;
use crate::wait::wait_until;

const EXAMPLE: &str = "fleet";
const CLUSTERS: usize = 12;
const CLUSTERS_PER_SHARD: usize = 4;

pub async fn pass_of_a_shard(lab: &Lab, tool: &Tool<'_>) -> anyhow::Result<()> {
    let infra = Infra::in_region(&lab.aws, REGION).await?;
    let mut configuration = format!(
        "[aws]\nregion = \"{REGION}\"\nlimit_percent = 22\n\n[state]\ndynamodb_table = \"repoint\"\n\n\
         [alerts]\nsns_topic_arn = \"arn:aws:sns:{REGION}:{ACCOUNT}:repoint-alerts\"\n\n\
         [callback]\nmode = \"sns\"\nsns_topic_arn = \"arn:aws:sns:{REGION}:{ACCOUNT}:repoint-look\"\n"
    );
    let mut groups = Vec::new();
    for number in 0..CLUSTERS {
        let name = format!("pg-{number:02}");
        let group = infra.target_group(&name, "ip").await?;
        write!(
            configuration,
            "\n[[cluster]]\nname = \"{name}\"\nscope = \"batman\"\nmembers = {:?}\n\n\
             [[cluster.target_group]]\narn = \"{group}\"\n",
            members(lab)
        )?;
        groups.push(group);
    }
    let file = lab.dir.join("fleet.json");
    fs::write(&file, printed(lab, "bundle", &configuration, &["--no-instances"]).await?.to_string())?;
    let inputs = json!({ "bundle_file": file, "clusters_per_shard": CLUSTERS_PER_SHARD });
    let made = tool.up(EXAMPLE, &inputs).await?["outputs"].clone();
    ensure!(made["numbers"]["shards"] == json!(CLUSTERS / CLUSTERS_PER_SHARD), "{made}");

    // What Scheduler would send for the second shard. What the role may do is enforced.
    lab.moto.enforce_iam().await?;
    let args = json!({ "Name": "shard-001", "GroupName": made["schedule_group_name"] });
    let schedule = lab.aws.call_in(REGION, "scheduler", "get_schedule", args).await?;
    let order: Value = serde_json::from_str(schedule["Target"]["Input"].as_str().context("an input")?)?;
    let old = lab.cluster.leader().await?;
    let reports = reports(lab, REGION, &made["function_name"], &order).await?;
    let of_shard = CLUSTERS_PER_SHARD..2 * CLUSTERS_PER_SHARD;
    let names: Vec<&str> = reports.iter().filter_map(|report| report["name"].as_str()).collect();
    let expected: Vec<String> = of_shard.clone().map(|number| format!("pg-{number:02}")).collect();
    ensure!(names == expected, "{names:?}");
    ensure!(reports.iter().all(|report| report["outcome"] == "changed"), "{reports:?}");
    for (number, group) in groups.iter().enumerate() {
        let targets = infra.targets(group).await?;
        let wanted = if of_shard.contains(&number) { vec![target(&old)] } else { Vec::new() };
        ensure!(targets == wanted, "pg-{number:02}: {targets:?}");
    }

    // The callbacks of a failover name the scope of all entries.
    fs::write(callback_home(&lab.dir).join("repoint.toml"), &configuration)?;
    lab.cluster.kill9(&old).await?;
    let new = lab.cluster.wait_new_leader(&old).await?;
    wait_until("every cluster of the fleet has followed", 2 * PROMPTLY, async || {
        for group in &groups {
            let targets = infra.targets(group).await?;
            ensure!(targets == [target(&new)], "{group}: {targets:?}");
        }
        Ok(())
    })
    .await?;
    lab.moto.stop_enforcing().await?;
    tool.down(EXAMPLE).await
}

fn target(member: &Member) -> (String, u16) {
    (member.host.clone(), member.pg_port)
}
