//! Several passes that share a zone: who goes with whom, what each is told, and what it costs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use proptest::prelude::*;
use repoint::adapters::clock::SystemClock;
use repoint::limits::{Calls, LeaseGuard};
use repoint::ports::{Clock, Zones};
use repoint::runtime::zone_batcher::ZoneBatcher;
use repoint_domain::observed::Read;
use repoint_domain::rates::{Needs, Urgency};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{
    ChangeId, Listing, RecordChange, RecordKey, RecordName, RecordPlace, RecordSet, RecordType, ZoneId,
};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::evidence::{record, record_spec};

/// Route 53, which takes a batch whole or not at all.
#[derive(Default)]
struct Desk {
    /// Calls wait here, while it has a door.
    door: Option<Semaphore>,
    /// Told when a call has come.
    came: Notify,
    /// What was read, and what was to be changed, call by call.
    reads: Mutex<Vec<usize>>,
    batches: Mutex<Vec<Vec<String>>>,
    done: Mutex<Vec<String>>,
    /// The names whose change is refused, and whether the refusal names them.
    guilty: BTreeSet<String>,
    names_them: bool,
}

impl Desk {
    fn closed() -> Self {
        Self { door: Some(Semaphore::new(0)), ..Self::default() }
    }

    fn open(&self) {
        self.door.as_ref().unwrap().add_permits(1000);
    }

    /// Waits until a call has come.
    async fn has_come(&self) {
        timeout(LONG, self.came.notified()).await.expect("a call comes");
    }

    async fn pass(&self) {
        self.came.notify_one();
        if let Some(door) = &self.door {
            door.acquire().await.unwrap().forget();
        }
    }
}

#[async_trait]
impl Zones for Desk {
    async fn read(&self, _: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        self.reads.lock().unwrap().push(places.len());
        self.pass().await;
        Ok(places.iter().map(|place| (place.clone(), vec![set(place, "10.0.0.1")])).collect())
    }

    async fn change(
        &self,
        _: &ZoneId,
        changes: &[RecordChange],
        _: &LeaseGuard,
    ) -> Vec<Result<ChangeId, Failure>> {
        let names: Vec<String> =
            changes.iter().map(|change| change.after.key.place.name.to_string()).collect();
        self.batches.lock().unwrap().push(names.clone());
        self.pass().await;
        let guilty: Vec<&String> = names.iter().filter(|name| self.guilty.contains(*name)).collect();
        if guilty.is_empty() {
            self.done.lock().unwrap().extend(names);
            return vec![Ok(accepted()); changes.len()];
        }
        let words = guilty.iter().map(|name| format!("[name='{name}.', type='A'] but it was not found"));
        let message = if self.names_them { words.collect() } else { "no".to_owned() };
        let (call, resource) = ("route53:ChangeResourceRecordSets".to_owned(), "Z1".to_owned());
        vec![Err(Failure::new(Kind::Conflict, call, resource, message)); changes.len()]
    }

    async fn is_insync(&self, change: &ChangeId) -> Read<bool> {
        panic!("nobody waits for {change}")
    }
}

fn zone() -> ZoneId {
    ZoneId::new("Z1")
}

fn name(number: usize) -> String {
    format!("n{number}.example.com")
}

fn place(number: usize) -> RecordPlace {
    RecordPlace { zone: zone(), name: RecordName::new(&name(number)), record_type: RecordType::A }
}

fn set(place: &RecordPlace, value: &str) -> RecordSet {
    let key = RecordKey { place: place.clone(), set_identifier: None };
    RecordSet { key, ..record(&record_spec(RecordType::A), &[value]) }
}

fn change(number: usize) -> RecordChange {
    RecordChange { before: None, after: set(&place(number), "10.0.0.2") }
}

fn guard(valid_for: Duration) -> LeaseGuard {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    LeaseGuard::new(&clock, valid_for)
}

type Results = Vec<Result<ChangeId, Failure>>;

fn accepted() -> ChangeId {
    ChangeId::new("C1")
}

/// The passes of one process.
struct Process {
    desk: Arc<Desk>,
    together: ZoneBatcher,
}

impl Process {
    fn new(desk: Desk) -> Self {
        Self { desk: Arc::new(desk), together: ZoneBatcher::default() }
    }

    fn zones(&self) -> Arc<dyn Zones> {
        self.together.zones(self.desk.clone(), Calls::default())
    }

    /// A pass that changes these records, under way.
    fn sends(&self, numbers: &[usize], guard: LeaseGuard) -> JoinHandle<Results> {
        let (zones, changes) =
            (self.zones(), numbers.iter().map(|number| change(*number)).collect::<Vec<_>>());
        tokio::spawn(async move { zones.change(&zone(), &changes, &guard).await })
    }

    fn asks(&self, number: usize) -> JoinHandle<Read<Listing>> {
        let zones = self.zones();
        tokio::spawn(async move { zones.read(&zone(), &BTreeSet::from([place(number)])).await })
    }

    fn sizes(&self) -> Vec<usize> {
        self.desk.batches.lock().unwrap().iter().map(Vec::len).collect()
    }

    /// Lets whatever can happen without the desk happen.
    async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_single_change_is_sent_at_once() {
    let process = Process::new(Desk::default());
    assert_eq!(process.sends(&[1, 2], guard(LONG)).await.unwrap(), [Ok(accepted()), Ok(accepted())]);
    assert_eq!(process.asks(1).await.unwrap().unwrap()[&place(1)], [set(&place(1), "10.0.0.1")]);
    assert_eq!((process.sizes(), process.desk.reads.lock().unwrap().clone()), (vec![2], vec![1]));
}

#[tokio::test]
async fn changes_during_a_request_are_sent_together_in_the_next() {
    let process = Process::new(Desk::closed());
    let first = process.sends(&[0], guard(LONG));
    process.desk.has_come().await;
    let others: Vec<_> = (1..100).map(|number| process.sends(&[number], guard(LONG))).collect();
    process.settle().await;
    process.desk.open();
    assert_eq!(first.await.unwrap(), [Ok(accepted())]);
    for other in others {
        assert_eq!(other.await.unwrap(), [Ok(accepted())]);
    }
    assert_eq!(process.sizes(), [1, 99]);
}

/// What was read before somebody asked is out of date for it.
#[tokio::test]
async fn a_read_serves_the_requests_made_before_it_began() {
    let process = Process::new(Desk::closed());
    let first = process.asks(1);
    process.desk.has_come().await;
    let others: Vec<_> = [1, 2, 2, 3].map(|number| process.asks(number)).into();
    process.settle().await;
    process.desk.open();
    assert_eq!(first.await.unwrap().unwrap().into_keys().collect::<Vec<_>>(), [place(1)]);
    for (other, number) in others.into_iter().zip([1, 2, 2, 3]) {
        assert_eq!(other.await.unwrap().unwrap().into_keys().collect::<Vec<_>>(), [place(number)]);
    }
    assert_eq!(*process.desk.reads.lock().unwrap(), [1, 3]);
}

/// The read of an audit may be waiting for its turn, behind a thousand others.
#[tokio::test]
async fn a_failover_does_not_wait_for_the_read_of_an_audit() {
    let process = Process::new(Desk::closed());
    let audit = process.asks(1);
    process.desk.has_come().await;
    let calls = Calls::default();
    calls.admit(Urgency::Failover, &Needs::new()).await;
    let zones = process.together.zones(process.desk.clone(), calls);
    let failover = tokio::spawn(async move { zones.read(&zone(), &BTreeSet::from([place(2)])).await });
    process.desk.has_come().await;
    assert_eq!(*process.desk.reads.lock().unwrap(), [1, 1]);
    process.desk.open();
    failover.await.unwrap().unwrap();
    audit.await.unwrap().unwrap();
}

/// One hundred go together and one of them is refused, by name: it, the others, and it alone.
#[tokio::test]
async fn one_guilty_among_a_hundred_costs_two_calls_more() {
    let guilty = BTreeSet::from([name(42)]);
    let process = Process::new(Desk { guilty, names_them: true, ..Desk::closed() });
    let first = process.sends(&[1000], guard(LONG));
    process.desk.has_come().await;
    let others: Vec<_> = (0..100).map(|number| process.sends(&[number], guard(LONG))).collect();
    process.settle().await;
    process.desk.open();
    assert_eq!(first.await.unwrap(), [Ok(accepted())]);
    for (number, results) in join_all(others).await.into_iter().enumerate() {
        assert_eq!(results.unwrap()[0].is_ok(), number != 42, "{number}");
    }
    assert_eq!(process.sizes(), [1, 100, 99, 1]);
}

#[tokio::test]
async fn a_change_cancelled_before_it_is_sent_is_not_sent() {
    let process = Process::new(Desk::closed());
    let first = process.sends(&[0], guard(LONG));
    process.desk.has_come().await;
    let (gone, stays) = (process.sends(&[1], guard(LONG)), process.sends(&[2], guard(LONG)));
    process.settle().await;
    gone.abort();
    process.settle().await;
    process.desk.open();
    assert_eq!(first.await.unwrap(), [Ok(accepted())]);
    assert_eq!(stays.await.unwrap(), [Ok(accepted())]);
    assert_eq!(*process.desk.done.lock().unwrap(), [name(0), name(2)]);
}

#[tokio::test]
async fn a_change_cancelled_after_it_is_sent_is_not_undone() {
    let process = Process::new(Desk::closed());
    let first = process.sends(&[0], guard(LONG));
    process.desk.has_come().await;
    let (leads, follows) = (process.sends(&[1], guard(LONG)), process.sends(&[2], guard(LONG)));
    let read = (process.asks(1), process.asks(2));
    process.settle().await;
    first.abort();
    read.0.abort();
    process.settle().await;
    leads.abort();
    process.desk.open();
    assert_eq!(follows.await.unwrap(), [Ok(accepted())]);
    assert!(read.1.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_once_the_lease_guard_has_expired() {
    let process = Process::new(Desk::closed());
    let first = process.sends(&[0], guard(LONG));
    process.desk.has_come().await;
    let (late, early) =
        (process.sends(&[1], guard(Duration::from_secs(3))), process.sends(&[2], guard(LONG)));
    process.settle().await;
    tokio::time::advance(Duration::from_secs(3)).await;
    process.desk.open();
    assert_eq!(first.await.unwrap(), [Ok(accepted())]);
    assert_eq!(early.await.unwrap(), [Ok(accepted())]);
    let refused = late.await.unwrap()[0].clone().unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.message.starts_with("not sent"), "{refused}");
    assert_eq!(*process.desk.done.lock().unwrap(), [name(0), name(2)]);
}

/// A call that hangs holds the zone up for as long as its senders may write, and no longer.
#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_ends_with_the_permit() {
    let process = Process::new(Desk::closed());
    let hangs = process.sends(&[0], guard(Duration::from_secs(3)));
    process.desk.has_come().await;
    let next = process.sends(&[1], guard(LONG));
    assert_eq!(hangs.await.unwrap()[0].clone().unwrap_err().kind, Kind::Unavailable);
    process.desk.open();
    assert_eq!(next.await.unwrap(), [Ok(accepted())]);
}

#[tokio::test]
async fn zones_do_not_wait_for_each_other() {
    let process = Process::new(Desk::closed());
    let first = process.sends(&[0], guard(LONG));
    process.desk.has_come().await;
    let (zones, elsewhere) = (process.zones(), ZoneId::new("Z2"));
    let other = tokio::spawn(async move { zones.change(&elsewhere, &[change(1)], &guard(LONG)).await });
    process.desk.has_come().await;
    process.desk.open();
    assert_eq!((first.await.unwrap(), other.await.unwrap()), (vec![Ok(accepted())], vec![Ok(accepted())]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever the guilty ones are: each is told of its own, the innocent are through once, and halving bounds the calls.
    #[test]
    fn each_gets_its_own_result(counts in prop::collection::vec(1_usize..4, 1..40), guilty in prop::collection::btree_set(0_usize..80, 0..4), names_them in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let desk = Desk { guilty: guilty.iter().map(|number| name(*number)).collect(), names_them, ..Desk::default() };
            let process = Process::new(desk);
            let mut next = 0..;
            let sent: Vec<Vec<usize>> = counts.iter().map(|count| next.by_ref().take(*count).collect()).collect();
            let all: usize = counts.iter().sum();
            let passes: Vec<_> = sent.iter().map(|numbers| process.sends(numbers, guard(LONG))).collect();
            for (results, numbers) in join_all(passes).await.into_iter().zip(&sent) {
                for (result, number) in results.unwrap().iter().zip(numbers) {
                    prop_assert_eq!(result.is_err(), guilty.contains(number), "{} {:?}", number, result);
                }
            }
            let mut done = process.desk.done.lock().unwrap().clone();
            done.sort();
            let mut innocent: Vec<String> = (0..all).filter(|number| !guilty.contains(number)).map(name).collect();
            innocent.sort();
            prop_assert_eq!(done, innocent);
            let found = guilty.iter().filter(|number| **number < all).count();
            let halvings = usize::try_from(all.next_power_of_two().ilog2()).unwrap() + 1;
            prop_assert!(process.sizes().len() <= 1 + 4 * found * halvings, "{:?}", process.sizes());
            Ok(())
        })?;
    }
}

/// Each call is counted once, by the one with whose ports it was made.
#[tokio::test]
async fn a_shared_call_is_made_with_the_ports_of_one() {
    let together = ZoneBatcher::default();
    let desks: Vec<Arc<Desk>> = (0..5).map(|_| Arc::new(Desk::default())).collect();
    let asked = AtomicUsize::new(0);
    let reads = desks.iter().map(|desk| async {
        let zones = together.zones(desk.clone(), Calls::default());
        zones.read(&zone(), &BTreeSet::from([place(asked.fetch_add(1, Ordering::Relaxed))])).await.unwrap();
    });
    join_all(reads).await;
    let calls: Vec<usize> = desks.iter().map(|desk| desk.reads.lock().unwrap().len()).collect();
    assert_eq!(calls, [1, 0, 0, 0, 0]);
}
