//! Whole commands and what they remember: out of reach, out of date, in another's hands.

mod unsaved;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use repoint::adapters::clock::SystemClock;
use repoint::adapters::state_file::StateFile;
use repoint::ports::{Clock as _, Store as _};
use repoint_domain::state::{Lease, State};
use repoint_domain::values::cluster::{EntryName, SystemId, Timeline};
use repoint_domain::values::timestamp::Timestamp;
use serde_json::json as value;
use tokio::time::Instant;

use crate::support::command::Repoint;
use crate::support::http::{Reply, Request, Server};
use crate::support::site::{
    CHANGE, LIST, SYSTEM, aws, configuration, everything, group, health, listing, patroni, patroni_with,
    refused,
};

/// A place where nobody may write, root neither.
const NOWHERE: &str = "/sys/repoint/state.json";

/// Saves that as what the last run has left.
async fn remember(repoint: &Repoint, state: State) {
    let store = StateFile::new(repoint.state_file());
    store.save(&EntryName::new("batman"), &State { revision: 1, ..state }).await.unwrap();
}

async fn loaded(repoint: &Repoint) -> State {
    StateFile::new(repoint.state_file()).load(&EntryName::new("batman")).await.unwrap()
}

fn applied(timeline: u32, system: &str) -> State {
    State {
        highest_timeline: Some(Timeline(timeline)),
        system_id: Some(SystemId::new(system)),
        ..State::default()
    }
}

/// An AWS in which everything is as it should be.
fn all_right(request: &Request) -> Option<Reply> {
    match request.action().as_str() {
        "DescribeTargetHealth" => Some(health(&["10.0.1.12"])),
        LIST => Some(listing(&[("a.example.com.", "", "10.0.1.12"), ("b.example.com.", "", "10.0.1.12")])),
        _ => None,
    }
}

/// What was written, alerts left out.
fn written(aws: &Server) -> Vec<String> {
    let is_write = |action: &String| action.ends_with("Targets") || action == CHANGE;
    aws.actions().into_iter().filter(is_write).collect()
}

/// The subjects that were sent to the topic, refused ones included.
fn published(aws: &Server) -> Vec<String> {
    let subject = |request: &Request| {
        let form = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect::<Vec<_>>();
        form.into_iter().find_map(|(name, text)| (name == "Subject").then_some(text)).unwrap()
    };
    aws.requests().iter().filter(|request| request.action() == "Publish").map(subject).collect()
}

// Memory out of reach.

#[tokio::test]
async fn a_state_file_that_cannot_be_written_holds() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group()).with("REPOINT_STATE_FILE", NOWHERE);
    let ran = repoint.run(&["run"]).await;
    // The operating system says it in one of several ways.
    let seen = regex::Regex::new(r"on /sys/repoint: [^:]+:").unwrap();
    insta::assert_snapshot!(seen.replace_all(&ran.seen(), "on /sys/repoint: REFUSED:"), @"
    exit 1
    --- stdout
    batman  held  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1
      held     state store unavailable, so changes are blocked: writing the state file on /sys/repoint: REFUSED: run repoint as a user that may write there, or set `[state] file` to another path
               `[state] required = false` lets repoint act without the state
      alert    repoint: batman: STATE STORE UNAVAILABLE, changes blocked
      warning  the state was not saved, so the next pass may send its alerts again: writing the state file on /sys/repoint: REFUSED: run repoint as a user that may write there, or set `[state] file` to another path
    --- stderr
    ");
    assert!(written(&aws).is_empty());
    assert_eq!(published(&aws), ["repoint: batman: STATE STORE UNAVAILABLE, changes blocked"]);
}

#[tokio::test]
async fn a_damaged_state_file_holds_and_stays_as_it_is() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    std::fs::write(repoint.state_file(), "{\"version\": 1, \"clu").unwrap();
    let ran = repoint.run(&["run"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 1
    --- stdout
    batman  held  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1
      held     state store unavailable, so changes are blocked: reading the state file on state.json: it is damaged (EOF while parsing a string at line 1 column 19), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
               `[state] required = false` lets repoint act without the state
      alert    repoint: batman: STATE STORE UNAVAILABLE, changes blocked
    --- stderr
    ");
    let json = repoint.run(&["run", "--format", "json"]).await.json();
    assert_eq!(json["clusters"][0]["holds"][0]["reason"], "state_unavailable");
    assert_eq!(json["clusters"][0]["verdict"]["kind"], "primary");
    assert!(written(&aws).is_empty());
    assert_eq!(std::fs::read_to_string(repoint.state_file()).unwrap(), "{\"version\": 1, \"clu");
}

#[tokio::test]
async fn where_no_state_is_required_it_acts_without() {
    for (state, broken) in [("[state]\nrequired = false\n", true), ("", false)] {
        let (members, aws) = (patroni().await, aws(|_| None).await);
        let mut repoint = configuration(&members, &aws.url(), &format!("{}{state}", group()));
        if broken {
            std::fs::write(repoint.state_file(), "{").unwrap();
        } else {
            repoint = repoint.with("REPOINT_STATE_FILE", NOWHERE).with("REPOINT_STATE_REQUIRED", "false");
        }
        let ran = repoint.run(&["run", "--format", "json"]).await;
        assert_eq!(ran.code, 0, "{ran}");
        let cluster = &ran.json()["clusters"][0];
        assert_eq!((&cluster["outcome"], &cluster["previous_primary"]), (&value!("changed"), &value!("pg1")));
        assert_eq!(written(&aws), ["RegisterTargets", "DeregisterTargets"]);
        assert_eq!(published(&aws).len(), 1, "{ran}");
    }
}

#[tokio::test]
async fn a_state_store_that_cannot_be_read_is_reported_although_nothing_differs() {
    let (members, aws) = (patroni().await, aws(all_right).await);
    let repoint = configuration(&members, &aws.url(), &everything());
    std::fs::write(repoint.state_file(), "{").unwrap();
    let ran = repoint.run(&["run"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 1
    --- stdout
    batman  held  N ms
      primary  pg2  10.0.1.12:5432  timeline 4
      held     state store unavailable, so changes are blocked: reading the state file on state.json: it is damaged (EOF while parsing an object at line 1 column 1), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
               `[state] required = false` lets repoint act without the state
      alert    repoint: batman: STATE STORE UNAVAILABLE, changes blocked
    --- stderr
    ");
    assert!(written(&aws).is_empty());
    assert_eq!(published(&aws), ["repoint: batman: STATE STORE UNAVAILABLE, changes blocked"]);

    let planned = repoint.run(&["plan"]).await;
    assert!(planned.code == 1 && planned.stdout.contains("state store unavailable"), "{planned}");
    assert_eq!(published(&aws).len(), 1, "a plan tells nobody");

    // Where it need not be there, it is a warning.
    let lenient = repoint.with("REPOINT_STATE_REQUIRED", "false");
    let ran = lenient.run(&["run"]).await;
    assert!(ran.code == 0 && ran.stdout.contains("converged") && ran.stdout.contains("warning"), "{ran}");
}

/// Nobody knows how long it has lasted, so silence would last as long as memory is gone.
#[tokio::test]
async fn a_cluster_without_a_primary_is_alerted_even_without_state() {
    let members = patroni_with(|number, _| {
        (
            503,
            value!({"state": "running", "role": "replica", "timeline": 4, "patroni": {"name": format!("pg{number}")}}),
        )
    });
    let (members, aws) = (members.await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    std::fs::write(repoint.state_file(), "{").unwrap();
    let ran = repoint.run(&["run"]).await;
    let notified =
        ["repoint: batman: no primary", "repoint: batman: STATE STORE UNAVAILABLE, changes blocked"];
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(published(&aws), notified);
}

// Memory that says no.

#[tokio::test]
async fn a_primary_behind_what_was_applied_is_stale() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    remember(&repoint, applied(9, SYSTEM)).await;
    insta::assert_snapshot!(repoint.run(&["run"]).await.seen(), @"
    exit 1
    --- stdout
    batman  held  N ms
      held     pg2 claims to be the primary on timeline 4, but timeline 9 was applied before
               an old primary may have come back: stop it, or let it rejoin as a replica; after a restore to an earlier point, `repoint adopt` accepts it
    --- stderr
    ");
    assert!(written(&aws).is_empty());
    assert_eq!(loaded(&repoint).await.highest_timeline, Some(Timeline(9)));

    let adopted = repoint.run(&["adopt", "batman", "--format", "json"]).await;
    insta::assert_snapshot!(adopted.seen(), @r#"
    exit 0
    --- stdout
    {
      "scope": "batman",
      "name": "batman",
      "adopted": {
        "system_id": "7710341171024913225",
        "timeline": 4
      },
      "before": {
        "system_id": "7710341171024913225",
        "timeline": 9
      }
    }
    --- stderr
    "#);
    assert_eq!(repoint.run(&["run"]).await.code, 0);
    assert_eq!(loaded(&repoint).await.highest_timeline, Some(Timeline(4)));
}

/// Two entries had one name: from the adoption on, the state is this one's.
#[tokio::test]
async fn an_adopted_state_is_kept_for_the_configured_endpoints() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    let endpoints = std::collections::BTreeSet::from(["another entry's".to_owned()]);
    remember(&repoint, State { endpoints, ..applied(4, SYSTEM) }).await;
    assert_eq!(repoint.run(&["run"]).await.code, 1);
    assert!(written(&aws).is_empty());
    assert_eq!(repoint.run(&["adopt", "batman"]).await.code, 0);
    let kept_for = loaded(&repoint).await.endpoints;
    assert!(
        kept_for.len() == 1 && kept_for.iter().all(|endpoint| endpoint.contains("pg-writer")),
        "{kept_for:?}"
    );
}

#[tokio::test]
async fn another_system_is_held_until_it_is_adopted() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    remember(&repoint, applied(9, "7000000000000000001")).await;
    insta::assert_snapshot!(repoint.run(&["run"]).await.seen(), @"
    exit 1
    --- stdout
    batman  held  N ms
      held     pg1 belongs to another cluster: its system identifier is 7710341171024913225, expected 7000000000000000001
               check `scope`, `system_id` and `members`: an address may have changed hands; if the cluster was recreated, `repoint adopt` accepts it
      alert    repoint: batman: another cluster answers
    --- stderr
    ");
    assert!(written(&aws).is_empty());

    insta::assert_snapshot!(repoint.run(&["adopt", "batman"]).await.seen(), @"
    exit 0
    --- stdout
    batman  adopted system 7710341171024913225 on timeline 4, whose primary is pg2; before: system 7000000000000000001 on timeline 9
      no endpoint was changed; see `repoint plan --cluster batman`
    --- stderr
    ");
    assert!(written(&aws).is_empty(), "adopting moves nothing");

    insta::assert_snapshot!(repoint.run(&["run"]).await.seen(), @"
    exit 0
    --- stdout
    batman  changed  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1  (adoption)
      done     register 10.0.1.12:5432    target group pg-writer (us-east-1)  at N ms
      done     deregister 10.0.1.11:5432  target group pg-writer (us-east-1)  at N ms
      alert    repoint: batman: first adoption, endpoints now point at the primary pg2
      alert    repoint: batman: resolved after N s: another cluster answers
    --- stderr
    ");
    assert_eq!(written(&aws), ["RegisterTargets", "DeregisterTargets"]);
    let state = loaded(&repoint).await;
    assert_eq!((state.highest_timeline, state.system_id), (Some(Timeline(4)), Some(SystemId::new(SYSTEM))));
    assert_eq!((state.lease, state.outbox, state.conditions), (None, Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_contested_cluster_is_not_adopted() {
    let members = patroni_with(|number, _| {
        let (status, role) = if number < 3 { (200, "primary") } else { (503, "replica") };
        (
            status,
            value!({"state": "running", "role": role, "timeline": 4, "database_system_identifier": SYSTEM,
            "patroni": {"scope": "batman", "name": format!("pg{number}")}}),
        )
    });
    let (members, aws) = (members.await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    remember(&repoint, applied(9, "1")).await;
    insta::assert_snapshot!(repoint.run(&["adopt", "batman"]).await.seen(), @"
    exit 1
    --- stdout
    batman  not adopted: 2 members claim to be the primary and none is ahead: pg1 (timeline 4), pg2 (timeline 4)
      find out with `patronictl list` which one is right, and stop the other; two nodes may be taking writes
    --- stderr
    ");
    assert_eq!(loaded(&repoint).await, State { revision: 1, ..applied(9, "1") });
}

#[tokio::test]
async fn what_is_not_configured_is_not_adopted() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let ran = configuration(&members, &aws.url(), &group()).run(&["adopt", "robin"]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("the configuration has no cluster `robin`"), "{ran}");
}

#[tokio::test]
async fn nothing_is_adopted_into_a_damaged_state_file() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    std::fs::write(repoint.state_file(), "").unwrap();
    let ran = repoint.run(&["adopt", "batman"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("state store unavailable") && ran.stdout.contains("it is damaged"), "{ran}");
    assert_eq!(std::fs::read(repoint.state_file()).unwrap(), b"");
}

// What is wrong, and who knows.

#[tokio::test]
async fn status_shows_what_is_wrong_and_whether_it_was_alerted() {
    let members = patroni_with(|number, _| {
        (
            503,
            value!({"state": "running", "role": "replica", "timeline": 4, "patroni": {"name": format!("pg{number}")}}),
        )
    });
    let (members, aws) = (members.await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    repoint.run(&["run"]).await;
    let status = repoint.run(&["status"]).await.seen();
    let (_, conditions) = status.split_once("  condition").unwrap_or_else(|| panic!("{status}"));
    let since = regex::Regex::new(r"[\d-]{10} [\d:]{8}  \d s ").unwrap();
    insta::assert_snapshot!(since.replace_all(conditions, "SINCE, FOR"), @"
       severity  since (UTC)          for  alert    
      no_primary  critical  SINCE, FOR not yet  the cluster has no primary: pg2 is named as leader but says it is not the primary
    --- stderr
    ");
    let at_once = repoint.with("REPOINT_ALERTS_GRACE_SECONDS", "0");
    at_once.run(&["run"]).await;
    let json = at_once.run(&["status", "--format", "json"]).await.json();
    assert_eq!(json["clusters"][0]["conditions"][0]["kind"], "no_primary");
    assert_eq!(json["clusters"][0]["conditions"][0]["notified"], true);
    let text = at_once.run(&["status"]).await.stdout;
    assert!(text.lines().any(|line| line.contains(" critical  ") && line.contains("  alerted  ")), "{text}");

    std::fs::write(at_once.state_file(), "{").unwrap();
    let blind = at_once.run(&["status"]).await;
    assert!(blind.stdout.contains("state store unavailable: reading the state file on"), "{blind}");
}

#[tokio::test]
async fn what_was_not_published_is_published_by_the_next_run_and_once() {
    let (is_moved, is_mended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (moved, mended) = (is_moved.clone(), is_mended.clone());
    let aws = aws(move |request| match request.action().as_str() {
        "Publish" if !mended.load(Ordering::Relaxed) => Some(refused(403, "AuthorizationError", "not yet")),
        _ if moved.load(Ordering::Relaxed) => all_right(request),
        _ => None,
    });
    let (members, aws) = (patroni().await, aws.await);
    let repoint = configuration(&members, &aws.url(), &everything());

    let first = repoint.run(&["run"]).await;
    assert!(first.code == 1 && first.stdout.contains("an alert was not published"), "{first}");
    assert_eq!(loaded(&repoint).await.outbox.len(), 1);
    is_moved.store(true, Ordering::Relaxed);

    let again = repoint.run(&["run"]).await;
    assert!(again.code == 1 && again.stdout.contains("an alert was not published"), "{again}");
    is_mended.store(true, Ordering::Relaxed);

    let mended = repoint.run(&["run"]).await;
    assert!(mended.code == 0 && !mended.stdout.contains("warning"), "{mended}");
    assert_eq!(loaded(&repoint).await.outbox, []);
    let last = repoint.run(&["run"]).await;
    assert!(last.code == 0 && last.stdout.contains("converged"), "{last}");

    let adoption = "repoint: batman: first adoption, endpoints now point at the primary pg2";
    assert_eq!(published(&aws), [adoption; 3], "refused twice, and taken once");
}

// Another one is acting.

fn dead(since: Timestamp) -> State {
    let by = "db-7 process 4711".to_owned();
    let lease = Some(Lease { by, revision: 1, timeline: Timeline(4), since, moves: None });
    State { lease, ..applied(4, SYSTEM) }
}

#[tokio::test]
async fn the_commit_of_a_dead_one_is_waited_out_and_taken_over() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    remember(&repoint, dead(SystemClock.now())).await;
    let began = Instant::now();
    let ran = repoint.run(&["run"]).await;
    let waited = began.elapsed();
    assert!(ran.code == 0 && ran.stdout.contains("changed"), "{ran}");
    assert!(
        ran.stderr.contains("another repoint process holds the lease")
            && ran.stderr.contains("db-7 process 4711"),
        "{ran}"
    );
    assert!(Duration::from_secs(6) <= waited && waited < Duration::from_secs(10), "{waited:?}");
    assert_eq!(written(&aws), ["RegisterTargets", "DeregisterTargets"]);
    assert_eq!(loaded(&repoint).await.lease, None);
}

#[tokio::test]
async fn a_pass_that_cannot_wait_so_long_is_held() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group()).with("REPOINT_PASS_DEADLINE_SECONDS", "1");
    remember(&repoint, dead(SystemClock.now())).await;
    insta::assert_snapshot!(repoint.run(&["run"]).await.seen(), @"
    exit 1
    --- stdout
    batman  held  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1
      held     another repoint process (db-7 process 4711) has held the lease of this cluster all the time
               the next pass tries again
    --- stderr
    TIME  INFO another repoint process holds the lease; waiting cluster.name=batman by=db-7 process 4711
    ");
    assert!(written(&aws).is_empty() && published(&aws).is_empty());
    assert_eq!(loaded(&repoint).await.lease.unwrap().by, "db-7 process 4711");
}

#[tokio::test]
async fn a_commit_of_long_ago_is_not_waited_for() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group()).with("REPOINT_PASS_DEADLINE_SECONDS", "4");
    remember(&repoint, dead(Timestamp(SystemClock.now().0 - 16 * 60 * 1000))).await;
    let ran = repoint.run(&["run"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(written(&aws), ["RegisterTargets", "DeregisterTargets"]);
}

/// A look at what is right must not wait for anybody.
#[tokio::test]
async fn a_converged_cluster_waits_for_no_lease() {
    let (members, aws) = (patroni().await, aws(all_right).await);
    let repoint =
        configuration(&members, &aws.url(), &everything()).with("REPOINT_PASS_DEADLINE_SECONDS", "4");
    remember(&repoint, dead(SystemClock.now())).await;
    let ran = repoint.run(&["run"]).await;
    assert!(ran.code == 0 && ran.stdout.contains("converged"), "{ran}");
}
