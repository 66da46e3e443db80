//! The real program: being it, and running it.
//!
//! A run is a process of its own, which gets no environment but what the sandbox gives it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use repoint::cli::{self, Cli};
use repoint::config::Environment;
use repoint_sandbox::http::sandbox::CREDENTIALS;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Is `repoint`, as its own `main` is.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let cli = Cli::parse_from(arguments);
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    cli::main(cli, &Environment::from_variables(variables))
}

/// `repoint`, installed: a program, its configuration and its state.
pub struct Program {
    executable: PathBuf,
    folder: TempDir,
    /// One permit for each run that may be under way: one that reads the status, and one that changes what differs.
    runs: Arc<Semaphore>,
}

const RUNS: u32 = 2;
/// How long a run may go on after the demo has ended.
const LAST_RUN: Duration = Duration::from_secs(2);

impl Program {
    /// Installs it in a folder of its own, which goes with it.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            executable: std::env::current_exe()?,
            folder: TempDir::with_prefix("repoint-demo.")?,
            runs: Arc::new(Semaphore::new(RUNS as usize)),
        })
    }

    /// Waits for the runs that are under way: they write into the folder, which goes next.
    pub async fn finish(&self) {
        drop(timeout(LAST_RUN, self.runs.acquire_many(RUNS)).await);
    }

    pub fn executable(&self) -> &Path {
        &self.executable
    }

    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("repoint.toml")
    }

    pub fn state_file(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    /// Runs a command, and reads the JSON that it answers with.
    pub async fn ask(&self, command: &str) -> Result<Value, String> {
        let mut program = Command::new(&self.executable);
        program
            .args(["repoint", command, "--format", "json", "--config"])
            .arg(self.configuration())
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .envs(CREDENTIALS)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let guard = self.runs.clone().acquire_owned().await;
        let run = tokio::spawn(async move {
            let output = program.output().await;
            drop(guard);
            output
        });
        let output = run.await.map_err(io::Error::other).flatten();
        let output = output.map_err(|error| format!("`repoint {command}` cannot be run: {error}"))?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("`repoint {command}` gave no report ({}): {}", output.status, said.trim())
        })
    }
}
