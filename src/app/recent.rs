//! The newest events of clusters, for readers of the daemon: they are read when the last pass says that there are more, and
//! kept until then.
//!
//! So a page that is refreshed every few seconds costs the table nothing while nothing happens. They are read on the threads of
//! the passes' runtime, since connections belong to the runtime that opened them, but by one reader at a time and never for a
//! pass: a table that is slow or throttled holds up no more than the reader (invariant 10).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Mutex as Turn;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::history::merged;
use crate::ports::History as Store;
use repoint_domain::history::{ClusterHistory, History, Reading};
use repoint_domain::observed::Read;
use repoint_domain::report::VERSION;
use repoint_domain::report::status::Events;
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::{Failure, Kind};

/// How many events of a cluster are shown.
pub const MOST_EVENTS: u64 = 20;
/// How many clusters are read at once: with [`MOST_EVENTS`] of each, 320 items of a table.
const CLUSTERS_AT_ONCE: usize = 16;
/// How long that may take. A table answers within milliseconds, and a file of 32 MB is read in a second.
const READ_WITHIN: Duration = Duration::from_secs(2);
/// When what could not be read is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// A cluster whose events are asked for; those of its state are absent while no pass has read it.
pub type Wanted = (Spec, Option<Events>);

/// What was read of the clusters of a configuration.
#[derive(Clone)]
pub struct Recent(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    /// Where passes are made.
    runtime: Handle,
    turn: Turn<()>,
    kept: Mutex<BTreeMap<EntryName, Kept>>,
}

struct Kept {
    /// What the state had then: an event that waited there may have been stored since.
    events: Events,
    at: Instant,
    reading: Read<Reading>,
}

impl Kept {
    /// Whether that is still what is stored, as far as is known.
    fn is_current(&self, events: &Events) -> bool {
        if self.reading.is_ok() { self.events == *events } else { self.at.elapsed() < AGAIN_AFTER }
    }
}

impl Recent {
    /// Of that store, in which nothing was read yet; to be called on the passes' runtime.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Inner {
            store,
            runtime: Handle::current(),
            turn: Turn::default(),
            kept: Mutex::default(),
        }))
    }

    /// The newest events of these clusters; an error stands where they could not be read within that time.
    pub async fn of(&self, wanted: Vec<Wanted>, within: Duration) -> History {
        let known = |(spec, events): &Wanted| Some((spec.name.clone(), events.clone()?));
        let known: Vec<(EntryName, Events)> = wanted.iter().filter_map(known).collect();
        // It ends with this reader.
        let mut reading = JoinSet::new();
        let inner = self.0.clone();
        reading.spawn_on(async move { inner.read(known).await }, &self.0.runtime);
        drop(timeout(within, reading.join_next()).await);
        let kept = self.0.lock();
        let clusters =
            wanted.iter().map(|(spec, events)| history(spec, events.as_ref(), kept.get(&spec.name)));
        History { version: VERSION, clusters: clusters.collect() }
    }
}

impl Inner {
    /// Reads those of which there may be more.
    async fn read(&self, known: Vec<(EntryName, Events)>) {
        let _turn = self.turn.lock().await;
        let outdated: Vec<(EntryName, Events)> = {
            let kept = self.lock();
            let is_current = |(name, events): &(EntryName, Events)| {
                kept.get(name).is_some_and(|kept| kept.is_current(events))
            };
            known.into_iter().filter(|known| !is_current(known)).collect()
        };
        for some in outdated.chunks(CLUSTERS_AT_ONCE) {
            let last_events = some.iter().map(|(name, events)| (name.clone(), events.last)).collect();
            let read = timeout(READ_WITHIN, self.store.stored(&last_events, Some(MOST_EVENTS))).await.ok();
            let mut kept = self.lock();
            for (name, events) in some {
                let reading = read.as_ref().map(|readings| readings.get(name).cloned());
                let reading = reading.map(|found| found.unwrap_or_else(|| Ok(Reading::default())));
                let reading = reading.unwrap_or_else(|| Err(failure(name, "no answer within 2 s")));
                kept.insert(name.clone(), Kept { events: events.clone(), at: Instant::now(), reading });
            }
        }
    }

    /// A panic leaves nothing half done: what is held is only replaced.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<EntryName, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure(name: &EntryName, why: &str) -> Failure {
    Failure::new(Kind::Unavailable, "reading the history", name.as_str(), why)
}

fn history(spec: &Spec, events: Option<&Events>, kept: Option<&Kept>) -> ClusterHistory {
    let reading = match (events, kept) {
        (_, Some(kept)) => kept.reading.clone(),
        (None, None) => Err(failure(&spec.name, "no pass has read the state yet")),
        (Some(_), None) => Err(failure(&spec.name, "not read yet: ask again")),
    };
    let waiting = events.map_or(&[][..], |events| &events.pending);
    let mut history = merged(spec, reading, waiting, None);
    let surplus = history.events.len().saturating_sub(usize::try_from(MOST_EVENTS).unwrap_or(usize::MAX));
    history.events.drain(..surplus);
    if let (Some(events), Some(kept)) = (events, kept)
        && !kept.is_current(events)
    {
        history.warnings.push("newer events are not read yet: ask again".to_owned());
    }
    history
}
