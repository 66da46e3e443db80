//! Waiting until Route 53's servers have what was changed.

use repoint_sandbox::Millis;
use repoint_sandbox::aws;
use repoint_sandbox::http::sandbox::Setup;
use serde_json::Value;
use tokio::time::timeout;

use super::place::{PATIENCE, PG2, Place};

const GET: &str = "GetChange";
const NEVER: Millis = Millis::MAX / 2;
/// Far longer than [`PATIENCE`].
const WITHOUT_END: &str = "[pass]\ndeadline_seconds = 600\nwait_insync_seconds = 600\n";
const ARRIVED: &str = "Route 53 has applied the change on all servers";

/// Endpoints that are yet to be filled, in an account whose changes take so long to be everywhere.
fn place(sections: &str, propagation: Millis) -> Place {
    let quick = Setup::quick();
    let aws = aws::settings::Settings { dns_propagation: propagation, ..quick.aws };
    Place::of(sections, Setup { aws, ..quick })
}

/// A run that moves the record: its cluster's report.
async fn run(place: &Place) -> Value {
    let output =
        timeout(PATIENCE, place.command(&["run", "--format", "json"]).output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cluster = report["clusters"][0].clone();
    assert_eq!(cluster["outcome"], "changed", "{cluster}");
    let values: Vec<_> = place.sandbox.with(|site| site.values()).into_values().collect();
    assert!(values.contains(&vec!["172.31.1.11".to_owned()]), "{values:?}");
    cluster
}

/// The one step that went to Route 53.
fn record(cluster: &Value) -> &Value {
    let steps = cluster["steps"].as_array().unwrap();
    let mut records = steps.iter().filter(|step| step.get("change_id").is_some());
    let record = records.next().unwrap();
    assert!(records.next().is_none(), "{cluster}");
    record
}

fn warnings(cluster: &Value) -> &[Value] {
    cluster.get("warnings").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_when_all_servers_had_it() {
    let place = place("[pass]\nwait_insync_seconds = 30\n", 500);
    let cluster = run(&place).await;
    let record = record(&cluster);
    assert!(record["insync_at_ms"].as_u64() > record["at_ms"].as_u64(), "{cluster}");
    assert_eq!(warnings(&cluster), [Value::Null; 0]);
    assert!(cluster["api_calls"]["route53:GetChange"].as_u64() >= Some(1), "{cluster}");
    // It is the id that others can ask with, too.
    let id = record["change_id"].as_str().unwrap().to_owned();
    assert!(place.sandbox.with(|site| site.account.get_change(site.now, &id)).unwrap().in_sync);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_asks_nothing_unless_it_is_wanted() {
    let place = place("", NEVER);
    let cluster = run(&place).await;
    assert!(record(&cluster).get("insync_at_ms").is_none(), "{cluster}");
    assert!(cluster["api_calls"].get("route53:GetChange").is_none(), "{cluster}");
}

/// The move stands, and people are told what to allow.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_may_not_ask_says_so_and_has_moved() {
    let place = place(WITHOUT_END, 500);
    place.sandbox.with(|site| site.account.denials.deny("route53:GetChange", ""));
    let cluster = run(&place).await;
    assert!(record(&cluster).get("insync_at_ms").is_none(), "{cluster}");
    let [warning] = warnings(&cluster) else { panic!("{cluster}") };
    let hint = "allow the IAM action `route53:GetChange` on `arn:aws:route53:::change/*`";
    assert!(warning.as_str().unwrap().contains(hint), "{warning}");
    assert_eq!(cluster["api_calls"]["route53:GetChange"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_not_wait_for_ever() {
    let place = place("[pass]\nwait_insync_seconds = 2\n", NEVER);
    let cluster = run(&place).await;
    assert!(record(&cluster).get("insync_at_ms").is_none(), "{cluster}");
    let [warning] = warnings(&cluster) else { panic!("{cluster}") };
    assert!(warning.as_str().unwrap().contains("but not all of its servers had it after"), "{warning}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_says_when_all_servers_had_it() {
    let place = place("[pass]\nwait_insync_seconds = 30\n", 500);
    place.daemon().await.says(ARRIVED).await;
}

/// What is on its way is in nobody's way.
#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_follows_the_next_failover_meanwhile() {
    let place = place(WITHOUT_END, NEVER);
    let last_error = place.asked();
    let _daemon = place.daemon().await;
    place.until(|_| last_error.count(GET) > 0).await;
    place.switchover(PG2).await;
    place.until_right(PG2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_says_when_all_servers_had_it() {
    let place = place("[pass]\nwait_insync_seconds = 25\n\n[callback]\nmode = \"self\"\n", 500);
    let mut callback = place.start(&["callback", "on_role_change", "primary", "batman"]);
    callback.says(ARRIVED).await;
}
