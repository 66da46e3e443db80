//! The emulated AWS: moto's server, with its recorder of requests and its check of permissions.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use reqwest::Client;
use tokio::process::Command;

use crate::recording::{self, Call};
use crate::service::{Service, Signal};
use crate::wait::wait_until;

/// It imports its neighbour.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/moto_server.py");
/// The file in the lab's folder that has what each target group held after each change.
pub const TARGETS: &str = "moto.targets";
const HOST: &str = "127.0.0.10";
const PORT: u16 = 5555;

pub struct Moto {
    service: Service,
    http: Client,
}

impl Moto {
    pub async fn start(lab_dir: &Path, venv: &Path, http: &Client) -> anyhow::Result<Self> {
        let mut command = Command::new(venv.join("bin/python"));
        command
            // Nothing is written beside the sources.
            .args(["-B", PROGRAM])
            // Some trials have networks of their own.
            .args(["--host", "0.0.0.0", "--port", &PORT.to_string()])
            .env("MOTO_RECORDER_FILEPATH", lab_dir.join("moto.recording"))
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .current_dir(lab_dir);
        let service = Service::start(command, &lab_dir.join("moto.log"))?;
        let moto = Self { service, http: http.clone() };
        wait_until("moto answers", Duration::from_mins(1), async || moto.reset().await)
            .await
            .map_err(|error| anyhow!("{error}\n{}", moto.log_tail()))?;
        Ok(moto)
    }

    pub fn endpoint() -> String {
        Self::endpoint_at(HOST)
    }

    /// The same by another address of the lab's.
    pub fn endpoint_at(host: &str) -> String {
        format!("http://{host}:{PORT}")
    }

    pub fn address() -> (&'static str, u16) {
        (HOST, PORT)
    }

    /// Forgets everything: resources, users, recorded requests. Permissions are not checked.
    pub async fn reset(&self) -> anyhow::Result<()> {
        self.stop_enforcing().await?;
        self.stop_recording().await?;
        self.post("recorder/reset-recording", "").await?;
        self.post("reset", "").await
    }

    /// Records every request from now on, and forgets those recorded before.
    pub async fn start_recording(&self) -> anyhow::Result<()> {
        self.post("recorder/reset-recording", "").await?;
        self.post("recorder/start-recording", "").await
    }

    pub async fn stop_recording(&self) -> anyhow::Result<()> {
        self.post("recorder/stop-recording", "").await
    }

    /// The requests received since [`Moto::start_recording`], also those that were refused.
    pub async fn recorded(&self) -> anyhow::Result<Vec<Call>> {
        let url = format!("{}/moto-api/recorder/download-recording", Self::endpoint());
        let answer = self.http.get(url).send().await?.error_for_status()?;
        recording::parse(&answer.text().await?)
    }

    /// From now on a request is refused unless its signer is a user or a role with a policy that allows it, or the lab.
    pub async fn enforce_iam(&self) -> anyhow::Result<()> {
        self.allow_without_check("0").await
    }

    pub async fn stop_enforcing(&self) -> anyhow::Result<()> {
        self.allow_without_check("inf").await
    }

    /// While frozen, the emulator takes connections and answers nothing.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.service.signal(Signal::STOP)
    }

    pub fn unfreeze(&self) -> anyhow::Result<()> {
        self.service.signal(Signal::CONT)
    }

    pub fn log_tail(&self) -> String {
        self.service.log_tail()
    }

    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.service.end(Signal::KILL).await
    }

    /// Sets how many requests moto answers before it begins to check permissions.
    async fn allow_without_check(&self, requests: &'static str) -> anyhow::Result<()> {
        self.post("reset-auth", requests).await
    }

    async fn post(&self, path: &str, body: &'static str) -> anyhow::Result<()> {
        let url = format!("{}/moto-api/{path}", Self::endpoint());
        self.http.post(url).body(body).send().await?.error_for_status()?;
        Ok(())
    }
}
