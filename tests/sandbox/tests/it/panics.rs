//! A fault of `repoint` itself: a panic in one place ends nothing elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::ready;
use repoint::app::{Counters, Overview, Watching};
use repoint::limits::LeaseGuard;
use repoint::ports::{Ports, Store, TargetGroups, Zones};
use repoint::runtime::deadline::Span;
use repoint::runtime::fleet::fleet;
use repoint::runtime::insync::Insync;
use repoint::runtime::lease_wait::TAKE_OVER_AFTER;
use repoint::runtime::pass::{self, Mode, pass};
use repoint::runtime::supervise::Panicked;
use repoint::runtime::watch::{Intervals, News, Settings};
use repoint_domain::observed::Read;
use repoint_domain::state::State;
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::Failure;
use repoint_domain::values::record::{ChangeId, Listing, RecordChange, RecordPlace, ZoneId};
use repoint_domain::values::target::{Target, TargetGroup};
use repoint_domain::values::timestamp::Timestamp;
use repoint_sandbox::transport::{Link, Shape};
use tokio::time::{Instant, sleep};

use crate::link::{PG1, PG2, SETTINGS, group, named, switchover, world, world_of};

const PACE: Intervals =
    Intervals { interval: Duration::from_secs(1), audit_interval: Duration::from_mins(1) };
/// Beside the sandbox's own cluster, another entry with the same members and without endpoints.
const OTHER: &str = "robin";
const ALWAYS: u32 = u32::MAX;

/// So often it panics.
#[derive(Clone, Default)]
struct Fuse(Arc<AtomicU32>);

impl Fuse {
    fn set(&self, times: u32) {
        self.0.store(times, Ordering::Relaxed);
    }

    fn burn(&self) {
        let left = self.0.load(Ordering::Relaxed);
        if left > 0 {
            self.set(left - 1);
            panic!("a fault of the {left}th last time");
        }
    }
}

/// A store that panics when the other cluster's state is read.
struct Cracked(Arc<dyn Store>, Fuse);

#[async_trait]
impl Store for Cracked {
    async fn load(&self, entry: &EntryName) -> Read<State> {
        if entry.as_str() == OTHER {
            self.1.burn();
        }
        self.0.load(entry).await
    }

    async fn save(&self, entry: &EntryName, state: &State) -> Result<(), Failure> {
        self.0.save(entry, state).await
    }
}

/// Target groups that panic when a target is to be added: after the commit.
struct Violation(Arc<dyn TargetGroups>, Fuse);

#[async_trait]
impl TargetGroups for Violation {
    async fn read(&self, arn: &GroupArn, with_check: bool) -> Read<TargetGroup> {
        self.0.read(arn, with_check).await
    }

    async fn register(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard) -> Result<(), Failure> {
        self.1.burn();
        self.0.register(arn, targets, guard).await
    }

    async fn deregister(
        &self,
        arn: &GroupArn,
        targets: &[Target],
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        self.0.deregister(arn, targets, guard).await
    }
}

/// Zones that panic when they are asked what became of a change.
struct Mute(Arc<dyn Zones>);

#[async_trait]
impl Zones for Mute {
    async fn read(&self, zone: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        self.0.read(zone, places).await
    }

    async fn change(
        &self,
        zone: &ZoneId,
        changes: &[RecordChange],
        guard: &LeaseGuard,
    ) -> Vec<Result<ChangeId, Failure>> {
        self.0.change(zone, changes, guard).await
    }

    async fn is_insync(&self, _: &ChangeId) -> Read<bool> {
        panic!("no state")
    }
}

/// The sandbox's cluster and the other one, watched through what may panic.
fn watching(link: &Link, reads: &Fuse, writes: &Fuse) -> Watching {
    let spec = link.world().resources.spec.clone();
    let mut other = spec.clone();
    other.name = EntryName::new(OTHER);
    other.groups.clear();
    other.records.clear();
    let count: Arc<AtomicU32> = Arc::default();
    let (link, reads, writes) = (link.clone(), reads.clone(), writes.clone());
    let ports = move || {
        let ports = named(&link, &format!("daemon#{}", count.fetch_add(1, Ordering::Relaxed)));
        Ports {
            store: Arc::new(Cracked(ports.store.clone(), reads.clone())),
            groups: Arc::new(Violation(ports.groups.clone(), writes.clone())),
            ..ports
        }
    };
    let settings = Settings { intervals: PACE, pass: SETTINGS };
    let clusters = [spec, other];
    let overview = Overview::new(&clusters, None, Timestamp(0));
    Watching::over(overview, ports, settings, &Insync::default(), &Counters::default(), silent)
}

fn silent(_: &News<'_>) {}

fn stuck(watching: &Watching) -> Vec<&str> {
    watching.stuck().into_iter().map(EntryName::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_panics_begins_again_and_the_others_go_on() {
    let (link, reads) = (world(), Fuse::default());
    reads.set(3);
    let watching = watching(&link, &reads, &Fuse::default());
    sleep(Duration::from_secs(2)).await;
    assert!(watching.panics() > 0);
    switchover(&link, PG2).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(group(&link), ["172.31.1.2"], "the other one is followed meanwhile");
    sleep(Duration::from_secs(20)).await;
    assert_eq!((watching.panics(), stuck(&watching)), (3, vec![]));
    assert!(watching.stop(Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_nothing_but_panic_is_not_taken_for_watched() {
    let (link, reads) = (world(), Fuse::default());
    reads.set(ALWAYS);
    let watching = watching(&link, &reads, &Fuse::default());
    sleep(Duration::from_secs(20)).await;
    assert_eq!(stuck(&watching), [OTHER]);
    // The pauses grow, and no further than half a minute.
    let before = watching.panics();
    sleep(Duration::from_mins(10)).await;
    let more = watching.panics() - before;
    assert!((18..=22).contains(&more), "{more}");
    assert_eq!(stuck(&watching), [OTHER]);

    reads.set(0);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(stuck(&watching), [""; 0]);
    switchover(&link, PG2).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(group(&link), ["172.31.1.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_does_not_keep_the_daemon_from_ending() {
    let (link, reads) = (world(), Fuse::default());
    reads.set(ALWAYS);
    let watching = watching(&link, &reads, &Fuse::default());
    sleep(Duration::from_mins(5)).await;
    assert!(watching.stop(Duration::from_secs(1)).await);
}

/// What it has committed to is waited for no longer than that of a process that died.
#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_after_its_commit_is_taken_over() {
    let (link, writes) = (world(), Fuse::default());
    let watching = watching(&link, &Fuse::default(), &writes);
    sleep(Duration::from_secs(5)).await;
    writes.set(1);
    switchover(&link, PG2).await;
    let began = Instant::now();
    while group(&link) != ["172.31.1.2"] {
        sleep(Duration::from_millis(10)).await;
        assert!(began.elapsed() < TAKE_OVER_AFTER + Duration::from_secs(3), "{:?}", group(&link));
    }
    assert_eq!((watching.panics(), stuck(&watching)), (1, vec![]));
    // And nothing is left of it.
    switchover(&link, PG1).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(group(&link), ["172.31.1.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_panics_blocks_no_other() {
    let link = world_of(Shape { is_pair: true, ..Shape::default() });
    let spec = link.world().resources.spec.clone();
    let (ports, span) = (named(&link, "moving"), Span::of(Duration::from_mins(5)));
    let settings = pass::Settings { limit: Duration::from_mins(5), ..SETTINGS };
    let report = pass(&spec, &ports, &settings, Mode::Apply).await;
    assert!(!report.changes().is_empty(), "{report:?}");
    let (insync, began) = (Insync::new(Some(Duration::from_mins(4))), Instant::now());
    let ports = || Ports { zones: Arc::new(Mute(ports.zones.clone())), ..ports.clone() };
    let report = insync.wait(report, ports, span).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(report.warnings.iter().any(|warning| warning.contains("an internal error")), "{report:?}");
}

/// As `repoint run` and the Lambda make them.
#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_lets_the_others_of_a_run_end_first() {
    let link = world_of(Shape::default());
    let spec = link.world().resources.spec.clone();
    let mut other = spec.clone();
    other.name = EntryName::new(OTHER);
    let (panicked, count) = (&Panicked::default(), AtomicU32::new(0));
    let one = |spec, ports, _| {
        #[expect(clippy::async_yields_async, reason = "what is still to be waited for is handed over")]
        let one = async move {
            let passed = panicked.catch(async {
                let spec: &repoint_domain::spec::Spec = spec;
                assert_ne!(spec.name.as_str(), OTHER, "a fault");
                pass(spec, &ports, &SETTINGS, Mode::Apply).await
            });
            ready(passed.await).boxed()
        };
        one.boxed()
    };
    let ports = || named(&link, &format!("run#{}", count.fetch_add(1, Ordering::Relaxed)));
    let passed = fleet(&[&other, &spec], &ports, SETTINGS.limit, None, &one).await;
    let is_done: Vec<bool> =
        passed.iter().map(|passed| passed.as_ref().is_some_and(Option::is_some)).collect();
    assert_eq!((is_done, group(&link)), (vec![false, true], vec!["172.31.1.1".to_owned()]));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panicked.resume()));
    assert!(panic.is_err(), "it is not passed over in silence");
}
