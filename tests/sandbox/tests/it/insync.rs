//! Waiting until Route 53's servers have what was changed.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use repoint::limits::{Calls, RateLimiter};
use repoint::ports::Ports;
use repoint::runtime::deadline::Span;
use repoint::runtime::fleet::fleet;
use repoint::runtime::insync::Insync;
use repoint::runtime::members::Members;
use repoint::runtime::pass::{Mode, Settings, pass};
use repoint_domain::report::{ClusterReport, Outcome};
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::{ApiUrl, EntryName, Scope};
use repoint_sandbox::Millis;
use repoint_sandbox::aws::error::AwsError;
use repoint_sandbox::aws::faults::Fault;
use repoint_sandbox::aws::throttle::{Bucket, Rate};
use repoint_sandbox::transport::{Link, Shape};
use tokio::time::{Instant, sleep};

use crate::link::{PG2, SETTINGS, named, switchover, world_of};

const GET: &str = "route53:GetChange";

/// Empty endpoints, in an account whose changes take so long to be INSYNC.
fn place(propagation: Millis) -> Link {
    let link = world_of(Shape { is_pair: true, ..Shape::default() });
    link.world().account.settings.dns_propagation = propagation;
    link
}

fn waiting(seconds: u64) -> Insync {
    Insync::new(Some(Duration::from_secs(seconds)))
}

/// A pass that moves the records, and when it began.
async fn moved(link: &Link, limit: Duration) -> (ClusterReport, Span) {
    let spec = link.world().resources.spec.clone();
    let (ports, span) = (named(link, "moving"), Span::of(limit));
    let report = pass(&spec, &ports, &Settings { limit, ..SETTINGS }, Mode::Apply).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    link.world().account.drain_calls();
    (report, span)
}

/// When it was asked about.
fn asked(link: &Link) -> Vec<Millis> {
    let calls = link.world().account.drain_calls();
    calls.iter().filter(|call| call.action == GET).map(|call| call.at).collect()
}

/// When each of the changed records was everywhere, as far as the report knows.
fn seen(report: &ClusterReport) -> Vec<Option<u64>> {
    report.steps.iter().filter(|step| step.change_id.is_some()).map(|step| step.insync_at_ms).collect()
}

const LONG: Duration = Duration::from_mins(5);

#[tokio::test(start_paused = true)]
async fn no_request_is_made_unless_it_is_configured() {
    let link = place(5_000);
    let (report, span) = moved(&link, LONG).await;
    let waited = Insync::default().wait(report.clone(), || named(&link, "waiting"), span).await;
    assert_eq!(waited, report);
    // Nothing was changed, so there is nothing to wait for.
    let nothing = ClusterReport { steps: Vec::new(), ..report };
    assert_eq!(waiting(60).wait(nothing.clone(), || named(&link, "waiting"), span).await, nothing);
    assert!(asked(&link).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_report_says_when_the_change_was_in_sync() {
    let link = place(30_000);
    let (report, span) = moved(&link, LONG).await;
    let (took, outcome) = (report.duration_ms, report.outcome);
    let report = waiting(120).wait(report, || named(&link, "waiting"), span).await;
    // Both ends of the pair travelled in one batch.
    let seen = seen(&report);
    assert!(matches!(seen[..], [Some(one), Some(other)] if one == other && (30_000..42_000).contains(&one)));
    assert_eq!((report.duration_ms, report.outcome, report.warnings.len()), (took, outcome, 0));
}

/// The move is done, and a warning says what is not known.
#[tokio::test(start_paused = true)]
async fn what_never_arrives_is_said_and_fails_nothing() {
    let link = place(Millis::MAX / 2);
    let (report, span) = moved(&link, LONG).await;
    let report = waiting(60).wait(report, || named(&link, "waiting"), span).await;
    assert_eq!((report.outcome, seen(&report)), (Outcome::Changed, vec![None, None]));
    let zone = link.world().resources.zone.rsplit('/').next().unwrap().to_owned();
    insta::assert_snapshot!(report.warnings.join("\n").replace(&zone, "ZONE"), @"record ZONE/writer.db.example.com/A/primary, record ZONE/writer.db.example.com/A/secondary: Route 53 has accepted the change, but not all of its servers had it after 60 s");
}

#[tokio::test(start_paused = true)]
async fn a_denied_request_names_the_permission_and_is_not_repeated() {
    let link = place(5_000);
    let (report, span) = moved(&link, LONG).await;
    link.world().account.denials.deny(GET, "");
    let report = waiting(60).wait(report, || named(&link, "waiting"), span).await;
    assert_eq!((report.outcome, seen(&report)), (Outcome::Changed, vec![None, None]));
    assert_eq!(asked(&link).len(), 1);
    let [warning] = &report.warnings[..] else { panic!("{report:?}") };
    assert!(warning.contains("AccessDenied"), "{warning}");
    assert!(
        warning.contains("allow the IAM action `route53:GetChange` on `arn:aws:route53:::change/*`"),
        "{warning}"
    );
}

/// Each read is one request: a throttled one is made again later, and not at once.
#[tokio::test(start_paused = true)]
async fn a_throttled_request_is_made_again_later() {
    let link = place(5_000);
    let (report, span) = moved(&link, LONG).await;
    let throttled = Fault::Refuse(AwsError::new("Throttling", "Rate exceeded"));
    link.world().account.faults.next(GET, 3, throttled);
    let report = waiting(60).wait(report, || named(&link, "waiting"), span).await;
    assert!(seen(&report).iter().all(Option::is_some), "{report:?}");
    assert_eq!(report.warnings, [""; 0]);
    assert!(asked(&link).len() >= 4);
}

#[tokio::test(start_paused = true)]
async fn a_request_throttled_to_the_end_says_so() {
    let link = place(5_000);
    let (report, span) = moved(&link, LONG).await;
    link.world().account.throttle.set(Bucket::Route53, Some(Rate { burst: 0, per_second: 0 }));
    let report = waiting(30).wait(report, || named(&link, "waiting"), span).await;
    let [warning] = &report.warnings[..] else { panic!("{report:?}") };
    assert!(warning.contains("is not known") && warning.contains("Rate exceeded"), "{warning}");
    assert_eq!((report.outcome, seen(&report)), (Outcome::Changed, vec![None, None]));
}

/// However many clusters' changes travelled in a batch.
#[tokio::test(start_paused = true)]
async fn many_waiters_for_one_batch_make_one_request() {
    let link = place(40_000);
    let (report, span) = moved(&link, LONG).await;
    let insync = waiting(120);
    let waits = (0..20).map(|number| {
        let (report, link) = (report.clone(), link.clone());
        let ports = move || named(&link, &format!("waiting {number}"));
        insync.wait(report, ports, span)
    });
    let reports = join_all(waits).await;
    let counted: u64 =
        reports.iter().map(|report| report.api_calls.get(GET).copied().unwrap_or_default()).sum();
    let asked = asked(&link);
    assert!((5..10).contains(&asked.len()), "{asked:?}");
    assert!(reports.iter().all(|report| seen(report) == seen(&reports[0]) && seen(report)[0].is_some()));
    // The sandbox's transport counts nothing.
    assert_eq!(counted, 0);
}

/// A cancelled waiter cancels no other; after the last one no request is made.
#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_leaves_the_others_their_answer() {
    let link = place(40_000);
    let (report, span) = moved(&link, LONG).await;
    let insync = waiting(120);
    let first = insync.wait(report.clone(), || named(&link, "first"), span);
    let second = insync.wait(report.clone(), || named(&link, "second"), span);
    let (first, second) = tokio::join!(tokio::time::timeout(Duration::from_secs(3), first), second);
    assert!(first.is_err() && seen(&second)[0].is_some(), "{second:?}");
    let before = asked(&link).len();
    link.world().account.settings.dns_propagation = Millis::MAX / 2;
    let third = insync.wait(report, || named(&link, "third"), span);
    assert!(tokio::time::timeout(Duration::from_secs(3), third).await.is_err());
    let asked_by_third = asked(&link).len();
    sleep(Duration::from_mins(2)).await;
    assert_eq!((before > 3, asked_by_third, asked(&link)), (true, 2, vec![]));
}

/// A cluster without an endpoint, of which no member answers: there is nothing to do but an audit.
fn audited(number: u8, like: &Spec) -> Spec {
    let mut spec = Spec { groups: Vec::new(), records: Vec::new(), ..like.clone() };
    spec.scope = Scope::new(format!("audited-{number}"));
    spec.name = EntryName::new(spec.scope.as_str());
    spec.sites[0].members = vec![ApiUrl::parse(&format!("http://172.31.2.{number}:8008")).unwrap()];
    spec
}

/// One fails over and waits, and so does each of many after its audit; their turns come all the same, as soon as the one
/// has been moved, and more of them than there are places.
#[tokio::test(start_paused = true)]
async fn in_a_fleet_a_waiting_cluster_delays_no_other() {
    let link = place(30_000);
    moved(&link, LONG).await;
    sleep(Duration::from_mins(1)).await;
    switchover(&link, PG2).await;
    let moving = link.world().resources.spec.clone();
    let audits: Vec<Spec> = (1..=40).map(|number| audited(number, &moving)).collect();
    let (budget, insync, began) = (RateLimiter::new(100), waiting(120), Instant::now());
    let ports = || Ports { calls: Calls::new(budget.clone()), ..named(&link, "fleet") };
    let turn = |spec: &Spec, ports: Ports, _: Members| -> BoxFuture<'_, BoxFuture<'_, (Duration, bool)>> {
        let is_moving = spec.scope == moving.scope;
        let (link, insync, spec) = (link.clone(), insync.clone(), spec.clone());
        #[expect(clippy::async_yields_async, reason = "what is still to be waited for is handed over")]
        let turn = async move {
            let (came, span) = (began.elapsed(), Span::of(LONG));
            if !is_moving {
                return sleep(Duration::from_secs(30)).map(move |()| (came, false)).boxed();
            }
            let report = pass(&spec, &ports, &Settings { limit: LONG, ..SETTINGS }, Mode::Apply).await;
            assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
            let arrived = async move {
                let report = insync.wait(report, || named(&link, "waiting"), span).await;
                (came, seen(&report).iter().all(Option::is_some))
            };
            arrived.boxed()
        };
        turn.boxed()
    };
    let intents: Vec<&Spec> = audits.iter().chain([&moving]).collect();
    let mut turns = fleet(&intents, &ports, LONG, None, &turn).await;
    assert_eq!(turns.pop().unwrap().map(|(_, is_seen)| is_seen), Some(true));
    // A pass that follows a primary has a head start of a second.
    let late: Vec<_> = turns.iter().filter(|turn| turn.is_none_or(|(came, _)| came.as_secs() > 0)).collect();
    assert!(late.is_empty(), "{late:?}");
    assert!(began.elapsed() > Duration::from_secs(30), "{:?}", began.elapsed());
}

/// It ends by its own bound and by the pass's deadline, asks seldom, and says nothing that is not so.
#[tokio::test(start_paused = true)]
async fn a_wait_is_bounded_and_counts_against_the_rate() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (propagation, within, limit) = (rng.u64(0..200_000), rng.u64(2..180), rng.u64(5..180));
        let link = place(propagation);
        let (report, span) = moved(&link, Duration::from_secs(limit)).await;
        let began = link.now();
        let accepted = report.steps.iter().filter_map(|step| step.at_ms).max().unwrap();
        let report = waiting(within).wait(report, || named(&link, "waiting"), span).await;
        let ended = link.now();
        assert!(
            ended <= (limit * 1000).min(began + within * 1000).max(began) + 1,
            "{seed}: {began}..{ended}"
        );
        let asked = asked(&link);
        let moments: Vec<Millis> = std::iter::once(began).chain(asked.iter().copied()).collect();
        let gaps: Vec<Millis> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (1_000..=10_100).contains(gap)), "{seed}: {gaps:?}");
        assert!(gaps.is_sorted_by_key(|gap| gap / 100), "{seed}: {gaps:?}");
        for seen in seen(&report) {
            if let Some(at) = seen {
                assert!(at >= propagation && report.warnings.is_empty(), "{seed}: {at}");
            } else {
                assert!(asked.iter().all(|at| *at < accepted + propagation), "{seed}: {asked:?}");
                assert_eq!(report.warnings.len(), 1, "{seed}");
            }
        }
    }
}
