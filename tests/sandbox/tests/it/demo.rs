//! `cargo demo`: the scenario passes, its options, and its end.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// Far more than the half minute that it takes, for machines that are busy.
const TIMEOUT: Duration = Duration::from_mins(2);

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn the_scenario_passes_and_says_so() {
    let output = timeout(TIMEOUT, demo(&[]).output()).await.unwrap().unwrap();
    let notified = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{notified}{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = notified.as_str();
    for words in [
        "1  First adoption",
        "first adoption, endpoints now point at the primary pg1",
        "2  The primary crashes",
        "pg1 crashed",
        "holds, unreachable: the leader pg1 cannot be reached",
        "batman: no primary, for 2 s now",
        "on timeline 5",
        "failover from pg1 to",
        "3  A planned switchover",
        "on timeline 6",
        "4  Split brain",
        "CONTESTED, two members may be taking writes",
        "contested, nothing is moved",
        "wrote nothing while two members took writes",
        "5  AWS refuses calls in the middle of a failover",
        "refuses every call",
        "on timeline 7",
        "The switches",
        "Every endpoint points at",
    ] {
        let at = rest.find(words);
        assert!(at.is_some(), "`{words}` is not printed, or not in its order:\n{notified}");
        rest = &rest[at.unwrap_or_default()..];
    }
    assert!(!notified.contains('\u{1b}'), "colours without a terminal");
}

#[tokio::test]
async fn with_keep_it_prints_events_and_commands() {
    // Killed at the end, it cannot clear up.
    let folder = tempfile::tempdir().unwrap();
    let mut command = demo(&["--keep", "--no-scenario"]);
    let mut child = command.env("TMPDIR", folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut crash = None;
    let notified = async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some(url) =
                line.trim().strip_prefix("curl -X POST ").filter(|url| url.ends_with("pg1/crash"))
            {
                crash = Some(url.to_owned());
            }
            if line.contains("first adoption, endpoints now point at the primary pg1") {
                let url = crash.take().unwrap();
                let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
                assert_eq!(crate::transport::ask(host, "POST", &format!("/{path}")).await.unwrap().0, 200);
            }
            if line.contains("failover from pg1 to") {
                return;
            }
        }
    };
    timeout(TIMEOUT, notified).await.unwrap();
}

#[tokio::test]
async fn interrupted_it_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = demo(&[]).env("TMPDIR", folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ended = async {
        // A run of repoint is then under way, or nearly so.
        while !lines.next_line().await.unwrap().unwrap().contains("pg1 crashed") {}
        let id = child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
        while lines.next_line().await.unwrap().is_some() {}
        child.wait().await.unwrap()
    };
    let status = timeout(TIMEOUT, ended).await.unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn it_is_the_real_program_too() {
    let output = demo(&["repoint", "--version"]).output().await.unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("repoint "));
}
