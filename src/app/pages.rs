//! What the daemon shows over HTTP: metrics, health, status, the history and the status page. The routes are in
//! [`Pages::answer`].
//!
//! The answers are made on the server's own thread, from what the daemon knows; for them nothing is read but the history, and no
//! page waits for that longer than it says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tokio::time::Instant;
use url::form_urlencoded;

use super::metrics::{self, Process, render};
use super::overview::{Known, Overview};
use super::page::{self, Cluster, Frame, Page, Query};
use super::recent::{Recent, Wanted};
use super::watching::{Health, Watching};
use crate::adapters::clock::SystemClock;
use crate::adapters::http_server::Answer;
use crate::counters::Counters;
use crate::ports::Clock as _;
use repoint_domain::history::{ClusterHistory, History};
use repoint_domain::spec::Spec;
use repoint_domain::state::Retargets;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::timestamp::Timestamp;

/// The names in an answer to a probe, which a log may keep (invariant 10).
const MOST_NAMES: usize = 20;
const JSON: &str = "application/json";
/// Where the page of a cluster is.
const CLUSTERS: &str = "/clusters/";
/// How long a page waits for its history. It is read within 2 s, or not at all for some time.
const PAGE_WITHIN: Duration = Duration::from_millis(2500);
/// How long the history of all clusters may take: a connection lasts for 15 s.
const ALL_WITHIN: Duration = Duration::from_secs(10);

/// What is shown. It outlives a reload of the configuration.
pub struct Pages {
    counters: Counters,
    /// The daemon's loop has stopped if it gives no sign of life for so long.
    silent_after: Duration,
    /// The machine's name.
    host: String,
    shown: Mutex<Shown>,
}

/// Where what is shown comes from.
#[derive(Clone)]
pub struct Source {
    /// What is known of the clusters.
    pub overview: Arc<Overview>,
    /// Whether each is watched.
    pub health: Health,
    /// Their newest events.
    pub recent: Recent,
}

impl Source {
    /// Of these watched clusters.
    #[must_use]
    pub fn new(watching: &Watching, recent: Recent) -> Self {
        Self { overview: watching.overview(), health: watching.health(), recent }
    }
}

/// What there is to show at present.
#[derive(Clone)]
struct Shown {
    source: Source,
    /// Why the last configuration was refused.
    refused: Option<String>,
    loaded_at: Timestamp,
    alive_at: Instant,
}

impl Pages {
    /// For the clusters of a configuration.
    #[must_use]
    pub fn new(counters: Counters, silent_after: Duration, source: Source) -> Self {
        let shown = Shown { source, refused: None, loaded_at: SystemClock.now(), alive_at: Instant::now() };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { counters, silent_after, host, shown: Mutex::new(shown) }
    }

    /// Another configuration was loaded.
    pub fn reloaded(&self, source: Source) {
        let mut shown = self.lock();
        (shown.source, shown.refused, shown.loaded_at) = (source, None, SystemClock.now());
    }

    /// A configuration was refused.
    pub fn refused(&self, why: &str) {
        self.lock().refused = Some(why.to_owned());
    }

    /// The daemon's loop runs.
    pub fn alive(&self) {
        self.lock().alive_at = Instant::now();
    }

    /// The page at a path, with its query.
    #[must_use]
    pub fn answer(&self, target: &str) -> BoxFuture<'static, Answer> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let answer = match path {
            "/" => self.fleet(query),
            "/metrics" => self.metrics(),
            "/livez" => self.is_alive(),
            "/readyz" => self.is_ready(),
            "/runbook" => shown(200, page::runbook(&self.frame(&self.shown()))),
            "/api/v1/status" => self.status(),
            "/api/v1/history" => return self.history(query),
            _ => match page::ASSETS.iter().find(|(asset, ..)| *asset == path) {
                Some((_, content_type, text)) => Answer::ok(content_type, (*text).to_owned()),
                None => match path.strip_prefix(CLUSTERS) {
                    Some(name) => return self.cluster(name),
                    None => Answer::text(
                        404,
                        "there are /, /metrics, /livez, /readyz, /runbook, /api/v1/status and /api/v1/history",
                    ),
                },
            },
        };
        ready(answer).boxed()
    }

    /// The page of all clusters.
    fn fleet(&self, query: &str) -> Answer {
        let now = self.shown();
        let query = Query::of(form_urlencoded::parse(query.as_bytes()));
        let stuck: BTreeSet<&str> = now.stuck();
        let clusters: Vec<Cluster> = now
            .source
            .overview
            .clusters()
            .map(|(spec, _, known)| cluster(spec, &known, stuck.contains(spec.name.as_str())))
            .collect();
        shown(200, page::fleet(&self.frame(&now), &clusters, &query))
    }

    /// The page of one cluster, whose name is percent-encoded.
    fn cluster(&self, name: &str) -> BoxFuture<'static, Answer> {
        let now = self.shown();
        let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
        let Some((spec, known)) = now.find(&name) else {
            let sentence =
                format!("There is no cluster of the name {name} in the configuration of this daemon.");
            return ready(shown(404, page::missing(&self.frame(&now), "../", &sentence))).boxed();
        };
        let is_stuck = now.stuck().contains(&*name);
        let (host, troubles) = (self.host.clone(), self.troubles(&now));
        async move {
            let wanted = vec![(spec.clone(), known.events().cloned())];
            let history = now.source.recent.of(wanted, PAGE_WITHIN).await.clusters.pop();
            let history =
                history.unwrap_or_else(|| ClusterHistory::new(&spec.scope, &spec.name, <_>::default(), None));
            let frame = Frame { host: &host, now: SystemClock.now(), troubles };
            shown(200, page::cluster(&frame, &cluster(&spec, &known, is_stuck), &history))
        }
        .boxed()
    }

    /// The newest events of all clusters, or of one.
    fn history(&self, query: &str) -> BoxFuture<'static, Answer> {
        let now = self.shown();
        let named = form_urlencoded::parse(query.as_bytes()).find(|(field, _)| field == "cluster");
        let named = named.map(|(_, name)| name.into_owned());
        let is_wanted = |spec: &Spec| named.as_ref().is_none_or(|name| spec.name.as_str() == name);
        let wanted: Vec<Wanted> = now
            .source
            .overview
            .clusters()
            .filter(|(spec, ..)| is_wanted(spec))
            .map(|(spec, _, known)| (spec.clone(), known.events().cloned()))
            .collect();
        if let (Some(name), true) = (&named, wanted.is_empty()) {
            return ready(Answer::text(404, &format!("there is no cluster of the name {name}"))).boxed();
        }
        let within = if named.is_some() { PAGE_WITHIN } else { ALL_WITHIN };
        async move {
            let history: History = now.source.recent.of(wanted, within).await;
            json(&history)
        }
        .boxed()
    }

    fn frame(&self, now: &Shown) -> Frame<'_> {
        Frame { host: &self.host, now: SystemClock.now(), troubles: self.troubles(now) }
    }

    /// What is wrong with the daemon itself.
    fn troubles(&self, now: &Shown) -> Vec<String> {
        let silent = now.alive_at.elapsed();
        let silent = (silent > self.silent_after).then(|| {
            format!("The daemon has done nothing for {} s: what is shown here may be old.", silent.as_secs())
        });
        let refused = now.refused.as_ref();
        let refused = refused
            .map(|why| format!("The new configuration is invalid, and the old one stays in use: {why}"));
        silent.into_iter().chain(refused).collect()
    }

    fn metrics(&self) -> Answer {
        let Shown { source, refused, loaded_at, .. } = self.shown();
        let is_last_reload_good = refused.is_none();
        let process = Process { counters: self.counters.clone(), is_last_reload_good, loaded_at };
        Answer::ok(metrics::CONTENT_TYPE, render(&source.overview, Some(&process)))
    }

    /// As systemd's watchdog judges it.
    fn is_alive(&self) -> Answer {
        let shown = self.shown();
        if shown.alive_at.elapsed() > self.silent_after {
            let since = shown.alive_at.elapsed().as_secs();
            return Answer::text(503, &format!("the daemon has not answered for {since} s"));
        }
        let stuck: Vec<&str> = shown.stuck().into_iter().collect();
        match stuck[..] {
            [] => Answer::text(200, "ok"),
            _ => Answer::text(503, &format!("no longer watched: {}", names(&stuck))),
        }
    }

    /// Once every cluster has been checked.
    fn is_ready(&self) -> Answer {
        let overview = self.shown().source.overview;
        match overview.unchecked() {
            waiting if waiting.is_empty() => Answer::text(200, "ok"),
            waiting => Answer::text(503, &format!("not checked yet: {}", names(&waiting))),
        }
    }

    fn status(&self) -> Answer {
        json(&self.shown().source.overview.statuses(SystemClock.now()))
    }

    fn shown(&self) -> Shown {
        self.lock().clone()
    }

    /// A panic leaves nothing half done: each change is one of assignments.
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// The clusters that should have been checked long ago.
    fn stuck(&self) -> BTreeSet<&str> {
        self.source.health.stuck().into_iter().map(EntryName::as_str).collect()
    }

    fn find(&self, name: &str) -> Option<(Spec, Known)> {
        let mut clusters = self.source.overview.clusters();
        let (spec, _, known) = clusters.find(|(spec, ..)| spec.name.as_str() == name)?;
        Some((spec.clone(), known))
    }
}

fn cluster<'a>(spec: &'a Spec, known: &Known, is_stuck: bool) -> Cluster<'a> {
    Cluster {
        spec,
        status: known.status(spec, SystemClock.now()),
        outcome: known.outcome(),
        trouble: known.trouble().map(str::to_owned),
        checked_at: known.checked_at,
        passed_at: known.passed_at,
        moved_at: known.retargets().and_then(Retargets::last_at),
        is_stuck,
    }
}

fn shown(status: u16, page: Page) -> Answer {
    Answer { status, tag: Some(page.tag), ..Answer::ok(page::HTML, page.html) }
}

fn json(value: &impl Serialize) -> Answer {
    match serde_json::to_string_pretty(value) {
        Ok(body) => Answer::ok(JSON, body),
        Err(error) => Answer::text(500, &error.to_string()),
    }
}

/// The first of them, and how many more there are.
fn names(all: &[&str]) -> String {
    let shown = all[..all.len().min(MOST_NAMES)].join(", ");
    match all.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
