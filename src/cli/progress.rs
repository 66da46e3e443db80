//! The progress over many clusters: one line on stderr, if that is a terminal.

use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{stderr, terminal};
use repoint_domain::report::status::ClusterStatus;
use repoint_domain::report::{ClusterReport, Outcome};
use repoint_domain::values::units;

/// What ends sooner needs no progress.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
const REDRAWN_EVERY: Duration = Duration::from_millis(100);

/// How many clusters are done, and with what result.
#[derive(Debug)]
pub struct Progress {
    all: usize,
    began: Instant,
    done: Mutex<Done>,
}

#[derive(Debug, Default)]
struct Done {
    clusters: usize,
    /// Those that are not as they should be, or were not.
    notable: BTreeMap<&'static str, usize>,
}

impl Progress {
    /// Of so many clusters, from now on.
    pub fn of(all: usize) -> Self {
        Self { all, began: Instant::now(), done: Mutex::default() }
    }

    /// A pass over one of them has ended.
    pub fn passed(&self, report: &ClusterReport) {
        self.add(Some(report.outcome).filter(|outcome| *outcome != Outcome::Converged).map(Outcome::as_str));
    }

    /// The status of one of them was read.
    pub fn read(&self, status: &ClusterStatus) {
        self.add(status.trouble().map(|_| "in trouble"));
    }

    fn add(&self, notable: Option<&'static str>) {
        let mut done = self.lock();
        done.clusters += 1;
        if let Some(what) = notable {
            *done.notable.entry(what).or_default() += 1;
        }
    }

    /// Whether it takes so long that it is to be shown.
    pub fn is_long(&self) -> bool {
        self.began.elapsed() >= SHOWN_AFTER
    }

    /// In words, all of them ASCII.
    pub fn words(&self) -> String {
        let done = self.lock();
        let notable: Vec<String> =
            done.notable.iter().map(|(what, count)| format!(", {count} {what}")).collect();
        let elapsed = units::seconds(self.began.elapsed().as_secs());
        format!("{} of {} clusters done{}, {elapsed}", done.clusters, self.all, notable.concat())
    }

    /// Does the work, and draws how far it is, unless that is not wanted.
    pub async fn shown<T>(&self, is_quiet: bool, work: impl Future<Output = T>) -> T {
        if is_quiet { work.await } else { drawn(self.began, || self.words(), work).await }
    }

    /// A panic leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many things of each kind doctor has read.
#[cfg(feature = "doctor")]
#[derive(Debug)]
pub struct Reads {
    began: Instant,
    /// Done and all, by kind.
    counts: Mutex<BTreeMap<&'static str, (usize, usize)>>,
}

#[cfg(feature = "doctor")]
impl Reads {
    /// From now on.
    pub fn new() -> Self {
        Self { began: Instant::now(), counts: Mutex::default() }
    }

    /// So many of a kind are read.
    pub fn read(&self, what: &'static str, done: usize, all: usize) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).insert(what, (done, all));
    }

    /// Does the work, and draws how far it is.
    pub async fn shown<T>(&self, work: impl Future<Output = T>) -> T {
        drawn(self.began, || self.words(), work).await
    }

    fn words(&self) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let unfinished = counts.iter().filter(|(_, (done, all))| done < all);
        let kinds: Vec<String> =
            unfinished.map(|(what, (done, all))| format!("{done} of {all} {what} read")).collect();
        let elapsed = units::seconds(self.began.elapsed().as_secs());
        if kinds.is_empty() { elapsed } else { format!("{}, {elapsed}", kinds.join(", ")) }
    }
}

/// Does the work, and draws the words on stderr, if that is a terminal.
async fn drawn<T>(began: Instant, words: impl Fn() -> String, work: impl Future<Output = T>) -> T {
    if !terminal::is_drawable(&io::stderr()) {
        return work.await;
    }
    let mut redraws = interval_at(began + SHOWN_AFTER, REDRAWN_EVERY);
    redraws.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let _erased = Erased;
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = redraws.tick() => {
                // What wraps into another line could not be erased.
                let mut line = words();
                line.truncate(terminal::size(&io::stderr()).columns.saturating_sub(1));
                stderr::draw(line);
            }
        }
    }
}

/// However the work ends.
struct Erased;

impl Drop for Erased {
    fn drop(&mut self) {
        stderr::draw(String::new());
    }
}
