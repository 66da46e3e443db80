//! Leave to write, and its end: the mark that a process was stopped between deciding and writing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use repoint::limits::LeaseGuard;
use repoint::ports::Clock;
use repoint_domain::values::failure::Kind;
use repoint_domain::values::timestamp::Timestamp;
use tokio::time::advance;

const VALID_FOR: Duration = Duration::from_secs(3);

struct Date(AtomicU64);

impl Clock for Date {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

fn guard() -> (Arc<Date>, LeaseGuard) {
    let date = Arc::new(Date(AtomicU64::new(1_767_225_600_000)));
    let clock: Arc<dyn Clock> = date.clone();
    let guard = LeaseGuard::new(&clock, VALID_FOR);
    (date, guard)
}

/// A stopped process: the monotonic clock went on.
#[tokio::test(start_paused = true)]
async fn it_runs_out_with_time() {
    let (_, guard) = guard();
    advance(Duration::from_millis(2_999)).await;
    assert_eq!(guard.check("elasticloadbalancing:RegisterTargets", &"the group"), Ok(()));
    advance(Duration::from_millis(1)).await;
    let refused = guard.check("elasticloadbalancing:RegisterTargets", &"the group").unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    insta::assert_snapshot!(refused.to_string(), @"elasticloadbalancing:RegisterTargets on the group: not sent: the lease ran out (3000 ms since it was taken, limit 3000 ms)");
}

/// A virtual machine that stood still: its monotonic clock stood still with it, the date did not.
#[tokio::test(start_paused = true)]
async fn it_runs_out_with_the_date() {
    let (date, guard) = guard();
    date.0.fetch_add(3_000, Ordering::Relaxed);
    assert!(!guard.is_valid());
}

#[tokio::test(start_paused = true)]
async fn a_date_that_is_set_back_does_not_prolong_it() {
    let (date, guard) = guard();
    date.0.fetch_sub(60_000, Ordering::Relaxed);
    assert!(guard.is_valid());
    advance(VALID_FOR).await;
    assert!(!guard.is_valid());
}

/// For several: the first one that runs out ends it.
#[tokio::test(start_paused = true)]
async fn a_joint_one_holds_while_all_do() {
    let (_, early) = guard();
    advance(Duration::from_secs(1)).await;
    let (date, late) = guard();
    let joint = LeaseGuard::joint([&late, &early]);
    assert_eq!(joint.until(), early.until());
    advance(Duration::from_millis(1_999)).await;
    assert!(joint.is_valid());
    advance(Duration::from_millis(1)).await;
    assert!(!joint.is_valid() && late.is_valid());
    let joint = LeaseGuard::joint([&late]);
    date.0.fetch_add(3_000, Ordering::Relaxed);
    assert!(!joint.is_valid());
    assert!(!LeaseGuard::joint([]).is_valid(), "nobody's is none");
}
