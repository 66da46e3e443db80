//! Every configured cluster, watched at the same time.
//!
//! Clusters do not wait for each other, and what is wrong with one slows down that one alone, even a panic. A cluster that is
//! no longer checked is reported (invariant 12).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch as channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::error;

use super::App;
use super::overview::Overview;
use crate::adapters::clock::SystemClock;
use crate::counters::Counters;
use crate::ports::{Clock as _, Ports};
use crate::runtime::insync::Insync;
use crate::runtime::supervise::{Panics, supervise};
use crate::runtime::watch::{Channels, Intervals, News, Settings, TICK, watch};
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::EntryName;

/// A watched cluster that has begun no check for so long beyond what its passes may take is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// The watched clusters.
pub struct Watching {
    tasks: JoinSet<()>,
    stop: channel::Sender<bool>,
    wake: Wake,
    health: Health,
    overview: Arc<Overview>,
}

/// Whether each cluster is watched.
#[derive(Clone, Debug, Default)]
pub struct Health {
    watched: Arc<BTreeMap<EntryName, Watched>>,
    /// The longest that a cluster may go without a check.
    longest: Duration,
}

impl Health {
    /// Clusters that should have been checked long ago, or whose checks all panic.
    #[must_use]
    pub fn stuck(&self) -> Vec<&EntryName> {
        let stuck = self.watched.iter().filter(|(_, watched)| watched.is_stuck(self.longest));
        stuck.map(|(name, _)| name).collect()
    }
}

/// What is known of one of them.
#[derive(Debug)]
struct Watched {
    /// When it last began a check.
    checked: channel::Receiver<Instant>,
    panics: channel::Receiver<Panics>,
    /// Whether its last pass could do its work; before the first one, that is not known.
    works: Arc<AtomicBool>,
}

impl Watched {
    /// Whether no check was begun for so long, or none will be.
    fn is_stuck(&self, longest: Duration) -> bool {
        // A task that has ended has dropped its end.
        let has_ended = self.checked.has_changed().is_err();
        has_ended || self.panics.borrow().is_lasting() || self.checked.borrow().elapsed() > longest
    }
}

/// Makes clusters check at once.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Vec<Woken>>);

/// A cluster, what wakes it, and why it could not work.
type Woken = (Arc<Spec>, Arc<Notify>, Blocked);

/// Why the last pass could write nothing, if the state store was unavailable.
type Blocked = channel::Receiver<Option<String>>;

impl Wake {
    /// Wakes every entry of that scope, one that has a site of that scope, and one of that name; `false` if none is
    /// watched.
    #[must_use]
    pub fn wake(&self, scope: &str) -> bool {
        let meant = self.0.iter().filter(|(spec, ..)| is_meant(spec, scope));
        meant.inspect(|(_, wake, _)| wake.notify_one()).count() > 0
    }

    /// Why the last pass over one of them could write nothing, if the state store was unavailable.
    #[must_use]
    pub fn blocked(&self, scope: &str) -> Option<String> {
        let mut meant = self.0.iter().filter(|(spec, ..)| is_meant(spec, scope));
        meant.find_map(|(_, _, blocked)| blocked.borrow().clone())
    }
}

/// Whether a caller means that cluster.
fn is_meant(spec: &Spec, scope: &str) -> bool {
    spec.has_scope(scope) || spec.name.as_str() == scope
}

impl Watching {
    /// Begins to watch. `notify` is called with all news; `before` is what is known of the clusters already.
    pub fn start(app: &Arc<App>, before: Option<&Overview>, notify: fn(&News<'_>)) -> Self {
        let interval = app.settings.watch.interval;
        let settings = Settings {
            intervals: Intervals { interval, audit_interval: app.audit_interval() },
            pass: app.pass_settings(app.limits()),
        };
        let ports = {
            let app = app.clone();
            move || app.ports()
        };
        let overview = Overview::new(&app.settings.clusters, before, SystemClock.now());
        Self::over(overview, ports, settings, &app.insync, &app.counters, notify)
    }

    /// Begins to watch the clusters of an overview, each with ports of its own for each pass, and keeps the overview true to them.
    pub fn over(
        overview: Overview,
        ports: impl Fn() -> Ports + Clone + Send + Sync + 'static,
        settings: Settings,
        insync: &Insync,
        counters: &Counters,
        notify: fn(&News<'_>),
    ) -> Self {
        let overview = Arc::new(overview);
        let (stop, stopped) = channel::channel(false);
        let mut tasks = JoinSet::new();
        let (mut wakes, mut watched) = (Vec::new(), BTreeMap::new());
        // The first checks are spread over the ticks of an interval, as later ones are by jitter; passes wait for their turn.
        let began = Instant::now();
        let spacing =
            settings.intervals.interval / u32::try_from(overview.specs().len()).unwrap_or(u32::MAX).max(1);
        for (number, spec) in (0..).zip(overview.specs()) {
            let (checked, last_checked) = channel::channel(Instant::now());
            let (panics, counted) = channel::channel(Panics::default());
            let works = Arc::new(AtomicBool::new(false));
            let of_it = Watched { checked: last_checked, panics: counted, works: works.clone() };
            watched.insert(spec.name.clone(), of_it);
            let wake: Arc<Notify> = Arc::default();
            let (blocked, last_blocked) = channel::channel(None);
            wakes.push((spec.clone(), wake.clone(), last_blocked));
            let channels = Channels { wake, stop: stopped.clone(), checked: Arc::new(checked) };
            let (ports, spec, insync, stopped) =
                (ports.clone(), spec.clone(), insync.clone(), stopped.clone());
            let (overview, counters) = (overview.clone(), counters.clone());
            let ticks = u32::try_from((spacing * number).as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
            let mut first = began + TICK * ticks;
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            tasks.spawn(async move {
                let start = || {
                    let first = std::mem::replace(&mut first, Instant::now());
                    let notify = |news: News<'_>| {
                        notify(&news);
                        if let News::Passed { report, .. } = &news {
                            works.store(report.is_working(), Ordering::Relaxed);
                            blocked.send_replace(report.state_unavailable().map(str::to_owned));
                        }
                        note(news, place, &overview, &counters);
                    };
                    watch(&spec, &ports, &settings, channels.clone(), first, &insync, notify)
                };
                let panicked = |message: &str, pause| log_panic(&spec.name, message, pause);
                supervise(start, stopped, &panics, panicked).await;
            });
        }
        let longest = settings.intervals.interval + settings.pass.limit * 2 + settings.pass.notify_within;
        let health = Health { watched: Arc::new(watched), longest: longest + STUCK_AFTER };
        Self { tasks, stop, wake: Wake(Arc::new(wakes)), health, overview }
    }

    /// What makes a cluster check at once.
    #[must_use]
    pub fn wake(&self) -> Wake {
        self.wake.clone()
    }

    /// Whether each is watched.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// What is known of them.
    #[must_use]
    pub fn overview(&self) -> Arc<Overview> {
        self.overview.clone()
    }

    /// Clusters that should have been checked long ago, or whose checks all panic.
    #[must_use]
    pub fn stuck(&self) -> Vec<&EntryName> {
        self.health.stuck()
    }

    /// Whether each is checked, and the last pass over each could do its work.
    #[must_use]
    pub fn is_working(&self) -> bool {
        let Health { watched, longest } = &self.health;
        let works = |one: &Watched| one.works.load(Ordering::Relaxed) && !one.is_stuck(*longest);
        watched.values().all(works)
    }

    /// How often one of them has panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.health.watched.values().map(|watched| watched.panics.borrow().all).sum()
    }

    /// How many clusters are watched.
    #[must_use]
    pub fn count(&self) -> usize {
        self.health.watched.len()
    }

    /// Ends: what is under way is finished if that takes no longer than `grace`; whether it was.
    pub async fn stop(mut self, grace: Duration) -> bool {
        self.stop.send_replace(true);
        timeout(grace, async { while self.tasks.join_next().await.is_some() {} }).await.is_ok()
    }
}

/// Keeps the overview and the counters true to the news of one cluster.
fn note(news: News<'_>, place: usize, overview: &Overview, counters: &Counters) {
    match news {
        News::Checked(checked) => overview.checked(place, checked, SystemClock.now()),
        News::Unchanged => overview.unchanged(place, SystemClock.now()),
        News::Passed { report, delay, .. } => {
            counters.pass(report.outcome, Duration::from_millis(report.duration_ms));
            if let Some(delay) = delay {
                counters.retarget(delay);
            }
            overview.passed(place, report, SystemClock.now());
        }
        News::Arrived(_) => {}
    }
}

fn log_panic(name: &EntryName, message: &str, pause: Duration) {
    error!(
        cluster.name = name.as_str(),
        "the task that watches this cluster panicked, and restarts in {} s: {message}",
        pause.as_secs()
    );
}
