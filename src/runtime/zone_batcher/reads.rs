//! Reads of a zone that go together: one listing with everything that was asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::oneshot;

use crate::ports::Zones;
use repoint_domain::observed::Read;
use repoint_domain::values::record::{Listing, RecordPlace, ZoneId};

/// The read of one pass.
pub struct ReadRequest {
    pub places: BTreeSet<RecordPlace>,
    pub zones: Arc<dyn Zones>,
    pub answer: oneshot::Sender<Read<Listing>>,
}

/// Reads what they all ask for. It ends when no pass waits for it any longer.
pub async fn flush(zone: ZoneId, requests: Vec<ReadRequest>) {
    let is_waiting = |request: &ReadRequest| !request.answer.is_closed();
    let mut requests: Vec<ReadRequest> = requests.into_iter().filter(is_waiting).collect();
    let Some(first) = requests.first() else { return };
    let zones = first.zones.clone();
    let places = requests.iter().flat_map(|request| request.places.iter().cloned()).collect();
    let read = tokio::select! {
        read = zones.read(&zone, &places) => read,
        _ = join_all(requests.iter_mut().map(|request| request.answer.closed())) => return,
    };
    for ReadRequest { places, answer, .. } in requests {
        let own = |sets: &Listing| {
            let of = |place: RecordPlace| (place.clone(), sets.get(&place).cloned().unwrap_or_default());
            places.into_iter().map(of).collect()
        };
        // The pass may have gone away.
        drop(answer.send(read.as_ref().map(own).map_err(Clone::clone)));
    }
}
