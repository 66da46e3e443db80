//! `repoint run` over fleets of several sizes: what a pass costs, and who goes first.

use repoint_sandbox::aws::log::Call;
use repoint_sandbox::http::fleet::{Fleet, is_throttled};
use serde_json::Value;
use tempfile::TempDir;

use super::super::place::{PG2, PG3};
use super::program::{Usage, end, program};
use super::{CHANGE, DEREGISTER, DESCRIBE, LIST, REGISTER, configure, given, hand_over, load};

/// How many clusters, with commas in between.
const SIZES: &str = "REPOINT_TEST_FLEETS";
const SMALL: &str = "40";
/// As many clusters as fail over at once in a large fleet; in a small one, all of them.
const FAILOVERS: usize = 100;
/// So many hundredths of AWS's limits that nobody waits.
pub const UNLIMITED: &str = "limit_percent = 100000";

/// One run of the program.
pub struct Run {
    pub seconds: f64,
    pub usage: Usage,
    /// Since it was started.
    calls: Vec<(f64, Call)>,
}

impl Run {
    pub fn count(&self, action: &str) -> u64 {
        self.calls.iter().filter(|(_, call)| call.action == action).count() as u64
    }

    fn throttled(&self) -> usize {
        self.calls.iter().filter(|(_, call)| is_throttled(call)).count()
    }

    /// When the last of these was sent, in seconds, and how many calls came before it.
    pub fn last(&self, actions: &[&str]) -> Option<(f64, usize)> {
        let is_one = |(_, call): &(f64, Call)| actions.contains(&call.action);
        let index = self.calls.iter().rposition(is_one)?;
        Some((self.calls[index].0, index))
    }

    fn notify(&self, clusters: u16, limits: &str, pass: &str) {
        let last = |actions: &[&str]| self.last(actions).map_or("-".to_owned(), |(at, _)| format!("{at:.2}"));
        println!(
            "| {clusters} | {limits} | {pass} | {:.2} | {:.2} | {:.1} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.seconds,
            self.usage.seconds,
            f64::from(u32::try_from(self.usage.peak_kib).unwrap()) / 1024.0,
            self.count(DESCRIBE),
            self.count(REGISTER) + self.count(DEREGISTER),
            self.count(LIST),
            self.count(CHANGE),
            last(&[REGISTER]),
            last(&[REGISTER, DEREGISTER, CHANGE]),
            self.throttled(),
            load(),
        );
    }
}

pub async fn run(fleet: &Fleet, folder: &TempDir, aws: &str) -> Run {
    configure(folder, fleet, aws);
    drop(fleet.take_calls());
    let began = fleet.now();
    let (usage, is_good) = end(program(folder).args(["run", "--format", "json"]).spawn().unwrap()).await;
    let since = |at: u64| f64::from(u32::try_from(at.saturating_sub(began)).unwrap()) / 1000.0;
    let seconds = since(fleet.now());
    assert!(is_good, "{}", troubles(folder));
    let calls = fleet.take_calls().into_iter().map(|call| (since(call.at), call)).collect();
    Run { seconds, usage, calls }
}

/// The clusters that are not as they should be, and the log.
fn troubles(folder: &TempDir) -> String {
    let said = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let report: Value = serde_json::from_str(&said("stdout")).unwrap_or_default();
    let clusters = report["clusters"].as_array().into_iter().flatten();
    let bad =
        clusters.filter(|cluster| !["converged", "changed"].contains(&cluster["outcome"].as_str().unwrap()));
    format!("{:#?}\n{}", bad.take(3).collect::<Vec<_>>(), said("stderr"))
}

/// Until a pass finds nothing to do: members settle after a switchover.
pub async fn settle(fleet: &Fleet, folder: &TempDir) {
    fleet.limit(false);
    while run(fleet, folder, UNLIMITED).await.last(&[REGISTER, DEREGISTER, CHANGE]).is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_that_failed_over_are_moved_first_and_aws_never_refuses() {
    let sizes = given(SIZES, SMALL.to_owned());
    let sizes: Vec<u16> = sizes.split(',').map(|size| size.parse().unwrap()).collect();
    println!(
        "| clusters | limits | pass | wall s | CPU s | peak MiB | Describe | (De)Register | List | Change \
         | last registered s | last moved s | throttled | load |\n|{}",
        "---|".repeat(14)
    );
    for clusters in sizes {
        measure(clusters).await;
    }
}

async fn measure(clusters: u16) {
    let count = usize::from(clusters);
    // In the small fleet of every day, a quarter.
    let failovers = if clusters == 40 { 10 } else { count.min(FAILOVERS) };
    let every = count / failovers;
    let (fleet, folder) = (super::fleet(clusters).await, TempDir::new().unwrap());
    for (limits, aws, to) in [("off", UNLIMITED, PG2), ("on", "", PG3)] {
        settle(&fleet, &folder).await;
        fleet.limit(limits == "on");
        let calm = run(&fleet, &folder, aws).await;
        calm.notify(clusters, limits, "nothing to do");
        assert!(calm.last(&[REGISTER, DEREGISTER, CHANGE]).is_none());
        assert_eq!(calm.count(DESCRIBE), u64::from(clusters), "one for each group");

        settle(&fleet, &folder).await;
        hand_over(&fleet, (0..count).step_by(every), to).await;
        fleet.limit(limits == "on");
        let moved = run(&fleet, &folder, aws).await;
        moved.notify(clusters, limits, &format!("{failovers} failed over"));
        assert!(fleet.is_right());
        assert_eq!((calm.throttled(), moved.throttled()), (0, 0), "requests are kept under AWS's limits");
        if failovers < count {
            let (_, last_write) = moved.last(&[REGISTER, DEREGISTER]).unwrap();
            let (_, last_read) = moved.last(&[DESCRIBE]).unwrap();
            assert!(last_write < last_read, "they are followed before the others are looked at");
        }
    }
}
