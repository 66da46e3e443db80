//! Changes of a zone that go together.
//!
//! Laws: nothing is sent for whom the permit has run out, or who has gone away; a batch that is refused is parted and sent
//! again, until each of the guilty ones is alone.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::limits::LeaseGuard;
use crate::ports::Zones;
use crate::runtime::deadline::too_late;
use repoint_domain::plan::batch::{PendingChange, batches, bisect, is_refusal};
use repoint_domain::values::failure::Failure;
use repoint_domain::values::record::{ChangeId, RecordChange, ZoneId};

const ACTION: &str = "route53:ChangeResourceRecordSets";

/// What somebody wants to be changed.
pub struct Sent {
    pub changes: Vec<RecordChange>,
    pub guard: LeaseGuard,
    pub zones: Arc<dyn Zones>,
    pub answer: oneshot::Sender<Vec<Result<ChangeId, Failure>>>,
}

/// One who waits for the results of its changes.
struct Sender {
    guard: LeaseGuard,
    zones: Arc<dyn Zones>,
    results: Vec<Option<Result<ChangeId, Failure>>>,
    /// Absent once it was answered.
    answer: Option<oneshot::Sender<Vec<Result<ChangeId, Failure>>>>,
}

impl Sender {
    fn is_waiting(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.is_closed())
    }

    /// A result; with the last one it is answered.
    fn got(&mut self, number: usize, result: Result<ChangeId, Failure>) {
        self.results[number] = Some(result);
        if let Some(all) = self.results.iter().cloned().collect::<Option<Vec<_>>>()
            && let Some(answer) = self.answer.take()
        {
            // It may have gone away.
            drop(answer.send(all));
        }
    }
}

/// Makes the changes of all of them in as few batches as it can.
pub async fn flush(zone: ZoneId, sent: Vec<Sent>) {
    let mut senders = Vec::with_capacity(sent.len());
    let mut parcels = Vec::new();
    for (sender, Sent { changes, guard, zones, answer }) in sent.into_iter().enumerate() {
        senders.push(Sender { guard, zones, results: vec![None; changes.len()], answer: Some(answer) });
        let changes = changes.into_iter().enumerate();
        parcels.extend(changes.map(|(number, change)| PendingChange { sender, number, change }));
    }
    let mut left = batches(&parcels);
    left.reverse();
    while let Some(batch) = left.pop() {
        let refused = send(&zone, batch, &mut senders).await;
        if !refused.is_empty() {
            let [first, then] = bisect(refused);
            left.extend([then, first]);
        }
    }
}

/// Sends a batch; what has to be sent again in parts, since it was refused with others.
async fn send(
    zone: &ZoneId,
    batch: Vec<PendingChange>,
    senders: &mut [Sender],
) -> Vec<(PendingChange, Failure)> {
    let mut leaving = Vec::with_capacity(batch.len());
    for parcel in batch {
        let sender = &mut senders[parcel.sender];
        match sender.guard.check(ACTION, zone) {
            Err(failure) => sender.got(parcel.number, Err(failure)),
            Ok(()) if sender.is_waiting() => leaving.push(parcel),
            Ok(()) => {}
        }
    }
    let Some(first) = leaving.first() else { return Vec::new() };
    let zones = senders[first.sender].zones.clone();
    let guard = LeaseGuard::joint(leaving.iter().map(|parcel| &senders[parcel.sender].guard));
    let changes: Vec<RecordChange> = leaving.iter().map(|parcel| parcel.change.clone()).collect();
    let results = timeout_at(guard.until(), zones.change(zone, &changes, &guard)).await;
    let results = results.unwrap_or_else(|_| vec![Err(too_late(ACTION, zone)); changes.len()]);
    let mut refused = Vec::new();
    for (parcel, result) in leaving.into_iter().zip(results) {
        match result {
            Err(failure) if changes.len() > 1 && is_refusal(&failure) => refused.push((parcel, failure)),
            result => senders[parcel.sender].got(parcel.number, result),
        }
    }
    refused
}
