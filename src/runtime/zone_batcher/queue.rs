//! A queue for each zone, whose requests are sent together.
//!
//! A request that comes alone is sent at once. Those that come while one is under way wait for its end, and are then sent as
//! one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use repoint_domain::values::record::ZoneId;

/// The requests that wait, by zone; a zone that is not there has nothing under way.
pub struct Queue<T>(Mutex<BTreeMap<ZoneId, Vec<T>>>);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Send + 'static> Queue<T> {
    /// Sends a request by `flush`, which is given all requests that go together. It runs in a task of its own: that one pass
    /// goes away does not affect the others.
    pub fn send<F>(self: &Arc<Self>, zone: &ZoneId, request: T, flush: fn(ZoneId, Vec<T>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.lock().entry(zone.clone()) {
            Entry::Occupied(waiting) => return waiting.into_mut().push(request),
            Entry::Vacant(free) => free.insert(vec![request]),
        };
        let (queue, zone) = (self.clone(), zone.clone());
        tokio::spawn(async move {
            while let Some(requests) = queue.next(&zone) {
                // A panic ends the requests of this batch, and not the queue.
                drop(tokio::spawn(flush(zone.clone(), requests)).await);
            }
        });
    }

    /// The requests that wait; the queue is free again if there are none.
    fn next(&self, zone: &ZoneId) -> Option<Vec<T>> {
        let mut zones = self.lock();
        let waiting = zones.get_mut(zone).map(std::mem::take).filter(|waiting| !waiting.is_empty());
        if waiting.is_none() {
            zones.remove(zone);
        }
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ZoneId, Vec<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
