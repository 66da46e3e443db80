//! What is drawn on a terminal: `repoint status --watch`, and the progress of a pass.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::{Instant, timeout};

use super::place::{PATIENCE, PG2, Place};
use crate::support::terminal::Terminal;

/// A host whose user has a terminal.
fn place() -> Place {
    let mut place = Place::new("");
    place.set("TERM", "xterm");
    place
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id().expect("it is alive")).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}

async fn ended(mut child: Child) -> Option<i32> {
    timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_status_is_drawn_in_its_place_and_leaves_the_last_one() {
    let place = place();
    let (mut terminal, program) = Terminal::open(30, 200);
    let mut command = place.command(&["status", "--watch=1"]);
    let child = command.stdout(program()).stderr(program()).spawn().unwrap();
    drop(command);
    terminal.until(|screen| screen.is_alternate && screen.text().contains("batman  primary pg1")).await;
    assert!(!terminal.screen.has_cursor);
    place.switchover(PG2).await;
    terminal.until(|screen| screen.text().contains("-> primary pg2 on timeline")).await;
    let shown = terminal.screen.text();
    assert_eq!(
        (shown.matches("repoint status at").count(), shown.matches("changed at").count()),
        (1, 1),
        "{shown}"
    );
    assert!(shown.contains("every 1 s; in trouble: 1 of 1"), "{shown}");
    signal(&child, Signal::INT);
    // As the last report would have it: the endpoints do not follow.
    assert_eq!(ended(child).await, Some(1));
    terminal.ends(program).await;
    let (screen, left) = (&terminal.screen, terminal.screen.text());
    assert!(!screen.is_alternate && screen.has_cursor, "{left}");
    assert_eq!(left.matches("batman  primary pg2").count(), 1, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_is_counted_and_trouble_comes_first() {
    let place = place();
    place.add_robin();
    let (mut terminal, program) = Terminal::open(8, 200);
    let mut command = place.command(&["status", "--watch=3600"]);
    let child = command.stdout(program()).stderr(program()).spawn().unwrap();
    drop(command);
    terminal.until(|screen| screen.text().contains("left out")).await;
    let shown = terminal.screen.text();
    insta::assert_snapshot!(without_times(&shown), @"
    repoint status at TIME, every 1 h 0 min; in trouble: 1 of 2

    robin  unreachable: no member can be reached: GET /primary on http://127.0.0.1:1: Connection refused (os error 111)

      member              address  role  state        timeline  receive lag  replay lag
      http://127.0.0.1:1  -        -     unreachable  -         -            -
      http://127.0.0.1:1: GET /primary on http://127.0.0.1:1: Connection refused (os error 111)
    left out, too few rows: the rest of the last cluster, 1 cluster (0 in trouble)
    ");
    // What is not in trouble takes one row.
    terminal.resize(16, 200);
    signal(&child, Signal::WINCH);
    terminal.until(|screen| screen.text().contains("batman  primary pg1")).await;
    let shown = terminal.screen.text();
    assert!(!shown.contains("172.31.1.11") && !shown.contains("left out"), "{shown}");
    terminal.resize(40, 200);
    signal(&child, Signal::WINCH);
    terminal.until(|screen| screen.text().contains("172.31.1.11")).await;
    let shown = terminal.screen.text();
    assert!(
        shown.find("robin").unwrap() < shown.find("batman").unwrap() && !shown.contains("left out"),
        "{shown}"
    );
    signal(&child, Signal::TERM);
    assert_eq!(ended(child).await, Some(1));
}

fn without_times(shown: &str) -> String {
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, took [\d.]+ m?s|\d+ ms").unwrap();
    time.replace_all(shown, "TIME").into_owned()
}

/// Without a terminal, or on one that has no cursor to move.
#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_reports_follow_each_other() {
    let mut place = place();
    place.set("TERM", "dumb");
    let (mut terminal, program) = Terminal::open(60, 200);
    let mut command = place.command(&["status", "--watch=1"]);
    let child = command.stdout(program()).stderr(program()).spawn().unwrap();
    drop(command);
    terminal.until(|screen| screen.text().matches("batman  primary pg1").count() == 2).await;
    let shown = terminal.screen.text();
    assert!(!terminal.bytes.contains(&b'\x1b') && shown.matches("repoint status at").count() == 2, "{shown}");
    signal(&child, Signal::TERM);
    assert_eq!(ended(child).await, Some(0));
}

/// A child's JSON lines.
struct Documents(Lines<BufReader<ChildStdout>>);

impl Documents {
    async fn next(&mut self) -> Value {
        let line = timeout(PATIENCE, self.0.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line.expect("it goes on")).unwrap()
    }

    async fn until(&mut self, is_so: impl Fn(&Value) -> bool) {
        while !is_so(&self.next().await) {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_programs_each_report_is_a_line_and_one_that_fails_ends_nothing() {
    let place = place();
    let mut command = place.command(&["status", "--watch=1", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut documents = Documents(BufReader::new(child.stdout.take().unwrap()).lines());
    let first = documents.next().await;
    let names: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(names, ["version", "at", "took_ms", "clusters"]);
    assert_eq!(first["clusters"][0]["verdict"]["member"], "pg1");
    let state = place.folder.path().join("state.json");
    std::fs::write(&state, "{").unwrap();
    documents.until(|document| !document["clusters"][0]["state_error"].is_null()).await;
    std::fs::remove_file(&state).unwrap();
    documents.until(|document| document["clusters"][0]["state_error"].is_null()).await;
    // Its reader needs no more.
    drop(documents);
    assert_eq!(ended(child).await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_and_aws_are_asked_no_more_often_than_once_a_second() {
    let place = place();
    let (code, said) = place.run(&["status", "--watch=0"]).await;
    assert!(code == 2 && said.contains("0 is not in 1..=3600"), "{said}");
}

/// A reader takes no more than a quarter of the share that was configured.
#[tokio::test(flavor = "multi_thread")]
async fn aws_limits_slow_a_watched_status() {
    let mut place = place();
    place.set("REPOINT_AWS_LIMIT_PERCENT", "2");
    let (mut terminal, program) = Terminal::open(40, 200);
    let mut command = place.command(&["status", "--watch"]);
    let _child = command.stdout(program()).stderr(program()).spawn().unwrap();
    terminal.until(|screen| screen.text().contains("batman  primary pg1")).await;
    let shown = terminal.screen.text();
    // At 2 % of 10 requests a second, one for the group takes 5 s, and so does one for the zone.
    assert!(shown.contains("every 20 s by AWS's rate limits"), "{shown}");
}

/// Two clusters, and AWS takes its time.
fn slow() -> Place {
    let mut place = place();
    place.add_robin();
    place.set("REPOINT_LOG", "debug");
    place.delay("DescribeTargetHealth", Duration::from_secs(2));
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn the_progress_of_a_pass_is_drawn_below_the_log_and_erased() {
    for command in ["run", "plan", "status"] {
        let place = slow();
        let (mut terminal, program) = Terminal::open(200, 200);
        let mut command = place.command(&[command]);
        let child = command.stdout(Stdio::piped()).stderr(program()).spawn().unwrap();
        drop(command);
        terminal.until(|screen| screen.text().contains(" of 2 clusters done, ")).await;
        let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
        terminal.ends(program).await;
        let left = terminal.screen.text();
        assert!(!left.contains("clusters done") && left.contains("DEBUG"), "{left}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains("batman") && !printed.contains("clusters done"), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_progress_is_drawn_where_none_is_wanted() {
    let (dumb, usual) = ([("TERM", "dumb")], [("TERM", "xterm")]);
    for (arguments, variables) in [(&["run", "--quiet"][..], usual), (&["run"], dumb)] {
        let place = slow();
        let (mut terminal, program) = Terminal::open(200, 200);
        let mut command = place.command(arguments);
        let child = command.envs(variables).stdout(Stdio::null()).stderr(program()).spawn().unwrap();
        drop(command);
        assert_eq!(ended(child).await, Some(1));
        terminal.ends(program).await;
        assert!(!terminal.screen.text().contains("clusters done") && !terminal.bytes.contains(&b'\x1b'));
    }
}

/// Nothing flickers.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_of_less_than_a_second_draws_nothing() {
    let place = place();
    loop {
        let (mut terminal, program) = Terminal::open(24, 80);
        let mut command = place.command(&["plan"]);
        let began = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(program()).spawn().unwrap();
        drop(command);
        assert_eq!(ended(child).await, Some(0));
        terminal.ends(program).await;
        // The machine may be slow.
        if began.elapsed() < Duration::from_secs(1) {
            let text = String::from_utf8_lossy(&terminal.bytes);
            assert!(!text.contains("clusters done"), "{text}");
            return;
        }
    }
}
