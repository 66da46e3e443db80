//! Somebody else edits a record between repoint's read and its write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use repoint::domain::failure::{Failure, Kind};
use repoint::domain::record::{RecordChange, RecordPlace, RecordSet, ZoneId};
use repoint::domain::report::Outcome;
use repoint::domain::world::Read;
use repoint::ports::{Permit, Ports, Zones};
use repoint::runtime::pass::{Mode, pass};
use repoint_sandbox::aws::route53::batch::{Action, Change};
use repoint_sandbox::aws::route53::list::ListFrom;
use repoint_sandbox::aws::route53::record::{Answer, RecordSet as Stored};
use repoint_sandbox::door::{Line, NAME};
use tokio::time::sleep;

use crate::line::{SETTINGS, named, world};

const ROUNDS: u32 = 100;

/// Zones into whose first write somebody else's edit slips.
struct Meddled {
    line: Arc<Line>,
    ttl: u32,
    is_over: AtomicBool,
}

#[async_trait]
impl Zones for Meddled {
    async fn read(
        &self,
        zone: &ZoneId,
        places: &BTreeSet<RecordPlace>,
    ) -> Read<BTreeMap<RecordPlace, Vec<RecordSet>>> {
        Zones::read(&*self.line, zone, places).await
    }

    async fn change(&self, zone: &ZoneId, changes: &[RecordChange], permit: &Permit) -> Result<(), Failure> {
        if self.is_over.swap(true, Ordering::SeqCst) {
            return self.line.change(zone, changes, permit).await;
        }
        let (_, values) = stored(&self.line);
        edit(&self.line, self.ttl, values);
        let refused = self.line.change(zone, changes, permit).await;
        assert!(refused.as_ref().is_err_and(|failure| failure.kind == Kind::Conflict), "{refused:?}");
        assert_eq!(stored(&self.line).0, self.ttl);
        refused
    }
}

/// The TTL and the values of the record, as they stand in the zone.
fn stored(line: &Line) -> (u32, Vec<String>) {
    match there(line).answer {
        Answer::Values { ttl, values } => (ttl, values),
        Answer::Alias(_) => panic!("an alias"),
    }
}

fn there(line: &Line) -> Stored {
    let now = line.now();
    let mut world = line.world();
    let zone = world.resources.zone.clone();
    let page = world.account.list_resource_record_sets(now, &zone, &ListFrom::default(), None).unwrap();
    page.sets.into_iter().find(|set| set.key.name.as_str().starts_with(NAME)).unwrap()
}

/// As most programs write a record: whatever stands there is overwritten.
fn edit(line: &Line, ttl: u32, values: Vec<String>) {
    let set = Stored { answer: Answer::Values { ttl, values }, ..there(line) };
    let now = line.now();
    let mut world = line.world();
    let zone = world.resources.zone.clone();
    world.account.change_resource_record_sets(now, &zone, &[Change { action: Action::Upsert, set }]).unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_edit_is_lost() {
    let line = world();
    let intent = line.world().resources.intent.clone();
    for round in 0..ROUNDS {
        // AWS's rate is for both of them.
        sleep(Duration::from_secs(5)).await;
        edit(&line, 1000 + round, vec!["172.31.1.3".to_owned()]);
        let identity = format!("round {round}");
        let sender = Arc::new(Line { identity: identity.clone(), ..line.clone() });
        let zones = Meddled { line: sender, ttl: 2000 + round, is_over: AtomicBool::new(false) };
        let ports = Ports { zones: Arc::new(zones), ..named(&line, &identity) };
        let first = pass(&intent, &ports, &SETTINGS, Mode::Apply).await;
        assert_eq!(first.outcome, Outcome::Failed, "{first:?}");
        let second = pass(&intent, &named(&line, &format!("{identity} again")), &SETTINGS, Mode::Apply).await;
        assert_eq!(second.outcome, Outcome::Changed, "{second:?}");
        assert_eq!(stored(&line), (2000 + round, vec!["172.31.1.1".to_owned()]));
    }
}
