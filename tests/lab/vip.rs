//! vip-manager as it is used: one beside each member, in a network of its own, which sets an address on its interface
//! while its member holds the leader key in the DCS. Version 2 or later: earlier ones read a DCS that Patroni's `etcd3`
//! is not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::etcd;
use crate::lab::Lab;
use crate::member::Member;
use crate::service::{Service, Signal};
use crate::wait::wait_until;

/// Where clients connect.
pub const ROAD: &str = "vip_manager=10.77.0.100:5432";
const ADDRESS: &str = "10.77.0.100";
const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/vip_node.py");
const STARTS_WITHIN: Duration = Duration::from_secs(10);

pub struct Nodes(Vec<Node>);

struct Node {
    host: String,
    link: String,
    service: Service,
}

impl Nodes {
    pub async fn start(lab: &Lab, home: &Path, program: &str) -> anyhow::Result<Self> {
        ip("link add vip type bridge").await?;
        ip("addr add 10.77.0.1/24 dev vip").await?;
        ip("link set vip up").await?;
        let mut nodes = Vec::new();
        for (member, number) in lab.cluster.members().iter().zip(11..) {
            nodes.push(Node::start(lab, home, program, member, number).await?);
        }
        Ok(Self(nodes))
    }

    /// The host is silent from now on: its interface, too.
    pub async fn silence(&self, host: &str) -> anyhow::Result<()> {
        let node = self.node(host)?;
        node.service.signal(Signal::STOP)?;
        ip(&format!("link set {} down", node.link)).await
    }

    pub async fn heal(&self, host: &str) -> anyhow::Result<()> {
        let node = self.node(host)?;
        node.service.signal(Signal::CONT)?;
        ip(&format!("link set {} up", node.link)).await
    }

    fn node(&self, host: &str) -> anyhow::Result<&Node> {
        self.0.iter().find(|node| node.host == host).context("no node of that member")
    }
}

impl Node {
    async fn start(
        lab: &Lab,
        home: &Path,
        program: &str,
        member: &Member,
        number: u8,
    ) -> anyhow::Result<Self> {
        let link = format!("vip{number}");
        let log = home.join(format!("vip-manager-{}.log", member.name));
        let (dcs, port) = (format!("{}:{}", etcd::HOST, etcd::PORT), etcd::PORT);
        let mut command = Command::new(lab.venv.join("bin/python"));
        command
            .args(["-B", NODE, &link, &format!("10.77.0.{number}/24"), &member.host, &dcs])
            .args([program, "--ip", ADDRESS, "--netmask", "24", "--interface", "eth0"])
            .args(["--dcs-type", "etcd", "--dcs-endpoints", &format!("http://127.0.0.1:{port}")])
            .args(["--trigger-key", &format!("/service/{}/leader", lab.cluster.scope())])
            .args(["--trigger-value", &member.name]);
        let service = Service::start(command, &log)?;
        wait_until("the node of vip-manager is ready", STARTS_WITHIN, async || {
            ensure!(fs::read_to_string(&log)?.contains("ready\n"), "{}", service.log_tail());
            Ok(())
        })
        .await?;
        ip(&format!("link set {link} master vip up")).await?;
        Ok(Self { host: member.host.clone(), link, service })
    }
}

async fn ip(arguments: &str) -> anyhow::Result<()> {
    let status = Command::new("ip").args(arguments.split(' ')).status().await?;
    ensure!(status.success(), "`ip {arguments}` failed");
    Ok(())
}
