//! A Region of the cluster: its members, its target group, and its HAProxy with the daemon that leads both.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;
use serde_json::Value;

use crate::aws::environment;
use crate::haproxy::Proxy;
use crate::infra::Infra;
use crate::lab::Lab;
use crate::moto::Moto;
use crate::network::{API, DCS, Network, PROXY, join, part};
use crate::patroni::Cluster;
use crate::service::{Service, as_postgres, make_directory_for_postgres};
use crate::wait::wait_until;

pub struct Region<'a> {
    pub name: &'static str,
    network: &'a Network,
    pub infra: Infra<'a>,
    pub group: String,
    proxy: Proxy,
    home: PathBuf,
    watch: Option<Service>,
}

impl<'a> Region<'a> {
    /// Without its daemon. Its files are in a folder of that one.
    pub async fn new(
        lab: &'a Lab,
        folder: &Path,
        name: &'static str,
        network: &'a Network,
        cluster: &Cluster,
    ) -> anyhow::Result<Self> {
        let home = folder.join(name);
        make_directory_for_postgres(&home).await?;
        let addresses = network.addresses();
        let infra = Infra::in_network(&lab.aws, name, &addresses, &addresses).await?;
        let group = infra.target_group("writers", "ip").await?;
        let proxy = Proxy::configured(&home, &proxy_configuration(network, cluster)?, network.place())?;
        wait_until("HAProxy answers", Duration::from_secs(5), async || proxy.open("primary")).await?;
        Ok(Self { name, network, infra, group, proxy, home, watch: None })
    }

    /// Starts its daemon, with these lines for the state and for what the cluster's clients connect through.
    pub fn watch(
        &mut self,
        lab: &Lab,
        cluster: &Cluster,
        state: &str,
        endpoints: &str,
    ) -> anyhow::Result<()> {
        let members: Vec<&str> = cluster.members().iter().map(|member| member.rest_url.as_str()).collect();
        let file = self.home.join("repoint.toml");
        let listen = self.network.host(PROXY);
        let configuration = format!(
            "[aws]\nregion = \"{}\"\n{state}\n[watch]\nsocket = \"repoint.control\"\n[http]\nlisten = \"{listen}:9598\"\n\
             [[cluster]]\nscope = \"{}\"\nmembers = {members:?}\n{endpoints}",
            self.name,
            cluster.scope(),
        );
        fs::write(&file, configuration)?;
        let mut command = as_postgres(&lab.program);
        let variables: BTreeMap<String, String> = environment(&Moto::endpoint_at(API)).into_iter().collect();
        command.args(["watch", "--config"]).arg(file).envs(variables).env("AWS_REGION", self.name);
        self.watch = Some(Service::start(self.network.place().enter(command), &self.home.join("watch.log"))?);
        Ok(())
    }

    /// Its target group and both backends of its HAProxy, in the configuration.
    pub fn endpoints(&self) -> String {
        format!(
            "[[cluster.target_group]]\narn = \"{}\"\n[[cluster.haproxy]]\nsocket = \"repoint.sock\"\nbackend = \"primary\"\n\
             [[cluster.haproxy]]\nsocket = \"repoint.sock\"\nbackend = \"slot\"\nstrategy = \"exclusive\"\nserver = \"slot\"\n",
            self.group
        )
    }

    /// The addresses in its target group.
    pub async fn targets(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.infra.targets(&self.group).await?.into_iter().map(|(host, _)| host).collect())
    }

    /// Where its HAProxy leads.
    pub fn open(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.proxy.open("primary")?.into_values().collect())
    }

    /// Where the server leads that has no check.
    pub fn slot(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.proxy.open("slot")?.into_values().collect())
    }

    /// Who the primary is for its daemon, or why it holds.
    pub async fn verdict(&self, http: &Client) -> anyhow::Result<String> {
        let url = format!("http://{}:9598/api/v1/status", self.network.host(PROXY));
        let status: Value = http.get(url).send().await?.error_for_status()?.json().await?;
        let cluster = &status["clusters"][0];
        let verdict = &cluster["verdict"];
        let kind = verdict["kind"].as_str().context("a verdict")?;
        let mut said = verdict["member"].as_str().map_or_else(|| format!("hold {kind}"), str::to_owned);
        if !cluster["state_error"].is_null() {
            said.push_str(", without the state");
        }
        Ok(said)
    }

    pub fn addresses(&self) -> String {
        self.network.addresses()
    }

    pub fn log_tail(&self) -> String {
        self.watch.as_ref().map(Service::log_tail).unwrap_or_default()
    }

    /// Nothing reaches it from elsewhere and it reaches nothing, its own API neither. Its machines run on.
    pub async fn cut_off(&self, other: &Region<'_>) -> anyhow::Result<()> {
        for place in [other.addresses().as_str(), DCS, API] {
            part(&self.addresses(), place).await?;
        }
        Ok(())
    }

    pub async fn come_back(&self, other: &Region<'_>) -> anyhow::Result<()> {
        for place in [other.addresses().as_str(), DCS, API] {
            join(&self.addresses(), place).await?;
        }
        Ok(())
    }
}

fn proxy_configuration(network: &Network, cluster: &Cluster) -> anyhow::Result<String> {
    let mut text = format!(
        "global\n    stats socket /run/haproxy/admin.sock mode 660 level admin\n    stats socket /run/haproxy/repoint.sock user \
         postgres mode 600 level admin\n    hard-stop-after 5s\ndefaults\n    mode tcp\n    retries 0\n    timeout connect 2s\n    \
         timeout check 2s\n    timeout client 1h\n    timeout server 1h\nlisten primary\n    bind {}:5000\n    option \
         httpchk OPTIONS /primary\n    default-server inter 1s fall 2 rise 2 on-marked-down shutdown-sessions\n",
        network.host(PROXY)
    );
    for member in cluster.members() {
        writeln!(text, "    server {} {}:{} check port 8008", member.name, member.host, member.pg_port)?;
    }
    writeln!(
        text,
        "listen slot\n    bind {}:5002\n    server slot primary.invalid:5432 disabled init-addr last,192.0.2.1",
        network.host(PROXY)
    )?;
    Ok(text)
}
