//! A Lambda function under AWS's own runtime interface emulator.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::Client;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::aws::environment;
use crate::lab::{Lab, directory_from};
use crate::moto::Moto;
use crate::service::{Service, Signal};
use crate::wait::wait_until;

/// Where it takes invocations.
const ADDRESS: &str = "127.0.0.10:9000";
/// Where the function asks for them.
const RUNTIME_API: &str = "127.0.0.10:9001";
const TIMEOUT_SECONDS: &str = "30";
/// Longer than an invocation may take.
const LOGS_WITHIN: Duration = Duration::from_secs(40);

pub struct Function {
    emulator: Service,
    log: PathBuf,
    http: Client,
}

impl Function {
    /// Starts the emulator. The function itself is started by the first invocation, as `command`, in the lab's folder.
    /// Nothing of the lab's own environment is passed on.
    pub async fn start(lab: &Lab, command: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        let mut emulator = Command::new(directory_from("LAB_RIE")?.join(format!("aws-lambda-rie-{machine}")));
        emulator
            .args(["--runtime-interface-emulator-address", ADDRESS, "--runtime-api-address", RUNTIME_API])
            .args(command)
            .env_clear()
            .envs(environment(&Moto::endpoint()))
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", TIMEOUT_SECONDS)
            .envs(variables.iter().copied())
            .current_dir(&lab.dir);
        let log = lab.dir.join("function.log");
        drop(fs::remove_file(&log));
        let function = Self { emulator: Service::start(emulator, &log)?, log, http: lab.http.clone() };
        wait_until("the emulator listens", Duration::from_secs(10), async || {
            Ok(TcpStream::connect(ADDRESS).await?)
        })
        .await
        .map_err(|error| function.explained(&error))?;
        Ok(function)
    }

    /// Our own function, or the one that is to be measured in its place: a release build.
    pub fn bootstrap() -> PathBuf {
        std::env::var_os("LAB_BOOTSTRAP").map_or_else(
            || Path::new(env!("CARGO_BIN_EXE_repoint")).with_file_name("bootstrap"),
            PathBuf::from,
        )
    }

    /// What it answers to an event: a report, or an error in Lambda's form.
    pub async fn invoke(&self, event: &str) -> anyhow::Result<Value> {
        let url = format!("http://{ADDRESS}/2015-03-31/functions/function/invocations");
        let answer = async {
            let answer = self.http.post(url).body(event.to_owned()).send().await?;
            anyhow::Ok(answer.json().await?)
        };
        answer.await.map_err(|error| self.explained(&error))
    }

    /// Waits until the function has asked for its first event: until then Lambda counts its time as that of its start.
    pub async fn initialised(&self) -> anyhow::Result<()> {
        self.logged("INIT RTDONE", 1).await
    }

    /// Waits until the log of the emulator and the function has these words so many times.
    pub async fn logged(&self, words: &str, times: usize) -> anyhow::Result<()> {
        let waiting = async {
            while fs::read_to_string(&self.log)?.matches(words).count() < times {
                sleep(Duration::from_millis(1)).await;
            }
            anyhow::Ok(())
        };
        let waited = timeout(LOGS_WITHIN, waiting).await.with_context(|| format!("no `{words}`"));
        waited.and_then(|logged| logged).map_err(|error| self.explained(&error))
    }

    /// The peak memory that the function's process ever had.
    pub fn peak_kib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(self.process()?.join("status"))?;
        Ok(field(&status, "VmHWM:").context("no peak")?.parse()?)
    }

    /// The CPU time of the function's threads so far.
    pub fn cpu_ms(&self) -> anyhow::Result<f64> {
        let mut nanoseconds = 0.0;
        for thread in fs::read_dir(self.process()?.join("task"))? {
            let times = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += times.split(' ').next().context("no time")?.parse::<f64>()?;
        }
        Ok(nanoseconds / 1e6)
    }

    /// The folder of the function's process, the only child of the emulator's.
    fn process(&self) -> anyhow::Result<PathBuf> {
        let emulator = self.emulator.id()?.to_string();
        for entry in fs::read_dir("/proc")?.flatten() {
            // Most entries are no process, and one may end meanwhile.
            let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
            if field(&status, "PPid:") == Some(&emulator) {
                return Ok(entry.path());
            }
        }
        Err(self.explained(&anyhow!("the function does not run")))
    }

    /// Stops it; the log of the emulator and the function.
    pub async fn end(mut self) -> anyhow::Result<String> {
        self.emulator.end(Signal::TERM).await?;
        Ok(fs::read_to_string(&self.log)?)
    }

    fn explained(&self, error: &anyhow::Error) -> anyhow::Error {
        anyhow!("{error:#}\n{}", self.emulator.log_tail())
    }
}

/// A field of a process's status.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
}
