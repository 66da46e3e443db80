//! One etcd: the store in which Patroni keeps its leader lock.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use reqwest::Client;
use tokio::process::Command;

use crate::service::{Service, Signal};
use crate::wait::wait_until;

/// Where the lab's own is.
pub const HOST: &str = "127.0.0.10";
/// Its port for clients.
pub const PORT: u16 = 2379;

pub struct Etcd {
    service: Service,
}

impl Etcd {
    /// Answers at that address, and its files are in the folder.
    pub async fn start(folder: &Path, host: &str, http: &Client) -> anyhow::Result<Self> {
        let (client_url, peer_url) = (format!("http://{host}:{PORT}"), format!("http://{host}:2380"));
        let mut command = Command::new("etcd");
        command
            .arg("--data-dir")
            .arg(folder.join("etcd"))
            .args(["--listen-client-urls", &client_url])
            .args(["--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", &peer_url])
            .args(["--initial-advertise-peer-urls", &peer_url])
            .args(["--initial-cluster", &format!("default={peer_url}")])
            .args(["--log-level", "warn"]);
        let service = Service::start(command, &folder.join("etcd.log"))?;

        let health = format!("{client_url}/health");
        wait_until("etcd answers", Duration::from_secs(15), async || {
            let answer = http.get(&health).send().await?;
            Ok(answer.error_for_status()?)
        })
        .await
        .map_err(|error| anyhow!("{error}\n{}", service.log_tail()))?;
        Ok(Self { service })
    }

    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.service.end(Signal::KILL).await
    }
}
