//! Requests are kept under AWS's limits, and those that matter go first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use proptest::prelude::*;
use repoint::limits::{Calls, RateLimiter};
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::observed::Observed;
use repoint_domain::rates::{Bucket, Needs, Rank, Rate, RateKey, Urgency, time_for};
use repoint_domain::state::{LastPrimary, Lease, State};
use repoint_domain::values::cluster::{Address, Timeline};
use repoint_domain::values::timestamp::Timestamp;
use repoint_sandbox::aws::throttle::{self, Throttle};
use tokio::time::{Instant, sleep, timeout};

use crate::support::evidence::{healthy, host, name, observed, silence, spec};

const FOLLOW: Rank = Rank { urgency: Urgency::Failover, is_read: true };
const AUDIT: Rank = Rank { urgency: Urgency::Audit, is_read: true };

/// What may happen to a bucket.
#[derive(Clone, Debug)]
enum Event {
    Ask(Rank, u32),
    /// Milliseconds go by.
    Wait(u64),
    /// The request that was sent first reaches AWS.
    Arrive,
    /// The answer to one that has arrived comes back.
    Answer,
    /// A token that was granted comes back unspent.
    GiveBack,
}

fn event() -> impl Strategy<Value = Event> {
    let rank = (any::<bool>(), any::<bool>()).prop_map(|(is_failover, is_read)| Rank {
        urgency: if is_failover { Urgency::Failover } else { Urgency::Audit },
        is_read,
    });
    prop_oneof![
        3 => (rank, 1..6_u32).prop_map(|(rank, tokens)| Event::Ask(rank, tokens)),
        3 => (0..2_000_u64).prop_map(Event::Wait),
        1 => (5_000..20_000_u64).prop_map(Event::Wait),
        6 => Just(Event::Arrive),
        5 => Just(Event::Answer),
        1 => Just(Event::GiveBack),
    ]
}

proptest! {
    /// However long requests are under way, and whatever is given back: AWS's own bucket, as the sandbox keeps it, never
    /// refuses one. And whoever is served, nobody who goes before waits for what would have been enough.
    #[test]
    fn aws_never_refuses(events in prop::collection::vec(event(), 1..200), percent in 1..=100_u32) {
        let rate = Rate { burst: 20, per_second: 4 };
        let mut bucket = Bucket::new(rate, percent, 0);
        let mut aws = Throttle::default();
        aws.set(throttle::Bucket::Sns, Some(throttle::Rate { burst: 20, per_second: 4 }));
        let (mut now, mut asked) = (0, 0);
        let (mut under_way, mut arrived) = (0_u32, 0_u32);
        let mut waiting: BTreeMap<u64, Rank> = BTreeMap::new();
        for event in events {
            match event {
                Event::Ask(rank, tokens) => {
                    asked += 1;
                    bucket.ask(rank, tokens, asked);
                    waiting.insert(asked, rank);
                }
                Event::Wait(milliseconds) => now += milliseconds,
                Event::Arrive if under_way > 0 => {
                    prop_assert!(aws.take(throttle::Bucket::Sns, now), "refused at {now}");
                    under_way -= 1;
                    arrived += 1;
                }
                Event::Answer if arrived > 0 => {
                    arrived -= 1;
                    bucket.answered(now);
                }
                Event::GiveBack if under_way > 0 => {
                    under_way -= 1;
                    bucket.unspent(now);
                }
                Event::Arrive | Event::Answer | Event::GiveBack => {}
            }
            for (number, tokens) in bucket.serve(now) {
                let rank = waiting.remove(&number).expect("whoever is served has asked");
                let first = waiting.values().min();
                prop_assert!(first.is_none_or(|first| rank <= *first), "{rank:?} before {first:?}");
                under_way += tokens;
            }
        }
    }

    /// With nothing else to do, everybody is served in the end, and no faster than the rate.
    #[test]
    fn no_request_waits_for_ever(asks in prop::collection::vec((any::<bool>(), 1..4_u32), 1..50), percent in 1..=200_u32) {
        let rate = Rate { burst: 40, per_second: 10 };
        let mut bucket = Bucket::new(rate, percent, 0);
        for (number, (is_failover, tokens)) in (0..).zip(&asks) {
            bucket.ask(if *is_failover { FOLLOW } else { AUDIT }, *tokens, number);
        }
        let (mut now, mut served, mut spent) = (0, 0, 0);
        loop {
            for (_, tokens) in bucket.serve(now) {
                served += 1;
                spent += u64::from(tokens);
                (0..tokens).for_each(|_| bucket.answered(now));
            }
            let Some(wait) = bucket.next_in() else { break };
            now += wait;
        }
        prop_assert_eq!(served, asks.len());
        let burst = (u64::from(rate.burst * percent) / 100).max(2);
        prop_assert!(spent * 1000 <= burst * 1000 + now * u64::from(rate.per_second * percent) / 100 + 1000);
    }
}

/// A thousand audits wait, and a burst is there all the same for those who fail over.
#[test]
fn audits_leave_half_of_a_burst() {
    let mut bucket = Bucket::new(Rate { burst: 40, per_second: 10 }, 100, 0);
    (0..1000).for_each(|number| bucket.ask(AUDIT, 1, number));
    assert_eq!(bucket.serve(0).len(), 20);
    (1000..1040).for_each(|number| bucket.ask(FOLLOW, 1, number));
    let served = bucket.serve(0);
    assert_eq!(served.len(), 20);
    assert!(served.iter().all(|(number, _)| *number >= 1000), "{served:?}");
    // What comes in then is theirs, too, before it is the audits'.
    (0..40).for_each(|_| bucket.answered(0));
    assert_eq!(bucket.serve(2_000).iter().filter(|(number, _)| *number >= 1000).count(), 20);
    (0..20).for_each(|_| bucket.answered(2_000));
    assert!(bucket.serve(4_000).is_empty());
    assert_eq!(bucket.serve(4_100).len(), 1);
}

#[test]
fn writes_go_before_reads() {
    let mut bucket = Bucket::new(Rate { burst: 2, per_second: 1 }, 100, 0);
    let write = |rank: Rank| Rank { is_read: false, ..rank };
    for (number, rank) in (0..).zip([AUDIT, write(AUDIT), FOLLOW, write(FOLLOW)]) {
        bucket.ask(rank, 1, number);
    }
    let order: Vec<u64> = (0..20)
        .flat_map(|second| {
            let served = bucket.serve(second * 1000);
            for _ in &served {
                bucket.answered(second * 1000);
            }
            served
        })
        .map(|(number, _)| number)
        .collect();
    assert_eq!(order, [3, 2, 1, 0]);
}

/// A retry was not asked for, so those who come after it wait for its token.
#[test]
fn a_retry_is_made_up_for() {
    let mut bucket = Bucket::new(Rate { burst: 2, per_second: 1 }, 100, 0);
    (0..5).for_each(|_| bucket.owe(0));
    bucket.ask(FOLLOW, 1, 1);
    assert!(bucket.serve(3_999).is_empty());
    assert_eq!(bucket.serve(4_000).len(), 1);
}

#[test]
fn a_fleet_takes_its_time() {
    let needs = Needs::from([(RateKey::ElbRead("us-east-1".to_owned()), 1000), (RateKey::Route53, 10)]);
    assert_eq!(time_for(&needs, 100), 100_000);
    assert_eq!(time_for(&needs, 50), 200_000);
    assert_eq!(time_for(&Needs::new(), 50), 0);
}

fn line() -> RateKey {
    RateKey::ElbRead("us-east-1".to_owned())
}

/// As many as there are tokens go at once; then one for each that comes in, and those who gave up get none.
#[tokio::test(start_paused = true)]
async fn waiting_takes_as_long_as_it_must() {
    let calls = Calls::new(RateLimiter::new(100));
    calls.admit(Urgency::Failover, &Needs::from([(line(), 40)])).await;
    let began = Instant::now();
    let mut sent = VecDeque::new();
    for _ in 0..40 {
        sent.push_back(calls.read(&line()).await);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    sent.clear();

    assert!(timeout(Duration::from_millis(50), calls.read(&line())).await.is_err(), "the bucket is empty");
    drop(calls.read(&line()).await);
    assert!(began.elapsed() <= Duration::from_millis(110), "{:?}", began.elapsed());
    drop(calls.read(&line()).await);
    assert!(began.elapsed() <= Duration::from_millis(220), "{:?}", began.elapsed());
}

/// A run knows how each cluster stands before it audits any: then nothing has to be left.
#[tokio::test(start_paused = true)]
async fn audits_have_the_whole_burst_once_no_failover_can_come() {
    let audits = Calls::new(RateLimiter::new(100));
    let at_once = async || {
        let mut tokens = Vec::new();
        while let Ok(token) = timeout(Duration::ZERO, audits.read(&line())).await {
            tokens.push(token);
        }
        tokens
    };
    let first = at_once().await;
    audits.expect_failovers(false);
    let rest = at_once().await;
    assert_eq!((first.len(), rest.len()), (20, 20));
}

/// Whoever is served first is also served in time, although it came after one who has long to wait.
#[tokio::test(start_paused = true)]
async fn a_failover_waits_for_no_plan_of_others() {
    let budget = RateLimiter::new(100);
    let (audit, failover) = (Calls::new(budget.clone()), Calls::new(budget));
    failover.admit(Urgency::Failover, &Needs::from([(line(), 40)])).await;
    for _ in 0..40 {
        drop(failover.read(&line()).await);
    }
    let began = Instant::now();
    let late = async {
        drop(audit.read(&line()).await);
        began.elapsed()
    };
    let soon = async {
        sleep(Duration::from_millis(10)).await;
        drop(failover.read(&line()).await);
        began.elapsed()
    };
    let (late, soon) = tokio::join!(late, soon);
    assert!(soon <= Duration::from_millis(110), "{soon:?}");
    assert!(late <= Duration::from_millis(2_210), "{late:?}");
}

/// A record that a pass finds wrong is written while its permit runs out, perhaps with another one's failover.
#[tokio::test(start_paused = true)]
async fn a_write_that_was_not_foreseen_waits_for_no_audit() {
    let budget = RateLimiter::new(100);
    let audits: Vec<Calls> = (0..50).map(|_| Calls::new(budget.clone())).collect();
    let line = RateKey::Route53;
    // Half of the bucket is kept from audits, and the other half goes.
    for audit in &audits[..25] {
        drop(audit.read(&line).await);
    }
    let began = Instant::now();
    let waiting = audits[25..].iter().map(|audit| audit.read(&line));
    let write = async {
        drop(audits[0].write(&line).await);
        assert_eq!(began.elapsed(), Duration::ZERO);
    };
    tokio::join!(futures::future::join_all(waiting), write);
}

/// Tokens that a pass did not use, and its place, are another one's as soon as it steps aside.
#[tokio::test(start_paused = true)]
async fn what_is_not_used_is_given_back() {
    let budget = RateLimiter::new(100);
    let needs = Needs::from([(line(), 40)]);
    let first = Calls::new(budget.clone());
    first.admit(Urgency::Failover, &needs).await;
    let second = Calls::new(budget);
    let (began, mut waiting) = (Instant::now(), Box::pin(second.admit(Urgency::Failover, &needs)));
    // The bucket fills no further: all that it holds may still be sent.
    assert!(timeout(Duration::from_mins(1), &mut waiting).await.is_err());
    first.release();
    timeout(Duration::from_secs(1), waiting).await.expect("all of them are given back");
    assert!(began.elapsed() <= Duration::from_millis(60_001));
}

/// One that is asked for again and again is only waited for in its own line.
/// More of them than there are places.
#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_keeps_no_place_and_no_token() {
    let (budget, needs) = (RateLimiter::new(100), Needs::from([(line(), 1)]));
    for number in 0..100 {
        let (calls, needs) = (Calls::new(budget.clone()), needs.clone());
        let task = tokio::spawn(async move {
            calls.admit(Urgency::Failover, &needs).await;
            panic!("a fault of pass {number}");
        });
        assert!(timeout(Duration::from_secs(1), task).await.expect("admitted").unwrap_err().is_panic());
    }
}

/// One that panics when its turn comes.
struct Cracked;

impl std::task::Wake for Cracked {
    fn wake(self: Arc<Self>) {
        panic!("it cannot be woken");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_panics_when_served_does_not_end_the_wait_of_others() {
    let calls = Calls::new(RateLimiter::new(100));
    let mut burst = Vec::new();
    while let Ok(token) = timeout(Duration::from_millis(1), calls.read(&line())).await {
        burst.push(token);
    }
    // They have been answered; the next token comes with time.
    drop(burst);
    let (other, own_line) = (calls.clone(), line());
    let mut cracked = Box::pin(other.read(&own_line));
    let waker = Arc::new(Cracked).into();
    assert!(cracked.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    timeout(Duration::from_mins(1), calls.read(&line())).await.expect("served");
}

#[tokio::test(start_paused = true)]
async fn lines_do_not_wait_for_each_other() {
    let calls = Calls::new(RateLimiter::new(100));
    let began = Instant::now();
    for _ in 0..200 {
        calls.retried(&line());
    }
    assert!(calls.read(&RateKey::ElbRead("eu-west-1".to_owned())).await.is_some());
    assert!(calls.write(&RateKey::ElbWrite("us-east-1".to_owned())).await.is_some());
    assert!(calls.write(&RateKey::Route53).await.is_some());
    assert_eq!(began.elapsed(), Duration::ZERO);
    sleep(Duration::from_secs(1)).await;
    drop(calls.read(&line()).await);
    assert!(began.elapsed() >= Duration::from_secs(16), "160 are owed");
}

/// Whoever has a primary that its endpoints do not follow, or that somebody began to follow and has not said so.
#[test]
fn it_is_urgent_to_follow_and_nothing_else() {
    let snapshot = |observed: Observed| Snapshot::of(&spec(), observed.sites);
    let now = snapshot(healthy(1, 4));
    let known = |number, timeline| LastPrimary {
        site: None,
        member: Some(name(number)),
        address: Some(Address { host: host(number), port: 5432 }),
        timeline: Timeline(timeline),
    };
    let state = |primary| State { primary, ..State::default() };
    assert_eq!(
        now.urgency(&State::default()),
        Urgency::Audit,
        "it was never followed, so it did not fail over"
    );
    assert_eq!(now.urgency(&state(Some(known(1, 4)))), Urgency::Audit);
    assert_eq!(now.urgency(&state(Some(known(2, 4)))), Urgency::Failover);
    assert_eq!(now.urgency(&state(Some(known(1, 3)))), Urgency::Failover);
    let lease = Lease {
        by: "another process".to_owned(),
        revision: 1,
        timeline: Timeline(4),
        since: Timestamp(1),
        moves: None,
    };
    let unfinished = State { lease: Some(lease), ..state(Some(known(1, 4))) };
    assert_eq!(now.urgency(&unfinished), Urgency::Failover);
    let silent = snapshot(observed([silence(1), silence(2)]));
    assert_eq!(silent.urgency(&unfinished), Urgency::Audit, "there is nobody to follow");
}
