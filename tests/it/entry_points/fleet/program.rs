//! `repoint` as a process of its own, and what it takes.

use std::process::Stdio;
use std::time::Duration;

use repoint_sandbox::http::sandbox::CREDENTIALS;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// Another build of `repoint`, such as a release.
const BINARY: &str = "REPOINT_TEST_BINARY";

/// `repoint`, with the configuration in that folder; what it says goes into files there.
pub fn program(folder: &TempDir) -> Command {
    let file = |name: &str| std::fs::File::create(folder.path().join(name)).unwrap();
    let mut command = Command::new(super::given(BINARY, env!("CARGO_BIN_EXE_repoint").to_owned()));
    command
        .current_dir(folder.path())
        .env_clear()
        .envs(CREDENTIALS)
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"))
        .kill_on_drop(true);
    command
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Of the processor, in user and in kernel mode.
    pub seconds: f64,
    /// Resident now.
    pub resident_kib: u64,
    /// Resident at most.
    pub peak_kib: u64,
}

/// `proc_pid_stat(5)`, fields 14 and 15, in ticks of 10 ms; `proc_pid_status(5)`. One that has ended has no memory.
pub fn usage(child: &Child) -> Usage {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", child.id().unwrap())).unwrap();
    let (stat, status) = (read("stat"), read("status"));
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u32 =
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
    };
    Usage { seconds: f64::from(ticks) / 100.0, resident_kib: kib("VmRSS:"), peak_kib: kib("VmHWM:") }
}

/// Waits for its end: what it used, and whether it ended well.
pub async fn end(mut child: Child) -> (Usage, bool) {
    let mut last = Usage::default();
    // While nobody has waited for it, it can be looked at though it has ended.
    loop {
        let now = usage(&child);
        last = Usage { peak_kib: last.peak_kib.max(now.peak_kib), ..now };
        if now.resident_kib == 0 {
            return (last, child.wait().await.unwrap().success());
        }
        sleep(Duration::from_millis(5)).await;
    }
}
