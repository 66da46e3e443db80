//! The zones as all passes of one process share them: one read serves several, and their changes travel in one batch.
//!
//! Laws: a read serves those who asked before it began, so nobody is told what is out of date; each gets its own result,
//! and its own failure; who goes away neither blocks the others nor undoes what they do. Whoever follows a primary does not
//! wait for the read of those who only make sure. A call is counted by the one with whose ports it is made, so that all
//! reports together count each call once.

mod changes;
mod queue;
mod reads;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use self::changes::Sent;
use self::queue::Queue;
use self::reads::Asked;
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
    failovers: Arc<Queue<Asked>>,
    audits: Arc<Queue<Asked>>,
    changes: Arc<Queue<Sent>>,
}

impl ZoneBatcher {
    /// The zones for one pass, whose own `zones` are used where it is the first of those who go together, with its
    /// `calls`.
    #[must_use]
    pub fn zones(&self, zones: Arc<dyn Zones>, calls: Calls) -> Arc<dyn Zones> {
        Arc::new(Shared { together: self.clone(), zones, calls })
    }
}

struct Shared {
    together: ZoneBatcher,
    zones: Arc<dyn Zones>,
    calls: Calls,
}

#[async_trait]
impl Zones for Shared {
    async fn read(&self, zone: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        let (answer, read) = oneshot::channel();
        let asked = Asked { places: places.clone(), zones: self.zones.clone(), answer };
        let step_groups = match self.calls.urgency() {
            Urgency::Failover => &self.together.failovers,
            Urgency::Audit => &self.together.audits,
        };
        step_groups.go(zone, asked, reads::flush);
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
        self.together.changes.go(
            zone,
            Sent { changes: changes.to_vec(), guard, zones, answer },
            changes::flush,
        );
        done.await
            .unwrap_or_else(|_| vec![Err(too_late("route53:ChangeResourceRecordSets", zone)); changes.len()])
    }

    /// Those who wait for the same batch share the question already ([`Insync`](super::insync::Insync)).
    async fn is_insync(&self, change: &ChangeId) -> Read<bool> {
        self.zones.is_insync(change).await
    }
}
