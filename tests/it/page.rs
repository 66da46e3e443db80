//! The status page: what the server answers, and the page in a browser.

#![expect(clippy::print_stdout, reason = "figures are told")]

mod browser;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use repoint::adapters::http_server::Server;
use repoint::adapters::state_file::StateFile;
use repoint::app::{Counters, Health, Overview, Pages, Recent, Source};
use repoint::ports::History;
use repoint_domain::history::Reading;
use repoint_domain::observed::Read;
use repoint_domain::report::ClusterReport;
use repoint_domain::state::PendingEvent;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::Failure;
use reqwest::header::IF_NONE_MATCH;
use reqwest::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use world::{HOSTILE, Kept, NOW, RICH};

/// A daemon's server without the daemon.
struct World {
    server: Server,
    overview: Arc<Overview>,
    kept: Vec<Kept>,
    reads: Arc<AtomicUsize>,
    _folder: TempDir,
}

/// A history that counts how often it is read; or none answers.
struct Counting {
    store: StateFile,
    reads: Arc<AtomicUsize>,
    is_silent: bool,
}

#[async_trait]
impl History for Counting {
    async fn store(&self, entry: &EntryName, events: &[PendingEvent]) -> Result<(), Failure> {
        self.store.store(entry, events).await
    }

    async fn stored(
        &self,
        last_events: &BTreeMap<EntryName, u64>,
        most: Option<u64>,
    ) -> BTreeMap<EntryName, Read<Reading>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.is_silent {
            std::future::pending::<()>().await;
        }
        self.store.stored(last_events, most).await
    }
}

impl World {
    fn new(kept: Vec<Kept>) -> Self {
        Self::with(kept, false)
    }

    fn with(kept: Vec<Kept>, is_silent: bool) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("state.json.history"), world::history()).unwrap();
        let reads = Arc::new(AtomicUsize::new(0));
        let store = Counting {
            store: StateFile::new(folder.path().join("state.json")),
            reads: reads.clone(),
            is_silent,
        };
        let specs: Vec<_> = kept.iter().map(|(spec, _)| spec.clone()).collect();
        let overview = Arc::new(Overview::new(&specs, None, NOW));
        for (place, (_, report)) in kept.iter().enumerate() {
            overview.passed(place, report, NOW);
        }
        let source = Source {
            overview: overview.clone(),
            health: Health::default(),
            recent: Recent::new(Arc::new(store)),
        };
        let pages = Pages::new(Counters::default(), Duration::from_hours(1), source);
        let server =
            Server::start("127.0.0.1:0".parse().unwrap(), Arc::new(move |target: &str| pages.answer(target)));
        Self { server: server.unwrap(), overview, kept, reads, _folder: folder }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    async fn get(&self, path: &str, tag: &str) -> Response {
        let client = Client::builder().no_proxy().build().unwrap();
        client.get(self.url(path)).header(IF_NONE_MATCH, tag).send().await.unwrap()
    }

    async fn text(&self, path: &str) -> String {
        self.get(path, "").await.text().await.unwrap()
    }

    /// The last pass over a cluster has left something else.
    fn change(&self, name: &str, change: impl Fn(&mut ClusterReport)) {
        let place = self.kept.iter().position(|(spec, _)| spec.name.as_str() == name).unwrap();
        let mut report = self.kept[place].1.clone();
        change(&mut report);
        self.overview.passed(place, &report, NOW);
    }
}

/// The path of the cluster that has everything.
const RICH_PATH: &str = "/clusters/payments%2Feu%201";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_guarded_and_what_it_shows_is_text() {
    let world = World::new(world::fleet(30));
    for path in
        ["/", RICH_PATH, "/runbook", "/style.css", "/script.js", "/icon.svg", "/api/v1/history", "/livez"]
    {
        let answer = world.get(path, "").await;
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
    }
    let page = world.text(RICH_PATH).await;
    // As a member, in warnings, in conditions and in the history.
    assert!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count() >= 5, "{page}");
    for path in [RICH_PATH, "/?q=%22%3E%3Cscript%3Ealert(1)", "/clusters/%3Cscript%3Ealert(1)"] {
        let page = world.text(path).await;
        // Its own script is the only one.
        assert_eq!(page.matches("<script").count(), 1, "{path}");
        assert!(!page.contains(HOSTILE), "{path}");
        assert!(page.contains("<script src="), "{path}");
    }
    assert_eq!(world.get("/clusters/unknown", "").await.status().as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_cluster_says_what_is_known_of_it() {
    let world = World::new(world::fleet(30));
    let page = world.text(RICH_PATH).await;
    for words in [
        "orders-2001-a is the primary, on timeline 4; 1 of 2 endpoints not right.",
        "orders-2001-a answers that it is the primary, on timeline 4.",
        "does not answer: GET /primary on http://10.8.1.13:8008: connection timed out.",
        "310 MiB",
        "nofailover",
        "AccessDenied: not authorized to perform it",
        "../runbook#target_health",
        "alerts that are not published yet: 2",
        "54.0 s without a primary",
        "Left behind: target group orders-2001-rw (eu-central-1)",
        "failed: deregister target 10.8.1.13:5432 in target group orders-2001-rw (eu-central-1), 250 ms: ThrottlingException",
    ] {
        assert!(page.contains(words), "{words}:\n{page}");
    }
    let held = world.text("/clusters/inventory").await;
    assert!(held.contains("What to do: wait for the election"), "{held}");
    let runbook = world.text("/runbook").await;
    for kind in repoint_domain::state::ConditionKind::ALL {
        assert!(runbook.contains(&format!("<h2 id=\"{}\">", kind.as_str())), "{}", kind.as_str());
    }
    // Nothing of its own notation is left outside code.
    let prose = regex::Regex::new("(?s)<pre>.*?</pre>").unwrap().replace_all(&runbook, "");
    for mark in ["](", "**", "`", "|-"] {
        assert!(!prose.contains(mark), "{mark}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_has_not_changed_is_not_sent_again() {
    let world = World::new(world::fleet(1000));
    let began = Instant::now();
    let first = world.get("/", "").await;
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let bytes = first.text().await.unwrap().len();
    println!("1,000 clusters: {bytes} bytes after {} ms", began.elapsed().as_millis());
    assert!(bytes < 400_000, "{bytes} bytes");
    let again = world.get("/", &tag).await;
    assert_eq!(again.status().as_u16(), 304);
    assert!(again.headers().contains_key("date"));
    assert_eq!(again.text().await.unwrap(), "");
    world.change("orders-0007", |report| report.status.as_mut().unwrap().is_paused = true);
    assert_eq!(world.get("/", &tag).await.status().as_u16(), 200);

    let shown = |page: String| page.matches("<tr id=").count();
    assert_eq!(shown(world.text("/?trouble=1").await), 5);
    assert_eq!(shown(world.text("/?q=ORDERS-0042+targetgroup").await), 1);
    assert_eq!(shown(world.text("/?q=10.0.42.12").await), 1);
    assert_eq!(shown(world.text("/?q=nothing+of+that").await), 0);
}

/// A page that is refreshed reads nothing while nothing happens.
#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_read_when_there_is_more_of_it() {
    let world = World::new(world::fleet(30));
    let reads = || world.reads.load(Ordering::Relaxed);
    world.text("/").await;
    assert_eq!(reads(), 0);
    for _ in 0..3 {
        assert!(world.text(RICH_PATH).await.contains("54.0 s without a primary"));
    }
    assert_eq!(reads(), 1);
    world.change(RICH, |report| report.status.as_mut().unwrap().events.as_mut().unwrap().last = 4);
    world.text(RICH_PATH).await;
    assert_eq!(reads(), 2);

    let all: Value = serde_json::from_str(&world.text("/api/v1/history").await).unwrap();
    // The other 29, in two parts.
    assert_eq!(reads(), 4);
    let clusters = all["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 30);
    let one: Value =
        serde_json::from_str(&world.text("/api/v1/history?cluster=payments%2Feu+1").await).unwrap();
    let rich = clusters.iter().find(|cluster| cluster["name"] == RICH).unwrap();
    assert_eq!((one["version"].clone(), &one["clusters"][0]), (all["version"].clone(), rich));
    assert_eq!(rich["events"][1]["cause"], "failover");
    assert_eq!(reads(), 4);
    assert_eq!(world.get("/api/v1/history?cluster=unknown", "").await.status().as_u16(), 404);
}

/// A page is there although the history is not, and the next one does not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_does_not_answer_holds_up_one_page_for_a_moment() {
    let world = World::with(world::fleet(30), true);
    let began = Instant::now();
    let page = world.text(RICH_PATH).await;
    assert!(
        page.contains("They could not be read: reading the history on payments/eu 1: no answer within 2 s."),
        "{page}"
    );
    assert!(page.contains("orders-2001-a is the primary"), "{page}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    world.text(RICH_PATH).await;
    assert_eq!(world.reads.load(Ordering::Relaxed), 1);
}
