//! A background program of the lab: its process, its log, and signals to it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
pub use rustix::process::Signal;
use rustix::process::{Pid, geteuid, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The longest that a process may take to end in good order.
const LONGEST_END: Duration = Duration::from_secs(20);

pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts `command` with both its outputs appended to `log`.
    pub fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child, log: log.to_owned() })
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("the process has ended already")
    }

    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        send(signal, self.id()?.cast_signed())
    }

    /// Sends `signal` and waits until the process has ended.
    pub async fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        if self.is_running() {
            self.signal(signal)?;
        }
        self.ended().await
    }

    /// Waits until the process has ended. One that does not end after its signal is killed: Patroni has been seen to wait
    /// without end in its shutdown, after its PostgreSQL had stopped.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        if timeout(LONGEST_END, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }

    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }
}

pub fn send(signal: Signal, pid: i32) -> anyhow::Result<()> {
    let pid = Pid::from_raw(pid).context("not a process id")?;
    kill_process(pid, signal).with_context(|| format!("cannot send {signal:?} to {pid:?}"))
}

/// The last lines of a log.
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// PostgreSQL refuses to run as root, so root hands its programs to the `postgres` user.
pub fn as_postgres(program: impl AsRef<Path>) -> Command {
    let program = program.as_ref();
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command
}

/// Makes a directory that belongs to the user of [`as_postgres`].
pub async fn make_directory_for_postgres(path: &Path) -> anyhow::Result<()> {
    let mut install = Command::new("install");
    install.args(["-d", "-m", "0755"]);
    if geteuid().is_root() {
        install.args(["-o", "postgres", "-g", "postgres"]);
    }
    let status = install.arg(path).status().await?;
    anyhow::ensure!(status.success(), "cannot make {}", path.display());
    Ok(())
}
