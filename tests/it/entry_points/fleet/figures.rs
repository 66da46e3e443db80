//! What a fleet costs, as figures for the page of benchmarks.
//!
//! `REPOINT_TEST_FIGURES=1000` measures a thousand clusters, `REPOINT_TEST_BINARY` a release build; `LAB_FIGURES` names the
//! file that takes the figures.

use std::time::Duration;

use repoint_domain::rates::RateKey;
use repoint_sandbox::http::fleet::Fleet;
use repoint_sandbox::patroni::MemberId;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::super::place::{PG2, PG3};
use super::figure::Figure;
use super::program::usage;
use super::runs::{Run, UNLIMITED, run, settle};
use super::{CHANGE, DEREGISTER, DESCRIBE, REGISTER, configure, given, hand_over, loaded, until, watch};

const CLUSTERS: &str = "REPOINT_TEST_FIGURES";
const FEW_CLUSTERS: u16 = 20;
/// For so many seconds a calm daemon is measured.
const SECONDS: &str = "REPOINT_TEST_WATCH_SECONDS";
const FEW_SECONDS: u64 = 12;
/// How often one cluster of many is handed over.
const TIMES: usize = 3;
/// As many fail over at the same time, if there are so many.
const AT_ONCE: usize = 100;
/// The configuration's default, in hundredths of AWS's limits.
const PERCENT: f64 = 90.0;
/// Requests a second, where each of three members is asked for everything each second.
const EVERYTHING: f64 = 6.0;

/// `repoint run` and the daemon have a table each.
enum Table {
    Run,
    Daemon,
}

fn record(table: &Table, what: &str, kind: &str, unit: &str, values: &[f64]) {
    println!("| {what} | {kind} | {values:.2?} {unit} |");
    let bench = match table {
        Table::Run => "run_fleet",
        Table::Daemon => "watch_fleet",
    };
    Figure { bench, what, kind, unit, values }.record().unwrap();
}

fn record_run(what: &str, run: &Run) {
    record(&Table::Run, what, "time", "s", &[run.seconds]);
    record(&Table::Run, what, "CPU time", "s", &[run.usage.seconds]);
    record(&Table::Run, what, "peak memory", "MiB", &[mebibytes(run.usage.peak_kib)]);
}

fn record_daemon(what: &str, unit: &str, values: &[f64]) {
    record(&Table::Daemon, what, "measured", unit, values);
}

fn mebibytes(kib: u64) -> f64 {
    float(kib) / 1024.0
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}

fn kibibytes(folder: &TempDir, name: &str) -> f64 {
    std::fs::metadata(folder.path().join(name)).map_or(0.0, |file| float(file.len()) / 1024.0)
}

/// How long AWS's limits make so many reads of target groups last, at the usual part of them.
fn limit_for(reads: u64) -> f64 {
    let rate = RateKey::ElbRead(String::new()).rate();
    let beyond = float(reads) - f64::from(rate.burst) * PERCENT / 100.0;
    (beyond / (f64::from(rate.per_second) * PERCENT / 100.0)).max(0.0)
}

async fn hand_over_one(fleet: &Fleet, to: MemberId) {
    hand_over(fleet, std::iter::once(fleet.count() / 2), to).await;
}

/// In seconds: from when one cluster has another primary until its endpoints follow.
async fn followed(fleet: &Fleet, to: MemberId) -> f64 {
    hand_over_one(fleet, to).await;
    let began = Instant::now();
    until(fleet, "its endpoints follow", || fleet.is_right()).await;
    began.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fleet_costs() {
    let clusters = given(CLUSTERS, FEW_CLUSTERS);
    let (fleet, folder) = (super::fleet(clusters).await, TempDir::new().unwrap());
    measure_runs(&fleet, &folder).await;
    measure_daemon(&fleet, &folder).await;
}

async fn measure_runs(fleet: &Fleet, folder: &TempDir) {
    fleet.limit(false);
    record_run("the first, without AWS's limits", &run(fleet, folder, UNLIMITED).await);
    settle(fleet, folder).await;
    let calm = run(fleet, folder, UNLIMITED).await;
    assert!(calm.last(&[REGISTER, DEREGISTER, CHANGE]).is_none());
    record_run("nothing to do, without AWS's limits", &calm);
    fleet.limit(true);
    let calm = run(fleet, folder, "").await;
    record_run("nothing to do", &calm);
    let least = limit_for(calm.count(DESCRIBE));
    record(&Table::Run, "the least that AWS's limits allow", "time", "s", &[least]);

    let before = kibibytes(folder, "state.json.history");
    hand_over_one(fleet, PG2).await;
    let moved = run(fleet, folder, "").await;
    let (at, _) = moved.last(&[REGISTER]).unwrap();
    record(&Table::Run, "one has failed over: until it is registered", "time", "s", &[at]);
    assert!(fleet.is_right());
    record_daemon("state", "KiB", &[kibibytes(folder, "state.json")]);
    record_daemon("history, of one failover", "KiB", &[kibibytes(folder, "state.json.history") - before]);
    settle(fleet, folder).await;
}

async fn measure_daemon(fleet: &Fleet, folder: &TempDir) {
    let clusters = fleet.count();
    fleet.limit(true);
    configure(folder, fleet, "");
    drop(fleet.take_calls());
    let daemon = watch(folder);
    until(fleet, "some groups were looked at", || fleet.asked(DESCRIBE) >= clusters.min(18)).await;
    let during = followed(fleet, PG3).await;
    record_daemon("one fails over while all wait for their first pass", "s", &[during]);
    until(fleet, "every group was looked at", || fleet.asked(DESCRIBE) >= clusters).await;
    assert_eq!(loaded(folder), clusters);
    // The last passes end.
    sleep(Duration::from_secs(3)).await;
    drop((fleet.take_calls(), fleet.take_requests()));
    let (before, began) = (usage(&daemon).seconds, Instant::now());
    sleep(Duration::from_secs(given(SECONDS, FEW_SECONDS))).await;
    let (after, took) = (usage(&daemon), began.elapsed().as_secs_f64());
    let requests = float(fleet.take_requests()) / took / float(clusters as u64);
    record_daemon("nothing happens: CPU, of a core", "%", &[(after.seconds - before) / took * 100.0]);
    record_daemon("nothing happens: requests to the members of each cluster", "1/s", &[requests]);
    println!("{} audits meanwhile, load {}", fleet.asked(DESCRIBE), super::load());
    let mut delays = Vec::new();
    for to in [PG2, PG3, PG2].into_iter().cycle().take(TIMES) {
        delays.push(followed(fleet, to).await);
        sleep(Duration::from_secs(5)).await;
    }
    record_daemon("one fails over", "s", &delays);
    let every = clusters.div_ceil(AT_ONCE);
    hand_over(fleet, (0..clusters).step_by(every), PG3).await;
    let began = Instant::now();
    until(fleet, "all endpoints follow", || fleet.is_right()).await;
    let what = format!("{} fail over at once: until the last is followed", clusters.div_ceil(every));
    record_daemon(&what, "s", &[began.elapsed().as_secs_f64()]);
    let after = usage(&daemon);
    record_daemon("peak memory", "MiB", &[mebibytes(after.peak_kib)]);
    record_daemon("memory at the end", "MiB", &[mebibytes(after.resident_kib)]);
    assert!(requests < EVERYTHING / 2.0, "{requests} requests a second to each cluster");
}
