//! The example `two-regions`: what it makes in each Region follows the one primary, on its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::deployed::{PROMPTLY, Tool, reports};
use crate::haproxy::{Proxy, daemon};
use crate::infra::Infra;
use crate::lab::{Lab, callback_home};
use crate::member::Member;
use crate::network::Place;
use crate::service::{Service, make_directory_for_postgres};
use crate::wait::wait_until;

const EXAMPLE: &str = "two-regions";
const REGIONS: [(&str, &str); 2] = [("first", "us-east-1"), ("second", "us-west-2")];
/// Where HAProxy says whether it has a primary.
const CHECK: &str = "http://127.0.0.10:8405/writer";

pub async fn follow(lab: &Lab, tool: &Tool<'_>) -> anyhow::Result<()> {
    let members = lab.cluster.members();
    let (away, here) = members.split_last().context("members")?;
    let hosts = |members: &[Member]| -> BTreeMap<String, String> {
        members.iter().map(|member| (member.name.clone(), member.host.clone())).collect()
    };
    let inputs = json!({
        "first": { "members": hosts(here) },
        "second": { "members": hosts(std::slice::from_ref(away)) },
    });
    // Before the example is made: what it leaves is compared with what was there.
    let infras =
        [Infra::in_region(&lab.aws, REGIONS[0].1).await?, Infra::in_region(&lab.aws, REGIONS[1].1).await?];
    let made = tool.up(EXAMPLE, &inputs).await?["outputs"].clone();
    let zone = made["zone_id"].as_str().context("a zone")?;
    let regions: Vec<Region> = REGIONS
        .into_iter()
        .zip(infras)
        .map(|((side, region), infra)| Region { lab, infra, id: region, zone, made: &made[side] })
        .collect();

    let old = lab.cluster.leader().await?;
    lab.moto.enforce_iam().await?;
    for region in &regions {
        ensure!(region.pass().await?["outcome"] == "changed");
        region.ensure_follows(&old).await?;
    }
    let home = lab.dir.join("haproxy-regions");
    let (proxy, _watch) = regions[1].haproxy(&home).await?;
    leads_to(lab, &proxy, &old).await?;

    // The callbacks are those of the first Region's nodes, so the second Region's function waits for its schedule.
    let configuration = regions[0].made["configuration"].as_str().context("a configuration")?;
    fs::write(callback_home(&lab.dir).join("repoint.toml"), configuration)?;
    lab.cluster.kill9(&old).await?;
    let new = lab.cluster.wait_new_leader(&old).await?;
    leads_to(lab, &proxy, &new).await?;
    let what = format!("the first Region's record has {}", new.name);
    wait_until(&what, PROMPTLY, async || regions[0].ensure_follows(&new).await).await?;
    regions[1]
        .ensure_follows(&old)
        .await
        .context("the second Region's record has moved without its function")?;
    regions[1].pass().await?;
    regions[1].ensure_follows(&new).await?;
    lab.moto.stop_enforcing().await?;
    tool.down(EXAMPLE).await
}

struct Region<'a> {
    lab: &'a Lab,
    infra: Infra<'a>,
    id: &'static str,
    zone: &'a str,
    made: &'a Value,
}

impl Region<'_> {
    async fn pass(&self) -> anyhow::Result<Value> {
        let reports = reports(self.lab, self.id, &self.made["function_name"], &json!({})).await?;
        Ok(reports[0].clone())
    }

    /// Its group has every member, and its record the primary alone.
    async fn ensure_follows(&self, primary: &Member) -> anyhow::Result<()> {
        let targets = self.infra.targets(self.made["target_group_arn"].as_str().context("a group")?).await?;
        let members = self.lab.cluster.members().iter();
        let mut all: Vec<_> = members.map(|member| (member.host.clone(), member.pg_port)).collect();
        all.sort();
        ensure!(targets == all, "{targets:?}");
        let records = self.infra.records(self.zone).await?;
        let name = format!("primary.{}.", self.id);
        let is_own = |record: &&Value| record["Name"].as_str().is_some_and(|found| found.starts_with(&name));
        let own = records.as_array().into_iter().flatten().find(is_own).context("no record")?;
        ensure!(own["ResourceRecords"] == json!([{ "Value": primary.host }]), "{own}");
        Ok(())
    }

    /// An HAProxy of it with the daemon beside it, as cloud-init would configure both.
    async fn haproxy(&self, home: &Path) -> anyhow::Result<(Proxy, Service)> {
        let file = |path: &str| self.made["haproxy"]["files"][path].as_str().context("a file");
        drop(fs::remove_dir_all(home));
        make_directory_for_postgres(home).await?;
        let proxy = Proxy::configured(home, file("/etc/haproxy/haproxy.cfg")?, Place::default())?;
        let text = file("/etc/repoint.toml")?.replace("/run/haproxy/", "").replace("/var/lib/repoint/", "");
        let configuration = home.join("repoint.toml");
        fs::write(&configuration, format!("[watch]\nsocket = \"repoint.control\"\n{text}"))?;
        let watch = daemon(self.lab, home, &configuration)?;
        Ok((proxy, watch))
    }
}

/// The load balancer would send connections to this HAProxy, and HAProxy sends them to the primary alone.
async fn leads_to(lab: &Lab, proxy: &Proxy, primary: &Member) -> anyhow::Result<()> {
    let alone = BTreeMap::from([(primary.name.clone(), primary.host.clone())]);
    wait_until(&format!("HAProxy leads to {}", primary.name), PROMPTLY, async || {
        let open = proxy.open("postgres_primary")?;
        ensure!(open == alone, "{open:?}");
        let checked = lab.http.get(CHECK).send().await?.status();
        ensure!(checked.is_success(), "{checked}");
        Ok(())
    })
    .await
}
