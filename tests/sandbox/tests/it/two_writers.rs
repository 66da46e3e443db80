//! An operator edits a record between repoint's read and its write.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use repoint::limits::LeaseGuard;
use repoint::ports::{Ports, Zones};
use repoint::runtime::pass::{Mode, pass};
use repoint_domain::observed::Read;
use repoint_domain::report::{ClusterReport, Outcome};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{ChangeId, Listing, RecordChange, RecordPlace, ZoneId};
use repoint_sandbox::aws::route53::batch::{Change, ChangeAction};
use repoint_sandbox::aws::route53::list::ListFrom;
use repoint_sandbox::aws::route53::record::{Answer, RecordSet as Stored};
use repoint_sandbox::transport::{Link, NAME};
use tokio::time::sleep;

use crate::link::{SETTINGS, named, world};

const ROUNDS: u32 = 100;

/// Zones in which an external edit comes before each of the first writes.
struct Meddled {
    link: Arc<Link>,
    ttl: u32,
    /// How many edits are left.
    edits: AtomicU32,
}

#[async_trait]
impl Zones for Meddled {
    async fn read(&self, zone: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        Zones::read(&*self.link, zone, places).await
    }

    async fn change(
        &self,
        zone: &ZoneId,
        changes: &[RecordChange],
        guard: &LeaseGuard,
    ) -> Vec<Result<ChangeId, Failure>> {
        if self.edits.load(Ordering::SeqCst) == 0 {
            return self.link.change(zone, changes, guard).await;
        }
        let left = self.edits.fetch_sub(1, Ordering::SeqCst) - 1;
        let (_, values) = stored(&self.link);
        // Each edit is another one.
        let ttl = self.ttl + left;
        edit(&self.link, ttl, values);
        let refused = self.link.change(zone, changes, guard).await;
        assert!(matches!(&refused[..], [Err(failure)] if failure.kind == Kind::Conflict), "{refused:?}");
        assert_eq!(stored(&self.link).0, ttl);
        refused
    }

    async fn is_insync(&self, change: &ChangeId) -> Read<bool> {
        self.link.is_insync(change).await
    }
}

/// The TTL and the values of the record, as they stand in the zone.
fn stored(link: &Link) -> (u32, Vec<String>) {
    match there(link).answer {
        Answer::Values { ttl, values } => (ttl, values),
        Answer::Alias(_) => panic!("an alias"),
    }
}

fn there(link: &Link) -> Stored {
    let now = link.now();
    let mut world = link.world();
    let zone = world.resources.zone.clone();
    let page = world.account.list_resource_record_sets(now, &zone, &ListFrom::default(), None).unwrap();
    page.sets.into_iter().find(|set| set.key.name.as_str().starts_with(NAME)).unwrap()
}

/// As most programs write a record: whatever stands there is overwritten.
fn edit(link: &Link, ttl: u32, values: Vec<String>) {
    let set = Stored { answer: Answer::Values { ttl, values }, ..there(link) };
    let now = link.now();
    let mut world = link.world();
    let zone = world.resources.zone.clone();
    world
        .account
        .change_resource_record_sets(now, &zone, &[Change { action: ChangeAction::Upsert, set }])
        .unwrap();
}

/// One pass, in which the second program edits before the first so many writes.
async fn meddled(link: &Link, round: u32, edits: u32) -> ClusterReport {
    let spec = link.world().resources.spec.clone();
    // AWS's rate is for both of them.
    sleep(Duration::from_secs(10)).await;
    edit(link, 1000 + round, vec!["172.31.1.3".to_owned()]);
    let identity = format!("round {round}");
    let sender = Arc::new(Link { identity: identity.clone(), ..link.clone() });
    let zones = Meddled { link: sender, ttl: 2000 + round, edits: AtomicU32::new(edits) };
    let ports = Ports { zones: Arc::new(zones), ..named(link, &identity) };
    pass(&spec, &ports, &SETTINGS, Mode::Apply).await
}

#[tokio::test(start_paused = true)]
async fn no_edit_is_lost_and_the_lost_race_is_run_again() {
    let link = world();
    for round in 0..ROUNDS {
        let report = meddled(&link, round, 1).await;
        assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
        assert_eq!(stored(&link), (2000 + round, vec!["172.31.1.1".to_owned()]));
    }
}

/// It is left to the next pass.
#[tokio::test(start_paused = true)]
async fn a_pass_that_loses_every_commit_ends() {
    let link = world();
    let report = meddled(&link, 0, 100).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    assert_eq!(report.steps.len(), 1, "{report:?}");
    // Two of the hundred edits have met a write.
    assert_eq!(stored(&link), (2098, vec!["172.31.1.3".to_owned()]));
}
