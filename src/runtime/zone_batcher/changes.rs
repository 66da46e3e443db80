//! Changes of a zone that go together.
//!
//! Nothing is sent for a pass whose lease has run out, or that has gone away. A batch that is refused is split and sent again,
//! until each change that Route 53 refuses is alone.

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

/// The changes of one pass.
pub struct ChangeRequest {
    pub changes: Vec<RecordChange>,
    pub guard: LeaseGuard,
    pub zones: Arc<dyn Zones>,
    pub answer: oneshot::Sender<Vec<Result<ChangeId, Failure>>>,
}

/// A pass that waits for the results of its changes.
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
            // The pass may have gone away.
            drop(answer.send(all));
        }
    }
}

/// Makes the changes of all of them in as few batches as it can.
pub async fn flush(zone: ZoneId, requests: Vec<ChangeRequest>) {
    let mut senders = Vec::with_capacity(requests.len());
    let mut pending = Vec::new();
    for (sender, ChangeRequest { changes, guard, zones, answer }) in requests.into_iter().enumerate() {
        senders.push(Sender { guard, zones, results: vec![None; changes.len()], answer: Some(answer) });
        let changes = changes.into_iter().enumerate();
        pending.extend(changes.map(|(number, change)| PendingChange { sender, number, change }));
    }
    let mut left = batches(&pending);
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
    for pending in batch {
        let sender = &mut senders[pending.sender];
        match sender.guard.check(ACTION, zone) {
            Err(failure) => sender.got(pending.number, Err(failure)),
            Ok(()) if sender.is_waiting() => leaving.push(pending),
            Ok(()) => {}
        }
    }
    let Some(first) = leaving.first() else { return Vec::new() };
    let zones = senders[first.sender].zones.clone();
    let guard = LeaseGuard::joint(leaving.iter().map(|pending| &senders[pending.sender].guard));
    let changes: Vec<RecordChange> = leaving.iter().map(|pending| pending.change.clone()).collect();
    let results = timeout_at(guard.until(), zones.change(zone, &changes, &guard)).await;
    let results = results.unwrap_or_else(|_| vec![Err(too_late(ACTION, zone)); changes.len()]);
    let mut refused = Vec::new();
    for (pending, result) in leaving.into_iter().zip(results) {
        match result {
            Err(failure) if changes.len() > 1 && is_refusal(&failure) => refused.push((pending, failure)),
            result => senders[pending.sender].got(pending.number, result),
        }
    }
    refused
}
