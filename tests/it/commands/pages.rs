//! Manual pages and completions: made of the command line itself, without any configuration.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::support::command::Repoint;

const COMMANDS: [&str; 16] = [
    "plan",
    "run",
    "watch",
    "callback",
    "status",
    "history",
    "doctor",
    "drill",
    "primary",
    "test-alert",
    "adopt",
    "iam",
    "bundle",
    "check",
    "completions",
    "man",
];

/// As on a machine where nothing is configured yet.
fn nowhere() -> Repoint {
    Repoint::new("no TOML").with("REPOINT_CONFIG", "/nowhere/repoint.toml")
}

#[tokio::test]
async fn every_command_has_its_page() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man/man1");
    let ran = nowhere().run(&["man", pages.to_str().unwrap()]).await;
    assert!(ran.code == 0 && ran.stdout.is_empty(), "{ran}");
    let mut names: Vec<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected: Vec<String> = COMMANDS.iter().map(|command| format!("repoint-{command}.1")).collect();
    expected.push("repoint.1".to_owned());
    expected.sort();
    assert_eq!(names, expected);

    let page = fs::read_to_string(pages.join("repoint.1")).unwrap();
    assert!(page.contains("REPOINT_CONFIG") && page.contains("repoint\\-plan(1)"), "{page}");
    // Each example keeps its line.
    let (_, notes) = page.split_once(".nf\n").unwrap();
    assert!(notes.lines().any(|line| line.starts_with("  repoint check  ")), "{notes}");
    let page = fs::read_to_string(pages.join("repoint-callback.1")).unwrap();
    assert!(!page.contains("detached"), "{page}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let ran = nowhere().run(&["man", "/dev/null/man"]).await;
    assert!(ran.code == 1 && ran.stderr.contains("/dev/null/man"), "{ran}");
}

#[tokio::test]
async fn shells_complete_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = nowhere().run(&["completions", shell]).await;
        assert_eq!(ran.code, 0, "{ran}");
        let missing: Vec<_> = COMMANDS.iter().filter(|command| !ran.stdout.contains(**command)).collect();
        assert!(missing.is_empty(), "{shell}: {missing:?}");
    }
}

/// The real shell asks the real script.
#[tokio::test]
async fn bash_offers_what_begins_so() {
    let script = nowhere().run(&["completions", "bash"]).await.stdout;
    let ask = "COMP_WORDS=(repoint te) COMP_CWORD=1; _repoint repoint te repoint; echo \"${COMPREPLY[*]}\"";
    let output = Command::new("bash").args(["--norc", "-c", &format!("{script}\n{ask}")]).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "test-alert\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
