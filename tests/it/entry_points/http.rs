//! What the daemon shows over HTTP: metrics, health and status.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method, Response};
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::place::{PATIENCE, PG2, Place, Running};
use crate::support::browser::Browser;

const QUICK: &str =
    "[http]\nlisten = \"127.0.0.1:0\"\n[watch]\ninterval_seconds = 0.1\naudit_interval_seconds = 900\n";
const SERVING: &str = "serving metrics, health and the status page at http://";

/// What a client sees of a daemon.
struct Shown(String);

/// A daemon that serves, and what a client sees of it.
async fn serving(place: &Place) -> (Running, Shown) {
    let mut daemon = place.start(&["watch"]);
    let shown = Shown::by(&mut daemon).await;
    (daemon, shown)
}

impl Shown {
    /// Where the daemon says that it serves.
    async fn by(daemon: &mut Running) -> Self {
        let line = daemon.says(SERVING).await;
        Self(format!("http://{}", line.split_once(SERVING).unwrap().1.trim()))
    }

    async fn ask(&self, method: Method, path: &str, host: Option<&str>) -> Response {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let request = client.request(method, format!("{}{path}", self.0));
        let request = match host {
            Some(host) => request.header("Host", host),
            None => request,
        };
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> String {
        self.ask(Method::GET, path, None).await.text().await.unwrap()
    }

    /// Waits for metrics of which that is true.
    async fn until(&self, what: &str, is_so: impl Fn(&Metrics) -> bool) -> Metrics {
        let waiting = async {
            loop {
                let metrics = Metrics(self.get("/metrics").await);
                if is_so(&metrics) {
                    return metrics;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        if let Ok(metrics) = timeout(PATIENCE, waiting).await {
            return metrics;
        }
        panic!("{what}: it never came to that:\n{}", self.get("/metrics").await)
    }
}

struct Metrics(String);

impl Metrics {
    /// The value of a series, written as it is rendered.
    fn value(&self, series: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
    }

    fn is(&self, series: &str, value: &str) -> bool {
        self.value(series) == Some(value)
    }

    /// Each metric with its type and the labels of its series.
    fn list(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let label = regex::Regex::new(r#"[{,](\w+)=""#).unwrap();
        let mut list = BTreeMap::new();
        for line in self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            let mut labels = BTreeSet::new();
            for series in self.0.lines().filter(|line| line.starts_with(&format!("{name}{{"))) {
                labels.extend(label.captures_iter(series).map(|found| found[1].to_owned()));
            }
            list.insert(name.to_owned(), (kind.to_owned(), labels));
        }
        list
    }

    /// Where Prometheus is installed, its own linter has nothing to say of a scrape.
    fn check(&self) {
        let mut promtool = Command::new("promtool");
        promtool.args(["check", "metrics"]);
        let spawned = promtool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut promtool) = spawned else { return };
        promtool.stdin.take().unwrap().write_all(self.0.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}{}", self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_follow_a_switchover() {
    let place = Place::new(QUICK);
    let (_daemon, shown) = serving(&place).await;
    let lag = "repoint_member_lag_bytes{scope=\"batman\",name=\"pg2\"}";
    let settled =
        |metrics: &Metrics| metrics.value(lag).is_some() && metrics.0.contains("\nrepoint_endpoint_in_sync{");
    let before = shown.until("a replica is known", settled).await;
    assert!(before.is("repoint_cluster_has_primary{scope=\"batman\"}", "1"), "{}", before.0);
    assert!(
        before.is("repoint_cluster_info{scope=\"batman\",primary=\"pg1\",site=\"\"}", "1"),
        "{}",
        before.0
    );
    assert!(before.is("repoint_passes_total{outcome=\"failed\"}", "0"), "{}", before.0);
    before.check();

    place.switchover(PG2).await;
    let moved = "repoint_retargets_total{scope=\"batman\",cause=\"switchover\"}";
    let after = shown.until("it has moved", |metrics| metrics.is(moved, "1")).await;
    assert!(before.is(moved, "0"), "{}", before.0);
    assert!(after.is("repoint_cluster_info{scope=\"batman\",primary=\"pg2\",site=\"\"}", "1"), "{}", after.0);
    assert!(after.is("repoint_retarget_delay_seconds_count", "1"), "{}", after.0);
    assert_eq!(after.value("repoint_cluster_info{scope=\"batman\",primary=\"pg1\",site=\"\"}"), None);
    let out_of_sync =
        after.0.lines().filter(|line| line.starts_with("repoint_endpoint_in_sync{") && line.ends_with(" 0"));
    assert_eq!(out_of_sync.count(), 0, "{}", after.0);
    let registered =
        "repoint_aws_requests_total{action=\"elasticloadbalancing:RegisterTargets\",code=\"ok\"}";
    assert!(before.is(registered, "0") && !after.is(registered, "0"), "{}", after.0);
    after.check();
}

/// The list of the guide, against what a daemon says.
#[tokio::test(flavor = "multi_thread")]
async fn the_guide_lists_every_metric_and_no_other() {
    let place = Place::new(QUICK);
    let (_daemon, shown) = serving(&place).await;
    let is_passed = |metrics: &Metrics| metrics.0.contains("\nrepoint_endpoint_in_sync{");
    let metrics = shown.until("a pass was made", is_passed).await;
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/infra/guide/monitoring.md")).unwrap();
    let row = regex::Regex::new(r"(?m)^\| `(repoint_\w+)` \| (\w+) \| ([^|]*) \|").unwrap();
    let mut described = BTreeMap::new();
    for row in row.captures_iter(&page) {
        let labels: BTreeSet<String> = row[3]
            .split(", ")
            .filter(|label| *label != "–")
            .map(|label| label.trim_matches('`').to_owned())
            .collect();
        described.insert(row[1].to_owned(), (row[2].to_owned(), labels));
    }
    let listed = metrics.list();
    let names =
        |list: &BTreeMap<String, (String, BTreeSet<String>)>| list.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&described), names(&listed));
    for (name, (kind, labels)) in &listed {
        let (described_kind, described_labels) = &described[name];
        assert_eq!(kind, described_kind, "{name}");
        // A metric without a series at present has none to compare.
        let is_empty = labels.is_empty() && !metrics.0.contains(&format!("\n{name} "));
        assert!(labels == described_labels || is_empty || kind == "histogram", "{name}: {labels:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_reads_under_names_of_this_machine_alone() {
    let place = Place::new(QUICK);
    let (_daemon, shown) = serving(&place).await;
    for (method, path, host, status) in [
        (Method::GET, "/metrics", None, 200),
        (Method::GET, "/metrics", Some("localhost:9598"), 200),
        (Method::GET, "/metrics", Some("rebound.example:9598"), 421),
        (Method::POST, "/metrics", None, 405),
        (Method::DELETE, "/api/v1/status", None, 405),
        (Method::GET, "/", None, 200),
        (Method::HEAD, "/clusters/batman", None, 200),
        (Method::POST, "/", None, 405),
        (Method::GET, "/", Some("rebound.example:9598"), 421),
        (Method::GET, "/metrics/", None, 404),
        (Method::GET, "/livez?verbose", None, 200),
    ] {
        let answer = shown.ask(method.clone(), path, host).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path} {host:?}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(answer.headers().get("access-control-allow-origin").is_none());
    }
    let (get, head) =
        (shown.ask(Method::GET, "/metrics", None).await, shown.ask(Method::HEAD, "/metrics", None).await);
    for answer in [&get, &head] {
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        assert!(answer.headers()["content-length"].to_str().unwrap().parse::<u64>().unwrap() > 1000);
    }
    assert_eq!(head.text().await.unwrap(), "");
}

/// Slow clients keep their own connections alone, and no pass waits for them.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_nothing_hold_up_nothing() {
    let place = Place::new(QUICK);
    let (mut daemon, shown) = serving(&place).await;
    let address = shown.0.strip_prefix("http://").unwrap().to_owned();
    let mut slow = Vec::new();
    for number in 0..40 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").await.unwrap();
        }
        slow.push(stream);
    }
    place.switchover(PG2).await;
    place.until_right(PG2).await;
    // More than it serves at once: this one is answered when the first of them are given up.
    assert_eq!(shown.get("/livez").await, "ok\n");
    // It is closed.
    drop(timeout(PATIENCE, slow[0].read_to_end(&mut Vec::new())).await.unwrap());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_once_every_cluster_was_checked() {
    let place = Place::new(&QUICK.replace("interval_seconds = 0.1", "interval_seconds = 600"));
    place.add_robin();
    let (_daemon, shown) = serving(&place).await;
    // The first checks are spread over the interval.
    shown.until("batman was checked", |metrics| metrics.0.contains("has_primary{scope=\"batman\"}")).await;
    let answer = shown.ask(Method::GET, "/readyz", None).await;
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(answer.text().await.unwrap(), "not checked yet: robin\n");
    assert_eq!(shown.get("/livez").await, "ok\n");
    let status: Value = serde_json::from_str(&shown.get("/api/v1/status").await).unwrap();
    assert_eq!(status["clusters"][1]["verdict"]["message"], "not checked yet");
}

/// What `repoint history --format json` says without Patroni.
#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_that_of_the_command() {
    let place = Place::new(QUICK);
    let (_daemon, shown) = serving(&place).await;
    place.switchover(PG2).await;
    let moved = "repoint_retargets_total{scope=\"batman\",cause=\"switchover\"}";
    shown.until("it has moved", |metrics| metrics.is(moved, "1")).await;
    let mut served: Value = serde_json::from_str(&shown.get("/api/v1/history?cluster=batman").await).unwrap();
    let ran = place.command(&["history", "--format", "json"]).output().await.unwrap();
    let mut command: Value = serde_json::from_slice(&ran.stdout).unwrap();
    for history in [&mut served, &mut command] {
        history["clusters"][0].as_object_mut().unwrap().remove("warnings");
        for event in history["clusters"][0]["events"].as_array_mut().unwrap() {
            let event = event.as_object_mut().unwrap();
            event.retain(|field, _| !["promoted_at", "promoted_to_moved_ms"].contains(&field.as_str()));
        }
    }
    assert_eq!(served, command);
    assert_eq!(served["clusters"][0]["events"].as_array().unwrap().last().unwrap()["cause"], "switchover");
    let page = shown.get("/clusters/batman").await;
    assert!(page.contains("pg2 is the primary") && page.contains("pg1 → pg2"), "{page}");
}

/// A page that is open in a browser follows the cluster, and says when it can no longer do so.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_updates_itself_until_the_daemon_is_gone() {
    let Some(browser) = Browser::start().await else { return };
    let place = Place::new(QUICK);
    let (mut daemon, shown) = serving(&place).await;
    place.until(|site| site.cluster.is_settled(site.now)).await;
    shown.until("a pass was made", |metrics| metrics.0.contains("repoint_endpoint_in_sync{")).await;
    browser.open(&format!("{}/clusters/batman", shown.0)).await;
    browser.until("document.getElementById('summary').innerText.includes('pg1 is the primary')").await;
    place.switchover(PG2).await;
    place.until_right(PG2).await;
    browser.until("document.getElementById('summary').innerText.includes('pg2 is the primary')").await;
    browser.until("document.getElementById('content').innerText.includes('pg1 → pg2')").await;
    assert_eq!(browser.console().await, [""; 0]);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await, 0);
    browser
        .until("document.getElementById('lost').innerText.startsWith('The daemon has not answered since 20')")
        .await;
    assert_eq!(browser.script("return document.title.slice(0, 11)").await, "(no answer)");
    browser.picture("gone").await;
    // Another one at the same place is the same to the page.
    place.configure(&QUICK.replace("127.0.0.1:0", shown.0.strip_prefix("http://").unwrap()));
    let (_daemon, _shown) = serving(&place).await;
    browser.until("document.getElementById('lost').hidden && !document.title.includes('no answer')").await;
}

/// The shape of `repoint status --format json`.
#[tokio::test(flavor = "multi_thread")]
async fn the_status_has_the_shape_of_the_command() {
    let place = Place::new(QUICK);
    let (_daemon, shown) = serving(&place).await;
    place.until(|site| site.cluster.is_settled(site.now)).await;
    shown.until("a pass was made", |metrics| metrics.0.contains("repoint_endpoint_in_sync{")).await;
    let ran = place.command(&["status", "--format", "json"]).output().await.unwrap();
    let command: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let served: Value = serde_json::from_str(&shown.get("/api/v1/status").await).unwrap();
    let (command, mut served) = (command["clusters"][0].clone(), served["clusters"][0].clone());
    for added in ["outcome", "checked_at_ms", "passed_at_ms"] {
        assert!(served.as_object_mut().unwrap().remove(added).is_some(), "{added}");
    }
    assert_eq!(shape(&served), shape(&command));
}

/// The names of all fields, and what is in their first items.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), shape(field))).collect(),
        Value::Array(items) => items.first().map_or(Value::Null, shape),
        _ => Value::Null,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_leaves_no_series_of_what_is_gone_and_counts_on() {
    let place = Place::new(QUICK);
    place.add_robin();
    let (mut daemon, shown) = serving(&place).await;
    let robin = "repoint_cluster_has_primary{scope=\"robin\"}";
    let in_sync = "\nrepoint_endpoint_in_sync{scope=\"batman\"";
    shown
        .until("both were passed over", |metrics| metrics.is(robin, "0") && metrics.0.contains(in_sync))
        .await;
    let asked =
        "repoint_aws_requests_total{action=\"elasticloadbalancing:DescribeTargetHealth\",code=\"ok\"}";
    let before: u64 = shown.until("it was asked", |_| true).await.value(asked).unwrap().parse().unwrap();
    assert!(before > 0);
    place.configure(QUICK);
    daemon.signal(Signal::HUP);
    daemon.says("configuration reloaded").await;
    let after = shown.until("it is gone", |metrics| metrics.is("repoint_clusters", "1")).await;
    assert!(!after.0.contains("robin"), "{}", after.0);
    // What is known of the other one is still shown.
    assert!(after.0.contains(in_sync), "{}", after.0);
    assert!(after.value(asked).unwrap().parse::<u64>().unwrap() >= before);

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = |address: &str| QUICK.replace("127.0.0.1:0", address);
    place.configure(&listen(&taken.local_addr().unwrap().to_string()));
    daemon.signal(Signal::HUP);
    let line = daemon.says("the new configuration is invalid").await;
    assert!(line.contains("cannot be used: Address already in use"), "{line}");
    shown.until("it is refused", |metrics| metrics.is("repoint_config_last_reload_successful", "0")).await;

    let free = taken.local_addr().unwrap().to_string();
    drop(taken);
    place.configure(&listen(&free));
    daemon.signal(Signal::HUP);
    let moved = Shown::by(&mut daemon).await;
    assert_eq!(moved.0, format!("http://{free}"));
    moved.until("it serves there", |metrics| metrics.is("repoint_config_last_reload_successful", "1")).await;
    // Where it was, it is closed.
    let old = shown.0.strip_prefix("http://").unwrap();
    let closing = async { while TcpStream::connect(old).await.is_ok() {} };
    timeout(PATIENCE, closing).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_an_error_at_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new(&QUICK.replace("127.0.0.1:0", &address));
    let (code, said) = place.run(&["watch"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains(&format!("`http.listen`: {address} cannot be used: Address already in use")),
        "{said}"
    );
    // The control socket is not left behind.
    assert!(!place.folder.path().join("repoint.sock").exists());
}
