//! What the daemon shows over HTTP: metrics, health and status. The routes are in [`Pages::answer`].
//!
//! The answers are made on the server's own thread, from what the daemon knows; nothing is asked for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::metrics::{self, Process, render};
use super::overview::Overview;
use super::watching::{Health, Watching};
use crate::adapters::clock::SystemClock;
use crate::adapters::http_server::Answer;
use crate::counters::Counters;
use crate::ports::Clock as _;
use repoint_domain::values::timestamp::Timestamp;

/// The names in an answer to a probe, which a log may keep (invariant 10).
const MOST_NAMES: usize = 20;
const JSON: &str = "application/json";

/// What is shown. It outlives a reload of the configuration.
pub struct Pages {
    counters: Counters,
    /// The daemon's loop has stopped if it gives no sign of life for so long.
    silent_after: Duration,
    shown: Mutex<Shown>,
}

/// What there is to show at present.
#[derive(Clone)]
struct Shown {
    overview: Arc<Overview>,
    health: Health,
    is_last_reload_good: bool,
    loaded_at: Timestamp,
    alive_at: Instant,
}

impl Pages {
    /// For these watched clusters.
    #[must_use]
    pub fn new(counters: Counters, silent_after: Duration, watching: &Watching) -> Self {
        let shown = Shown {
            overview: watching.overview(),
            health: watching.health(),
            is_last_reload_good: true,
            loaded_at: SystemClock.now(),
            alive_at: Instant::now(),
        };
        Self { counters, silent_after, shown: Mutex::new(shown) }
    }

    /// Another configuration was loaded.
    pub fn reloaded(&self, watching: &Watching) {
        let mut shown = self.lock();
        (shown.overview, shown.health) = (watching.overview(), watching.health());
        (shown.is_last_reload_good, shown.loaded_at) = (true, SystemClock.now());
    }

    /// A configuration was refused.
    pub fn refused(&self) {
        self.lock().is_last_reload_good = false;
    }

    /// The daemon's loop runs.
    pub fn alive(&self) {
        self.lock().alive_at = Instant::now();
    }

    /// The page at a path, with its query.
    #[must_use]
    pub fn answer(&self, target: &str) -> Answer {
        match target.split('?').next().unwrap_or_default() {
            "/metrics" => self.metrics(),
            "/livez" => self.is_alive(),
            "/readyz" => self.is_ready(),
            "/api/v1/status" => self.status(),
            _ => Answer::text(404, "there are /metrics, /livez, /readyz and /api/v1/status"),
        }
    }

    fn metrics(&self) -> Answer {
        let Shown { overview, is_last_reload_good, loaded_at, .. } = self.shown();
        let process = Process { counters: self.counters.clone(), is_last_reload_good, loaded_at };
        Answer { status: 200, content_type: metrics::CONTENT_TYPE, body: render(&overview, Some(&process)) }
    }

    /// As systemd's watchdog judges it.
    fn is_alive(&self) -> Answer {
        let shown = self.shown();
        if shown.alive_at.elapsed() > self.silent_after {
            let since = shown.alive_at.elapsed().as_secs();
            return Answer::text(503, &format!("the daemon has not answered for {since} s"));
        }
        let stuck: Vec<&str> = shown.health.stuck().into_iter().map(|name| name.as_str()).collect();
        match stuck[..] {
            [] => Answer::text(200, "ok"),
            _ => Answer::text(503, &format!("no longer watched: {}", names(&stuck))),
        }
    }

    /// Once every cluster has been checked.
    fn is_ready(&self) -> Answer {
        let overview = self.shown().overview;
        match overview.unchecked() {
            waiting if waiting.is_empty() => Answer::text(200, "ok"),
            waiting => Answer::text(503, &format!("not checked yet: {}", names(&waiting))),
        }
    }

    fn status(&self) -> Answer {
        let statuses = self.shown().overview.statuses(SystemClock.now());
        match serde_json::to_string_pretty(&statuses) {
            Ok(body) => Answer { status: 200, content_type: JSON, body },
            Err(error) => Answer::text(500, &error.to_string()),
        }
    }

    fn shown(&self) -> Shown {
        self.lock().clone()
    }

    /// A panic leaves nothing half done: each change is one of assignments.
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
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
