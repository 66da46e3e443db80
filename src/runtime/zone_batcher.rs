//! The zones as all passes of one process share them: one read serves several, and their changes travel in one batch.
//!
//! A read serves the passes that asked before it began, so none gets an answer that is out of date. Each pass gets its own
//! result and its own failure; one that goes away neither blocks the others nor undoes what they do. A pass that follows a
//! failover does not wait for the read of passes that audit. A call is counted by the pass with whose ports it is made, so
//! that all reports together count each call once.

mod changes;
mod queue;
mod reads;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use self::changes::ChangeRequest;
use self::queue::Queue;
use self::reads::ReadRequest;
use super::deadline::too_late;
use crate::limits::{Calls, LeaseGuard};
use crate::ports::Zones;
use repoint_domain::observed::Read;
use repoint_domain::rates::Urgency;
use repoint_domain::values::failure::Failure;
use repoint_domain::values::record::{ChangeId, Listing, RecordChange, RecordPlace, ZoneId};

/// One for all passes of a process.
#[derive(Clone, Default)]
pub struct ZoneBatcher {
    failovers: Arc<Queue<ReadRequest>>,
    audits: Arc<Queue<ReadRequest>>,
    changes: Arc<Queue<ChangeRequest>>,
}

impl ZoneBatcher {
    /// The zones for one pass. Its own `zones`, with its `calls`, are used where its request is the first of a batch.
    #[must_use]
    pub fn zones(&self, zones: Arc<dyn Zones>, calls: Calls) -> Arc<dyn Zones> {
        Arc::new(Shared { batcher: self.clone(), zones, calls })
    }
}

struct Shared {
    batcher: ZoneBatcher,
    zones: Arc<dyn Zones>,
    calls: Calls,
}

#[async_trait]
impl Zones for Shared {
    async fn read(&self, zone: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        let (answer, read) = oneshot::channel();
        let request = ReadRequest { places: places.clone(), zones: self.zones.clone(), answer };
        let queue = match self.calls.urgency() {
            Urgency::Failover => &self.batcher.failovers,
            Urgency::Audit => &self.batcher.audits,
        };
        queue.send(zone, request, reads::flush);
        read.await.unwrap_or_else(|_| Err(too_late("route53:ListResourceRecordSets", zone)))
    }

    async fn change(
        &self,
        zone: &ZoneId,
        changes: &[RecordChange],
        guard: &LeaseGuard,
    ) -> Vec<Result<ChangeId, Failure>> {
        let (answer, done) = oneshot::channel();
        let (zones, guard) = (self.zones.clone(), guard.clone());
        self.batcher.changes.send(
            zone,
            ChangeRequest { changes: changes.to_vec(), guard, zones, answer },
            changes::flush,
        );
        done.await
            .unwrap_or_else(|_| vec![Err(too_late("route53:ChangeResourceRecordSets", zone)); changes.len()])
    }

    /// Passes that wait for the same batch share the request already ([`Insync`](super::insync::Insync)).
    async fn is_insync(&self, change: &ChangeId) -> Read<bool> {
        self.zones.is_insync(change).await
    }
}
