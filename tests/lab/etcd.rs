//! One etcd: the store in which Patroni keeps its leader lock.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use reqwest::Client;
use tokio::process::Command;

use crate::service::{Service, Signal};
use crate::wait::wait_until;

pub const ADDRESS: &str = "127.0.0.10:2379";
const PEER_URL: &str = "http://127.0.0.10:2380";

pub struct Etcd {
    service: Service,
}

impl Etcd {
    pub async fn start(lab_dir: &Path, http: &Client) -> anyhow::Result<Self> {
        let client_url = format!("http://{ADDRESS}");
        let mut command = Command::new("etcd");
        command
            .arg("--data-dir")
            .arg(lab_dir.join("etcd"))
            .args(["--listen-client-urls", &client_url])
            .args(["--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", PEER_URL])
            .args(["--initial-advertise-peer-urls", PEER_URL])
            .args(["--initial-cluster", &format!("default={PEER_URL}")])
            .args(["--log-level", "warn"]);
        let service = Service::start(command, &lab_dir.join("etcd.log"))?;

        let health = format!("{client_url}/health");
        wait_until("etcd answers", Duration::from_secs(15), async || {
            let answer = http.get(&health).send().await?;
            Ok(answer.error_for_status()?)
        })
        .await
        .map_err(|error| anyhow!("{error}\n{}", service.log_tail()))?;
        Ok(Self { service })
    }

    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.service.signal(signal)
    }

    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.service.end(Signal::KILL).await
    }
}
