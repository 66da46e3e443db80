//! Many clusters: what `repoint watch` asks of AWS, and what it keeps; `repoint run` in [`runs`].

#![expect(clippy::print_stdout, reason = "figures are told")]

#[expect(dead_code, reason = "no other program takes part")]
#[path = "../../benchmarks/figure.rs"]
mod figure;
mod figures;
mod program;
mod runs;

use std::collections::BTreeMap;
use std::time::Duration;

use repoint_sandbox::aws::log::Call;
use repoint_sandbox::http::fleet::{Fleet, Size, is_throttled};
use repoint_sandbox::patroni::MemberId;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::{Instant, interval, timeout};

use super::place::{PATIENCE, PG2};
use program::{program, usage};

/// How many clusters there are.
const CLUSTERS: &str = "REPOINT_TEST_CLUSTERS";
const FEW_CLUSTERS: u16 = 20;
/// For how many seconds they are watched.
const SECONDS: &str = "REPOINT_TEST_WATCH_SECONDS";
const FEW_SECONDS: u64 = 6;
/// More than twice its turn.
const FOR_EACH: Duration = Duration::from_millis(250);
/// Far longer than a switchover takes here.
const AGAIN: Duration = Duration::from_secs(5);
/// As often as Prometheus is usually told to.
const SCRAPED_EVERY: Duration = Duration::from_secs(15);
const DESCRIBE: &str = "elasticloadbalancing:DescribeTargetHealth";
const REGISTER: &str = "elasticloadbalancing:RegisterTargets";
const DEREGISTER: &str = "elasticloadbalancing:DeregisterTargets";
const LIST: &str = "route53:ListResourceRecordSets";
const CHANGE: &str = "route53:ChangeResourceRecordSets";

fn given<T: std::str::FromStr>(name: &str, default: T) -> T {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests asks for more of it")]
    let given = std::env::var(name).ok();
    given.map_or(default, |given| given.parse().ok().unwrap_or_else(|| panic!("{name}: {given}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clusters_cost_their_audits_and_move_together() {
    let clusters = given(CLUSTERS, FEW_CLUSTERS);
    let seconds = given(SECONDS, FEW_SECONDS);
    let fleet = fleet(clusters).await;
    let folder = TempDir::new().unwrap();
    configure(&folder, &fleet, "");
    let daemon = watch(&folder);

    // The first passes; then nothing happens, and at last much at once.
    until(&fleet, "every group was looked at", || fleet.asked(DESCRIBE) >= clusters.into()).await;
    until(&fleet, "every cluster is remembered", || loaded(&folder) == fleet.count()).await;
    let (first, before, began) = (fleet.take_calls(), usage(&daemon).seconds, Instant::now());
    let (mut sizes, mut ticks) = (Vec::new(), interval(Duration::from_secs(1)));
    while began.elapsed() < Duration::from_secs(seconds) {
        ticks.tick().await;
        sizes.push(usage(&daemon).resident_kib);
    }
    let (calm, processor) = (fleet.take_calls(), usage(&daemon).seconds - before);
    let looks = count(&calm, DESCRIBE);
    // Each audit comes a minute after the one before, give or take a tenth.
    let audits = u64::from(clusters) * (seconds / 54 + 1);
    assert!(looks <= audits, "{looks} looks in {seconds} s; {audits} would do");
    assert!(calm.iter().all(|call| [DESCRIBE, LIST].contains(&call.action)), "{:?}", counts(&calm));
    println!("{clusters} clusters for {seconds} s, load {}: {:?}", load(), counts(&calm));
    check_sizes(&sizes);
    let of_calm = |what: &str, processor: f64| {
        println!("{what}: processor time {processor:.1} s, most memory {} KiB", usage(&daemon).peak_kib);
    };
    of_calm("not scraped", processor);
    let (before, mut scrapes) = (usage(&daemon).seconds, interval(SCRAPED_EVERY));
    for _ in 0..=seconds / SCRAPED_EVERY.as_secs() {
        scrapes.tick().await;
        scrape(&folder, clusters).await;
    }
    of_calm("scraped", usage(&daemon).seconds - before);
    let meanwhile = fleet.take_calls();

    let (every, began) = (usize::from(clusters.div_ceil(100)), Instant::now());
    hand_over(&fleet, (0..clusters.into()).step_by(every), PG2).await;
    let led = began.elapsed();
    until(&fleet, "all endpoints follow", || fleet.is_right()).await;
    println!(
        "{} of them switched over, were led by another after {} ms, and the last was followed {} ms later",
        usize::from(clusters).div_ceil(every),
        led.as_millis(),
        began.elapsed().saturating_sub(led).as_millis()
    );
    let moves = fleet.take_calls();
    println!("{:?}", counts(&moves));
    let throttled = [first, calm, meanwhile, moves].concat().iter().filter(|call| is_throttled(call)).count();
    assert_eq!(throttled, 0, "requests are kept under AWS's limits");
}

/// Three files for each member: the listener, and two connections.
async fn fleet(clusters: u16) -> Fleet {
    let files = repoint::adapters::open_files::raise_limit();
    assert!(files > usize::from(clusters) * 9 + 200, "raise the hard limit of open files: {files}");
    Fleet::start(Size { clusters, zones: clusters.min(10) }).await.unwrap()
}

/// Hands these clusters over to that member, and waits until it leads them. One that is refused, or given up since
/// somebody is not fit for it yet, is asked for again.
async fn hand_over(fleet: &Fleet, which: impl Iterator<Item = usize>, to: MemberId) {
    let mut left: Vec<usize> = which.collect();
    let mut asked: Option<Instant> = None;
    until(fleet, "they are led by another", || {
        left.retain(|number| !fleet.is_led_by(*number, to));
        if asked.is_none_or(|at| at.elapsed() > AGAIN) {
            asked = Some(Instant::now());
            for number in &left {
                let _is_begun = fleet.hand_over(*number, to);
            }
        }
        left.is_empty()
    })
    .await;
}

/// What a scrape of the daemon takes: for a thousand clusters less than 100 ms in a release build, and 2 MB.
async fn scrape(folder: &TempDir, clusters: u16) {
    let log = std::fs::read_to_string(folder.path().join("stderr")).unwrap();
    let address = log.split_once("at http://").unwrap().1.lines().next().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    let answer = client.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    let took = began.elapsed();
    let series = answer.lines().filter(|line| !line.starts_with('#')).count();
    println!("a scrape: {series} series in {} bytes, after {} ms", answer.len(), took.as_millis());
    assert!(answer.len() < 20_000 + 2_000 * usize::from(clusters), "{} bytes", answer.len());
}

/// What stands in the file, with these lines in `[aws]`.
fn configure(folder: &TempDir, fleet: &Fleet, aws: &str) {
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n\n[state]\nfile = \"state.json\"\n\n[watch]\nsocket = \"repoint.sock\"\n\n{}",
        fleet.configuration(aws)
    );
    std::fs::write(folder.path().join("repoint.toml"), text).unwrap();
}

fn watch(folder: &TempDir) -> Child {
    program(folder).arg("watch").spawn().unwrap()
}

/// How many clusters are in memory.
fn loaded(folder: &TempDir) -> usize {
    let text = std::fs::read_to_string(folder.path().join("state.json")).unwrap_or_default();
    let state: Value = serde_json::from_str(&text).unwrap_or_default();
    state["clusters"].as_object().map_or(0, serde_json::Map::len)
}

fn count(calls: &[Call], action: &str) -> u64 {
    calls.iter().filter(|call| call.action == action).count() as u64
}

fn counts(calls: &[Call]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.action).or_default() += 1;
    }
    counts
}

/// Of the last minute (`proc_loadavg(5)`).
fn load() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap();
    averages.split(' ').next().unwrap().to_owned()
}

/// In a large fleet all passes take their time: AWS is asked for nine clusters a second.
async fn until(fleet: &Fleet, what: &str, mut is_so: impl FnMut() -> bool) {
    let lease_wait = PATIENCE + FOR_EACH * u32::try_from(fleet.count()).unwrap();
    let mut ticks = interval(Duration::from_millis(20));
    let observing = async {
        while !is_so() {
            ticks.tick().await;
        }
    };
    assert!(timeout(lease_wait, observing).await.is_ok(), "it never came to that {what}");
}

/// Memory does not grow: in the last quarter of a long watch it is what it was in the second, give or take the gaps that
/// an allocator leaves.
fn check_sizes(sizes: &[u64]) {
    let quarter = sizes.len() / 4;
    let most = |sizes: &[u64]| sizes.iter().copied().max().unwrap_or_default();
    let (second, last) = (most(&sizes[quarter..2 * quarter]), most(&sizes[3 * quarter..]));
    println!("resident at most: {second} KiB in the second quarter, {last} KiB in the last");
    assert!(sizes.len() < 60 || last <= second + second / 10, "{sizes:?}");
}
