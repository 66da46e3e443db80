//! `repoint run`, every minute.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::place::{PG1, PG3, Place};

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_do_not_overlap() {
    let place = Place::new("");
    place.meddle(PG3);
    place.delay("DescribeTargetHealth", Duration::from_secs(5));
    let heard = place.asked();
    let mut first = place.start(&["run"]);
    place.until(|_| heard.count("DescribeTargetHealth") > 0).await;
    let (code, said) = place.run(&["run"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("another `repoint run` with repoint.toml is under way"), "{said}");
    // To look is always allowed.
    assert_ne!(place.run(&["plan"]).await.0, 2);
    assert_eq!(first.ends().await, 0);
    place.until_right(PG1).await;
    assert_eq!(place.run(&["run"]).await.0, 0);
}

/// The lock goes with its process, however that ends.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_keeps_nobody_out() {
    let place = Place::new("");
    place.delay("DescribeTargetHealth", Duration::from_secs(2));
    let heard = place.asked();
    let mut first = place.start(&["run"]);
    place.until(|_| heard.count("DescribeTargetHealth") > 0).await;
    first.signal(Signal::KILL);
    first.ends().await;
    assert_eq!(place.run(&["run"]).await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_ends_at_its_deadline() {
    let place = Place::new("[pass]\ndeadline_seconds = 2\n");
    place.delay("DescribeTargetHealth", Duration::from_mins(10));
    let (code, said) = place.run(&["run"]).await;
    assert_eq!(code, 1, "{said}");
}

/// A state file that cannot be read to its end stands for a disk that hangs: no deadline reaches a thread that waits there.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_does_not_keep_it() {
    let place = Place::new("[pass]\ndeadline_seconds = 2\n");
    let path = place.folder.path().join("state.json");
    place.meddle(PG3);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (code, said) = place.run(&["run"]).await;
    assert_eq!(code, 1, "{said}");
}
