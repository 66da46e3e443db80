//! `repoint run`, every minute.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::place::{PG1, PG3, Place};

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_do_not_overlap() {
    let place = Place::new("");
    place.meddle(PG3);
    place.delay("DescribeTargetHealth", Duration::from_secs(5));
    let last_error = place.asked();
    let mut first = place.start(&["run"]);
    place.until(|_| last_error.count("DescribeTargetHealth") > 0).await;
    let (code, said) = place.run(&["run"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("another `repoint run` with repoint.toml is in progress"), "{said}");
    // To look is always allowed.
    assert_ne!(place.run(&["plan"]).await.0, 2);
    assert_eq!(first.ends().await, 0);
    place.until_right(PG1).await;
    assert_eq!(place.run(&["run"]).await.0, 0);
}

/// Another shard of the same file.
#[tokio::test(flavor = "multi_thread")]
async fn runs_over_other_clusters_are_not_kept_out() {
    let place = Place::new("");
    place.add_robin();
    place.delay("DescribeTargetHealth", Duration::from_secs(5));
    let last_error = place.asked();
    let mut first = place.start(&["run", "--cluster", "batman"]);
    place.until(|_| last_error.count("DescribeTargetHealth") > 0).await;
    let (_, said) = place.run(&["run", "--cluster", "robin"]).await;
    assert!(!said.contains("is in progress"), "{said}");
    let (code, said) = place.run(&["run", "--cluster", "batman"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("another `repoint run` with repoint.toml is in progress"), "{said}");
    assert_eq!(first.ends().await, 0);
}

/// `flock` needs only to open a file, and any user of the machine may read the configuration.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_on_the_configuration_does_not_block_a_run() {
    let place = Place::new("");
    let configuration = File::open(place.folder.path().join("repoint.toml")).unwrap();
    configuration.lock().unwrap();
    let (code, said) = place.run(&["run"]).await;
    assert_eq!((code, said.as_str()), (0, ""));
    let locks = fs::read_dir(place.folder.path()).unwrap().map(Result::unwrap);
    let locks: Vec<_> = locks.filter(|file| file.path().extension().is_some_and(|it| it == "lock")).collect();
    assert_eq!(locks.len(), 2, "that of the state, and that of the run: {locks:?}");
    for lock in locks {
        assert_eq!(lock.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{lock:?}");
    }
}

/// Where any user may write, any user may put a lock, or a link, into the way.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder_that_all_may_write_it_takes_no_lock() {
    let place = Place::new("");
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let (code, said) = place.run(&["run"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("every user may write to"), "{said}");
}

/// The lock goes with its process, however that ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_does_not_block_the_next() {
    let place = Place::new("");
    place.delay("DescribeTargetHealth", Duration::from_secs(2));
    let last_error = place.asked();
    let mut first = place.start(&["run"]);
    place.until(|_| last_error.count("DescribeTargetHealth") > 0).await;
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

/// Its own deadline is longer than what the unit gives a start (`TimeoutStartSec`), and systemd is told.
#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_how_long_it_may_take() {
    let mut place = Place::new("[pass]\ndeadline_seconds = 120\n");
    let path = place.folder.path().join("notify.sock");
    let systemd = UnixDatagram::bind(&path).unwrap();
    place.set("NOTIFY_SOCKET", path.to_str().unwrap());
    assert_eq!(place.run(&["run"]).await.0, 0);
    let mut bytes = [0; 512];
    let length = systemd.recv(&mut bytes).unwrap();
    let said = std::str::from_utf8(&bytes[..length]).unwrap();
    let time: u64 = said.trim().strip_prefix("EXTEND_TIMEOUT_USEC=").unwrap().parse().unwrap();
    // Two passes, one after the other, the time to tell people, and what is waited for AWS's limits.
    assert!((250_000_000..300_000_000).contains(&time), "{said}");
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
