//! Reads of a zone that go together: one listing with everything that anybody asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::oneshot;

use crate::ports::Zones;
use repoint_domain::observed::Read;
use repoint_domain::values::record::{Listing, RecordPlace, ZoneId};

/// Somebody's question.
pub struct Asked {
    pub places: BTreeSet<RecordPlace>,
    pub zones: Arc<dyn Zones>,
    pub answer: oneshot::Sender<Read<Listing>>,
}

/// Reads what they all ask for. It ends when nobody waits for it any longer.
pub async fn flush(zone: ZoneId, asked: Vec<Asked>) {
    let mut asked: Vec<Asked> = asked.into_iter().filter(|asked| !asked.answer.is_closed()).collect();
    let Some(first) = asked.first() else { return };
    let zones = first.zones.clone();
    let places = asked.iter().flat_map(|asked| asked.places.iter().cloned()).collect();
    let read = tokio::select! {
        read = zones.read(&zone, &places) => read,
        _ = join_all(asked.iter_mut().map(|asked| asked.answer.closed())) => return,
    };
    for Asked { places, answer, .. } in asked {
        let own = |sets: &Listing| {
            let of = |place: RecordPlace| (place.clone(), sets.get(&place).cloned().unwrap_or_default());
            places.into_iter().map(of).collect()
        };
        // Who asked may have gone away.
        drop(answer.send(read.as_ref().map(own).map_err(Clone::clone)));
    }
}
