//! What is printed and logged never ends, stops or delays the work, wherever it goes.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use repoint::app::LogStream;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::process::Child;
use tokio::time::timeout;

use crate::entry_points::place::{PATIENCE, PG1, PG2, PG3, Place};

const BY_ITSELF: &str = "[callback]\nmode = \"self\"\n";
const QUICK: &str = "[watch]\ninterval_seconds = 0.1\n";

/// A stream on a disk that is full.
fn full_disk() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// A pipe whose reader has gone.
fn without_reader() -> Stdio {
    let (_, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    writer.into()
}

/// A pipe that is full, and its reader.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[b'.'; 4096]) != Err(Errno::AGAIN) {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// Every stream that takes no line, with what has to live on for as long as it is used.
fn broken() -> [(&'static str, Stdio, Option<OwnedFd>); 3] {
    let (reader, writer) = full_pipe();
    [
        ("a full disk", full_disk(), None),
        ("no reader", without_reader(), None),
        ("a reader that was stopped", writer.into(), Some(reader)),
    ]
}

/// Runs to the end with that stdout: the exit status, and what was said on stderr.
async fn said(place: &Place, arguments: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    // `Command::output` would take a stdout of its own.
    let child = place.command(arguments).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

async fn exit_status(mut child: Child, what: &str) -> Option<i32> {
    let ended = timeout(PATIENCE, child.wait()).await;
    ended.unwrap_or_else(|_| panic!("{what}: no end")).unwrap().code()
}

/// Whatever it does, it has something to say.
fn talkative(sections: &str) -> Place {
    let mut place = Place::new(sections);
    place.set("REPOINT_LOG", "debug");
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_report_cannot_be_printed_has_moved_and_says_so() {
    let place = Place::new("");
    place.meddle(PG3);
    let (code, said) = said(&place, &["run"], full_disk()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error: the output cannot be printed: No space left on device"), "{said}");
    place.until_right(PG1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_moves_whatever_its_log_goes_to() {
    for (what, stderr, _reader) in broken() {
        let place = talkative("");
        place.meddle(PG3);
        let child = place.command(&["run"]).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        assert_eq!(exit_status(child, what).await, Some(0), "{what}");
        place.until_right(PG1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_nothing_to_write_to_has_moved_and_fails() {
    let place = talkative("");
    place.meddle(PG3);
    let child = place.command(&["run"]).stdout(full_disk()).stderr(full_disk()).spawn().unwrap();
    assert_eq!(exit_status(child, "both").await, Some(1));
    place.until_right(PG1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_moves_whatever_its_log_goes_to() {
    for (what, stderr, _reader) in broken() {
        let place = talkative(BY_ITSELF);
        place.meddle(PG3);
        let mut command = place.command(&["callback", "on_role_change", "primary", "batman"]);
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        assert_eq!(exit_status(child, what).await, Some(0), "{what}");
        place.until_right(PG1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_moves_whatever_its_log_goes_to() {
    for (what, stderr, _reader) in broken() {
        let place = talkative(QUICK);
        let mut child = place.command(&["watch"]).stdout(full_disk()).stderr(stderr).spawn().unwrap();
        place.switchover(PG2).await;
        place.until_right(PG2).await;
        assert_eq!(child.try_wait().unwrap(), None, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_streams_are_as_good_as_none() {
    let closed = |place: &Place, arguments: &str| {
        let program = env!("CARGO_BIN_EXE_repoint");
        let mut command = place.command(&[]);
        let mut shell = tokio::process::Command::new("/bin/sh");
        shell.arg("-c").arg(format!("exec {program} {arguments} >&- 2>&-"));
        for (name, value) in command.as_std_mut().get_envs() {
            shell.env(name, value.unwrap());
        }
        shell.current_dir(place.folder.path()).kill_on_drop(true).spawn().unwrap()
    };
    for arguments in ["run", "callback on_role_change primary batman"] {
        let place = talkative(BY_ITSELF);
        place.meddle(PG3);
        assert_eq!(exit_status(closed(&place, arguments), arguments).await, Some(0), "{arguments}");
        place.until_right(PG1).await;
    }
    let place = talkative(QUICK);
    let _daemon = closed(&place, "watch");
    place.switchover(PG2).await;
    place.until_right(PG2).await;
}

/// `repoint status | head`, whose `head` has read what it wanted.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_gone_is_no_failure_and_is_not_spoken_of() {
    let place = Place::new("");
    for arguments in [
        &["status"][..],
        &["status", "--format", "json"],
        &["status", "--watch"],
        &["plan"],
        &["run"],
        &["check"],
        &["iam"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let (code, said) = said(&place, arguments, without_reader()).await;
        assert_eq!((code, said.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_printed_is_a_failure() {
    let place = Place::new("");
    for arguments in [
        &["status"][..],
        &["status", "--watch"],
        &["plan", "--format", "json"],
        &["check"],
        &["check", "--format", "json"],
        &["iam"],
        &["adopt", "batman"],
        &["test-alert"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ] {
        let (code, said) = said(&place, arguments, full_disk()).await;
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        assert!(said.contains("the output cannot be printed"), "{arguments:?}: {said}");
    }
}

/// Cron's next run is not kept out by one whose report is not read.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_report_is_not_read_keeps_no_other_out() {
    let place = Place::new("");
    place.meddle(PG3);
    let (_reader, writer) = full_pipe();
    let mut stuck = place.command(&["run"]).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    place.until_right(PG1).await;
    // Its pass may not have ended yet.
    let next = async { while place.run(&["run"]).await.0 != 0 {} };
    timeout(PATIENCE, next).await.expect("the lock is free");
    assert_eq!(stuck.try_wait().unwrap(), None);
}

#[test]
fn a_log_goes_on_once_its_reader_does() {
    let (reader, writer) = full_pipe();
    let log = LogStream::new(writer);
    log.line(b"lost\n");
    let mut reader = File::from(reader);
    let mut drained = vec![0; 1 << 16];
    reader.read_exact(&mut drained).unwrap();
    log.line(b"heard\n");
    drop(log);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "heard\n");
}
