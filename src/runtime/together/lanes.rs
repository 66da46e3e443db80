//! A lane for each zone, on which requests go together.
//!
//! Law: who comes alone goes at once. While a request is under way those who come wait for its end, and then go as one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use repoint_domain::values::record::ZoneId;

/// Those who wait, by zone; a zone that is not there has nothing under way.
pub struct Lanes<T>(Mutex<BTreeMap<ZoneId, Vec<T>>>);

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Send + 'static> Lanes<T> {
    /// Lets a request go by `carry`, which is given all that go together. It belongs to nobody who waits for it: that one
    /// of them goes away is nothing to the others.
    pub fn go<F>(self: &Arc<Self>, zone: &ZoneId, request: T, carry: fn(ZoneId, Vec<T>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.lock().entry(zone.clone()) {
            Entry::Occupied(lane) => return lane.into_mut().push(request),
            Entry::Vacant(lane) => lane.insert(vec![request]),
        };
        let (lanes, zone) = (self.clone(), zone.clone());
        tokio::spawn(async move {
            while let Some(requests) = lanes.next(&zone) {
                // One that panics ends those it carries, and not the lane.
                drop(tokio::spawn(carry(zone.clone(), requests)).await);
            }
        });
    }

    /// Those who wait; the lane is free again if there is nobody.
    fn next(&self, zone: &ZoneId) -> Option<Vec<T>> {
        let mut lanes = self.lock();
        let waiting = lanes.get_mut(zone).map(std::mem::take).filter(|waiting| !waiting.is_empty());
        if waiting.is_none() {
            lanes.remove(zone);
        }
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ZoneId, Vec<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
