//! The sudden death of a PostgreSQL server, and its standstill: its postmaster and every process it has.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use tokio::process::Command;

use crate::service::{Signal, send};
use crate::wait::wait_until;

/// Kills the server and waits until none of its processes is left.
///
/// The first process of the lab's namespace must reap orphans, or ended processes would stay as zombies
/// and PostgreSQL would believe its old postmaster alive; the shell of `tests/run` does.
pub async fn kill(postmaster: i32) -> anyhow::Result<()> {
    let processes = processes(postmaster).await?;
    for &process in &processes {
        // A child may have followed its parent before its turn came.
        let _ = send(Signal::KILL, process);
    }
    wait_until("PostgreSQL has ended", Duration::from_secs(10), async || {
        for process in &processes {
            let alive = Path::new("/proc").join(process.to_string()).exists();
            ensure!(!alive, "process {process} is there");
        }
        Ok(())
    })
    .await
}

/// Stops every process of the server where it stands. The kernel goes on taking connections for it.
pub async fn stop(postmaster: i32) -> anyhow::Result<()> {
    // First, so that it has no more children than are found.
    send(Signal::STOP, postmaster)?;
    for process in children(postmaster).await? {
        // One that has just ended takes no signal.
        let _ = send(Signal::STOP, process);
    }
    Ok(())
}

async fn processes(postmaster: i32) -> anyhow::Result<Vec<i32>> {
    let mut processes = children(postmaster).await?;
    processes.insert(0, postmaster);
    Ok(processes)
}

async fn children(parent: i32) -> anyhow::Result<Vec<i32>> {
    let found = Command::new("pgrep").args(["--parent", &parent.to_string()]).output().await?;
    let numbers = String::from_utf8(found.stdout)?;
    Ok(numbers.lines().map(str::parse).collect::<Result<_, _>>()?)
}
