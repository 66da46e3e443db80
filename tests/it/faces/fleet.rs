//! `repoint watch` over many clusters: what it asks of AWS, and what it keeps.

#![expect(clippy::print_stdout, reason = "figures are told")]

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use repoint_sandbox::http::door::CREDENTIALS;
use repoint_sandbox::http::fleet::Fleet;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval, timeout};

use super::place::{PATIENCE, PG2};

/// How many clusters there are.
const CLUSTERS: &str = "REPOINT_TEST_CLUSTERS";
const FEW_CLUSTERS: u8 = 20;
/// For how many seconds they are watched, at one audit a minute.
const SECONDS: &str = "REPOINT_TEST_WATCH_SECONDS";
const FEW_SECONDS: u64 = 6;
const DESCRIBE: &str = "DescribeTargetHealth";
const WRITES: [&str; 2] = ["RegisterTargets", "DeregisterTargets"];

fn given<T: std::str::FromStr>(name: &str, default: T) -> T {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests asks for more of it")]
    let given = std::env::var(name).ok();
    given.map_or(default, |given| given.parse().ok().unwrap_or_else(|| panic!("{name}: {given}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clusters_cost_their_audits_and_move_together() {
    let clusters = given(CLUSTERS, FEW_CLUSTERS);
    let seconds = given(SECONDS, FEW_SECONDS);
    let fleet = Fleet::start(clusters).await.unwrap();
    let folder = TempDir::new().unwrap();
    let text = format!(
        "[state]\nfile = \"state.json\"\n\n[watch]\nsocket = \"repoint.sock\"\n\n{}",
        fleet.configuration()
    );
    std::fs::write(folder.path().join("repoint.toml"), text).unwrap();
    let daemon = watch(&folder);

    // The first passes; then nothing happens, and at last everything at once.
    until("every group was looked at", || fleet.asked().get(DESCRIBE) >= Some(&clusters.into())).await;
    let (before, began) = (fleet.asked(), Instant::now());
    let (mut sizes, mut ticks) = (Vec::new(), interval(Duration::from_secs(1)));
    while began.elapsed() < Duration::from_secs(seconds) {
        ticks.tick().await;
        sizes.push(resident_kib(&daemon));
    }
    let calm = since(&before, &fleet.asked());
    let looks = calm.get(DESCRIBE).copied().unwrap_or_default();
    // Each audit comes a minute after the one before, give or take a tenth.
    let audits = u64::from(clusters) * (seconds / 54 + 1);
    assert!(looks <= audits, "{looks} looks in {seconds} s; {audits} would do");
    assert!(calm.keys().all(|action| action == DESCRIBE), "{calm:?}");
    let per_hour = looks * 3600 / seconds / u64::from(clusters);
    println!("{clusters} clusters for {seconds} s: {calm:?}, {per_hour} calls per cluster and hour");
    tell_sizes(&sizes);
    println!("processor time of the daemon so far: {:.1} s", processor_seconds(&daemon));

    let (before, began) = (fleet.asked(), Instant::now());
    fleet.switch_over(PG2);
    until("every group follows", || fleet.is_at(PG2)).await;
    println!("all of them switched over, and followed after {} ms", began.elapsed().as_millis());
    let moves = since(&before, &fleet.asked());
    for action in WRITES {
        // What AWS refuses for its rate is asked for again.
        assert!(moves.get(action) >= Some(&clusters.into()), "{moves:?}");
    }
}

fn watch(folder: &TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_repoint"))
        .arg("watch")
        .current_dir(folder.path())
        .env_clear()
        .envs(CREDENTIALS)
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.path().join("watch.log")).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(20));
    let looking = async {
        while !is_so() {
            ticks.tick().await;
        }
    };
    assert!(timeout(PATIENCE, looking).await.is_ok(), "it never came to that {what}");
}

fn since(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let more = |(action, count): (&String, &u64)| {
        let more = count - before.get(action).copied().unwrap_or_default();
        (more > 0).then(|| (action.clone(), more))
    };
    now.iter().filter_map(more).collect()
}

fn resident_kib(daemon: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// In user and in kernel mode (`proc_pid_stat(5)`, fields 14 and 15, in ticks of 10 ms).
fn processor_seconds(daemon: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.id().unwrap())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u32 =
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}

/// Memory does not grow: in the last quarter of a long watch it is what it was in the second, give or take the gaps that
/// an allocator leaves.
fn tell_sizes(sizes: &[u64]) {
    let quarter = sizes.len() / 4;
    let most = |sizes: &[u64]| sizes.iter().copied().max().unwrap_or_default();
    let (second, last) = (most(&sizes[quarter..2 * quarter]), most(&sizes[3 * quarter..]));
    println!("resident at most: {second} KiB in the second quarter, {last} KiB in the last");
    assert!(sizes.len() < 60 || last <= second + second / 10, "{sizes:?}");
}
