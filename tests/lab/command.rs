//! Runs the product as its users do: as a program with arguments, a configuration, an environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::process::Command;
use tokio::time::timeout;

/// No single run of the product may take longer.
const DEADLINE: Duration = Duration::from_mins(2);
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A program with the environment it gets; nothing of the lab's own environment is passed on.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    environment: Vec<(String, String)>,
    /// Where logs and measurements go.
    scratch: PathBuf,
}

/// What a run of the program ended with.
#[derive(Debug)]
pub struct Outcome {
    /// 128 and the signal's number if a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub wall: Duration,
    pub peak_rss_kib: u64,
}

impl Program {
    pub fn new(path: impl Into<PathBuf>, scratch: &Path) -> Self {
        let search = std::env::var("PATH").unwrap_or_default();
        Self {
            path: path.into(),
            environment: vec![("PATH".to_owned(), search)],
            scratch: scratch.to_owned(),
        }
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn envs(self, variables: &[(String, String)]) -> Self {
        variables.iter().fold(self, |program, (name, value)| program.env(name, value))
    }

    /// Runs to the end. GNU time measures: it is so small that the peak it hands down to the
    /// program does not count, as that of this test program would.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<Outcome> {
        // Several may run at the same time.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let measured = self.scratch.join(format!("time.{number}.out"));
        let mut command = Command::new("time");
        command
            .args(["--quiet", "--format", "%M", "--output"])
            .arg(&measured)
            .arg(&self.path)
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let started = Instant::now();
        let output = timeout(DEADLINE, command.output())
            .await
            .with_context(|| format!("{arguments:?} did not end within {DEADLINE:?}"))??;
        let wall = started.elapsed();

        let peak = fs::read_to_string(&measured)?;
        fs::remove_file(&measured)?;
        Ok(Outcome {
            code: output.status.code().context("the measuring program was killed")?,
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
            wall,
            peak_rss_kib: peak.trim().parse().with_context(|| format!("GNU time says {peak}"))?,
        })
    }
}
