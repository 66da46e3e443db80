//! `repoint callback`.

use std::time::Duration;

use futures::future::join_all;
use repoint_sandbox::http::sandbox::Setup;
use repoint_sandbox::patroni::{EventKind, Settings};
use rustix::process::{Pid, Signal, kill_process};

use super::place::{PG1, PG2, PG3, Place};

const BY_ITSELF: &str = "[callback]\nmode = \"self\"\n";
/// A daemon that does nothing of its own accord.
const SLOW: &str = "[watch]\ninterval_seconds = 600\naudit_interval_seconds = 900\n";

/// What Patroni 2.1 to 4.1 passes (`patroni/postgresql/__init__.py`, `call_nowait`; `ha.py`, `demote`).
const ROLES: [&str; 7] =
    ["master", "primary", "promoted", "replica", "standby_leader", "demoted", "uninitialized"];

#[tokio::test(flavor = "multi_thread")]
async fn it_hands_over_to_the_daemon() {
    let mut place = Place::new(SLOW);
    place.set("REPOINT_LOG", "repoint=debug");
    let mut daemon = place.daemon().await;
    // Else its first pass might find the switchover.
    daemon.says("reason=\"start\"").await;
    place.switchover(PG2).await;
    place.until(|site| site.cluster.leader().is_some_and(|(leader, _)| leader == PG2)).await;
    let (code, said) = place.run(&["callback", "on_role_change", "primary", "batman"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the daemon checks the cluster"), "{said}");
    daemon.says("reason=\"wake\"").await;
    place.until_right(PG2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_and_action_triggers_a_check() {
    let place = Place::new(SLOW);
    let mut daemon = place.daemon().await;
    place.until_right(PG1).await;
    for role in ROLES {
        for action in ["on_start", "on_stop", "on_restart", "on_reload", "on_role_change"] {
            let (code, said) = place.run(&["callback", action, role, "batman"]).await;
            assert_eq!(code, 0, "{said}");
            assert!(said.contains("the daemon checks the cluster"), "{said}");
            daemon.says("woken by a trigger").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_daemon_it_starts_a_check_itself() {
    let place = Place::new("");
    let mut callback = place.start(&["callback", "on_role_change", "primary", "batman"]);
    callback.says("no daemon").await;
    callback.says("a process of its own checks the cluster").await;
    assert_eq!(callback.ends().await, 0);
    // Its pipe is still open: the other process speaks through it.
    callback.says("outcome=\"converged\"").await;
}

/// Patroni calls right after `pg_ctl promote`.
#[tokio::test(flavor = "multi_thread")]
async fn it_waits_until_the_promotion_is_finished() {
    let slow = Settings { promotion_time: 3_000, ..Setup::quick().patroni };
    let place = Place::with(BY_ITSELF, slow);
    place.switchover(PG3).await;
    place.until(|site| site.events().iter().any(|event| event.what == EventKind::KeyTaken)).await;
    let (code, said) = place.run(&["callback", "on_role_change", "primary", "batman"]).await;
    assert_eq!(code, 0, "{said}");
    place.until_right(PG3).await;
}

/// The old primary's callback: nobody is promoted yet.
#[tokio::test(flavor = "multi_thread")]
async fn it_waits_until_a_member_is_promoted() {
    let place = Place::with(BY_ITSELF, Setup::quick().patroni);
    place.switchover(PG3).await;
    place.until(|site| site.cluster.leader().is_none()).await;
    let (code, said) = place.run(&["callback", "on_role_change", "replica", "batman"]).await;
    assert_eq!(code, 0, "{said}");
    place.until_right(PG3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_has_started_is_no_longer_its_child() {
    let place = Place::new(BY_ITSELF);
    place.delay("DescribeTargetHealth", std::time::Duration::from_secs(5));
    let last_error = place.asked();
    let mut callback = place.start(&["callback", "on_role_change", "primary", "batman"]);
    let line = callback.says("a process of its own checks the cluster").await;
    let process: i32 = line.rsplit("process=").next().unwrap().trim().parse().unwrap();
    assert_eq!(callback.ends().await, 0);
    place.until(|_| last_error.count("DescribeTargetHealth") > 0).await;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let (parent, session): (u32, i32) = (fields[1].parse().unwrap(), fields[3].parse().unwrap());
    assert_ne!(parent, std::process::id());
    assert_eq!(session, process, "a session of its own");
}

const CALLED: [&str; 4] = ["callback", "on_role_change", "primary", "batman"];

/// At a failover each member of a host calls, and more than once. AWS answers late, so that all come during one look.
#[tokio::test(flavor = "multi_thread")]
async fn forty_at_once_make_one_check_and_another() {
    let place = Place::new(BY_ITSELF);
    place.delay("DescribeTargetHealth", Duration::from_secs(3));
    let asked = place.asked();
    let mut first = place.start(&CALLED);
    place.until(|_| asked.count("DescribeTargetHealth") > 0).await;
    let members = place.asked_of_members();
    // What a process has started holds its stderr open, so each is waited for until that has ended, too.
    for (code, said) in join_all((0..40).map(|_| place.run(&CALLED))).await {
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("another process checks the cluster, and begins again"), "{said}");
    }
    first.says("outcome=\"converged\"").await;
    first.says("outcome=\"converged\"").await;
    assert_eq!(asked.count("DescribeTargetHealth"), 2);
    let questions = members.count("GET /primary") + members.count("GET /cluster");
    // Both passes wait for AWS, and look again each second meanwhile.
    assert!(questions <= 8 * 6, "{questions} for three members");
}

/// What it has seen is older than what the callback is about.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_during_a_check_is_followed_by_another_check() {
    let place = Place::new(BY_ITSELF);
    place.delay("DescribeTargetHealth", Duration::from_secs(2));
    let asked = place.asked();
    let mut first = place.start(&CALLED);
    place.until(|_| asked.count("DescribeTargetHealth") > 0).await;
    place.meddle(PG3);
    let (code, said) = place.run(&CALLED).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("another process checks the cluster, and begins again"), "{said}");
    first.says("outcome=\"converged\"").await;
    first.says("outcome=\"changed\"").await;
    place.until_right(PG1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_callback_does_not_block_the_next_check() {
    let place = Place::new(BY_ITSELF);
    place.delay("DescribeTargetHealth", Duration::from_secs(2));
    let asked = place.asked();
    let mut first = place.start(&CALLED);
    let line = first.says("a process of its own checks the cluster").await;
    let process = line.rsplit("process=").next().unwrap().trim().parse().unwrap();
    place.until(|_| asked.count("DescribeTargetHealth") > 0).await;
    kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
    let (code, said) = place.run(&CALLED).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("outcome=\"converged\""), "{said}");
}

/// A look that goes on by itself for as long as nobody is the primary keeps nobody else's back.
#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_is_checked_meanwhile() {
    let place = Place::new(BY_ITSELF);
    place.add_robin();
    let mut robin = place.start(&["callback", "on_role_change", "primary", "robin"]);
    robin.says("a process of its own checks the cluster").await;
    let (code, said) = place.run(&CALLED).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("outcome=\"converged\""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_publishes_to_a_topic() {
    let place = Place::new("");
    let topic = place.sandbox.with(|site| site.resources.topic.clone());
    place.configure(&format!("[callback]\nmode = \"sns\"\nsns_topic_arn = {topic:?}\n"));
    let (code, said) =
        place.run(&["callback", "--", "some", "words", "on_role_change", "primary", "batman"]).await;
    assert_eq!(code, 0, "{said}");
    place.until(|site| !site.messages().is_empty()).await;
    let (subject, body) = place.sandbox.with(|site| {
        let message = &site.messages()[0].message;
        (message.subject.clone(), message.body.clone())
    });
    assert_eq!(subject.as_deref(), Some("repoint: batman: look"));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["repoint"], &body["cluster"]), (&"look".into(), &"batman".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_said() {
    let place = Place::new("");
    let (code, said) = place.run(&["callback", "on_role_change", "primary", "robin"]).await;
    assert_eq!(
        (code, said.trim()),
        (2, "error: repoint.toml has no cluster `robin`; its clusters are batman")
    );
    let (code, said) = place.run(&["callback", "on_role_change", "primary"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("ARGUMENTS"), "{said}");
}
