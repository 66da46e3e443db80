//! A lane for each zone, on which requests go together.
//!
//! Law: who comes alone goes at once. While a request is under way those who come wait for its end, and then go as one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use repoint_domain::values::record::ZoneId;

/// Those who wait, by zone; a zone that is not there has nothing under way.
pub struct Queue<T>(Mutex<BTreeMap<ZoneId, Vec<T>>>);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Send + 'static> Queue<T> {
    /// Lets a request go by `flush`, which is given all that go together. It belongs to nobody who waits for it: that one
    /// of them goes away is nothing to the others.
    pub fn go<F>(self: &Arc<Self>, zone: &ZoneId, request: T, flush: fn(ZoneId, Vec<T>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.lock().entry(zone.clone()) {
            Entry::Occupied(step_group) => return step_group.into_mut().push(request),
            Entry::Vacant(step_group) => step_group.insert(vec![request]),
        };
        let (step_groups, zone) = (self.clone(), zone.clone());
        tokio::spawn(async move {
            while let Some(requests) = step_groups.next(&zone) {
                // One that panics ends those it carries, and not the lane.
                drop(tokio::spawn(flush(zone.clone(), requests)).await);
            }
        });
    }

    /// Those who wait; the lane is free again if there is nobody.
    fn next(&self, zone: &ZoneId) -> Option<Vec<T>> {
        let mut step_groups = self.lock();
        let waiting = step_groups.get_mut(zone).map(std::mem::take).filter(|waiting| !waiting.is_empty());
        if waiting.is_none() {
            step_groups.remove(zone);
        }
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ZoneId, Vec<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
