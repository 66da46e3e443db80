//! One pass in one unlucky situation; the simulation finds such situations by chance, and these are the ones that had to be
//! thought of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use repoint::limits::{Calls, LeaseGuard, RateLimiter};
use repoint::ports::{Ports, Store, TargetGroups};
use repoint::runtime::lease_wait::TAKE_OVER_AFTER;
use repoint::runtime::pass::{Mode, Settings, pass};
use repoint_domain::observed::Read;
use repoint_domain::rates;
use repoint_domain::report::{Action, ClusterReport, Outcome, PassHoldKind, Reason, StepReport};
use repoint_domain::state::{Lease, State};
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::target::{Family, Target, TargetGroup, TargetHealth, TargetType};
use repoint_domain::values::timestamp::Timestamp;
use repoint_sandbox::aws::elbv2::target::TargetDescription;
use repoint_sandbox::patroni::rest::Silence;
use repoint_sandbox::simulation::World;
use repoint_sandbox::transport::Link;
use tokio::time::{Instant, sleep};

use crate::link::{PG1, PG2, PG3, SETTINGS, group, named, switchover, world};

/// A world in which a first pass has saved its state.
async fn settled() -> Link {
    let link = world();
    assert_eq!(run_pass(&link, &named(&link, "first")).await.outcome, Outcome::Converged);
    link
}

async fn run_pass(link: &Link, ports: &Ports) -> ClusterReport {
    let spec = link.world().resources.spec.clone();
    pass(&spec, ports, &SETTINGS, Mode::Apply).await
}

fn subjects(link: &Link) -> Vec<String> {
    let world = link.world();
    let published = world.account.published(&world.resources.topic);
    published.iter().filter_map(|published| published.message.subject.clone()).collect()
}

/// Groups whose first registration is under way for long, as a request or an answer, or whose list is of some time ago.
struct Slow {
    link: Arc<Link>,
    there: Duration,
    back: Duration,
    list: Option<Vec<TargetHealth>>,
    is_over: AtomicBool,
}

#[async_trait]
impl TargetGroups for Slow {
    async fn read(&self, arn: &GroupArn, with_check: bool) -> Read<TargetGroup> {
        match &self.list {
            Some(list) => Ok(TargetGroup {
                target_type: TargetType::Ip,
                family: Family::Ipv4,
                vpc: None,
                targets: list.clone(),
                check: None,
            }),
            None => TargetGroups::read(&*self.link, arn, with_check).await,
        }
    }

    async fn register(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard) -> Result<(), Failure> {
        if self.is_over.swap(true, Ordering::SeqCst) {
            return self.link.register(arn, targets, guard).await;
        }
        guard.check("elasticloadbalancing:RegisterTargets", arn)?;
        // What was sent arrives, whether or not its sender still waits; the permit was asked when it was sent.
        let (link, there) = (self.link.clone(), self.there);
        let (arn, targets) = (arn.clone(), targets.to_vec());
        let sent = tokio::spawn(async move {
            sleep(there).await;
            let clock: Arc<dyn repoint::ports::Clock> = link.clone();
            link.register(&arn, &targets, &LeaseGuard::new(&clock, Duration::from_secs(1))).await
        });
        let answer = sent.await.unwrap();
        sleep(self.back).await;
        answer
    }

    async fn deregister(
        &self,
        arn: &GroupArn,
        targets: &[Target],
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        self.link.deregister(arn, targets, guard).await
    }
}

fn with_slow_groups(link: &Link, there: Duration, back: Duration, list: Option<Vec<TargetHealth>>) -> Ports {
    let ports = named(link, "second");
    let link = Arc::new(Link { identity: "second".to_owned(), ..link.clone() });
    Ports { groups: Arc::new(Slow { link, there, back, list, is_over: AtomicBool::new(false) }), ..ports }
}

fn with_slow_registration(link: &Link, there: Duration, back: Duration) -> Ports {
    with_slow_groups(link, there, back, None)
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_late_is_found_done() {
    let link = settled().await;
    switchover(&link, PG2).await;
    let ports = with_slow_registration(&link, Duration::ZERO, Duration::from_secs(20));
    let report = run_pass(&link, &ports).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert_eq!(group(&link), ["172.31.1.2"]);
    // The deregistration did not wait for the 20 seconds.
    assert!((3_000..4_000).contains(&report.duration_ms), "{} ms", report.duration_ms);
    assert_eq!(subjects(&link), ["repoint: batman: switchover from pg1 to pg2"]);
}

/// The registration of pg2 arrives when pg3 is the primary already.
#[tokio::test(start_paused = true)]
async fn what_was_sent_for_an_earlier_primary_is_waited_for() {
    let link = settled().await;
    switchover(&link, PG2).await;
    // The others follow pg2 by then.
    sleep(Duration::from_secs(10)).await;
    let ports = with_slow_registration(&link, Duration::from_secs(5), Duration::ZERO);
    let (report, ()) = tokio::join!(run_pass(&link, &ports), async {
        sleep(Duration::from_secs(1)).await;
        switchover(&link, PG3).await;
    });
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    // That its registration was done is not known from an observation that found pg3.
    let of_pg2 =
        |step: &&StepReport| step.action == Action::RegisterTarget && step.target.contains("172.31.1.2");
    assert_eq!(report.steps.iter().find(of_pg2), None);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(group(&link), ["172.31.1.3"]);
}

/// There is no primary when the pass has to end, and what it sent is still under way: no other pass may act as if it were over.
#[tokio::test(start_paused = true)]
async fn a_commit_outlives_its_pass_while_a_write_is_under_way() {
    let link = settled().await;
    switchover(&link, PG2).await;
    sleep(Duration::from_secs(10)).await;
    let ports = with_slow_registration(&link, Duration::from_secs(5), Duration::ZERO);
    let (report, ()) = tokio::join!(run_pass(&link, &ports), async {
        sleep(Duration::from_secs(1)).await;
        let now = link.now();
        link.world().cluster.crash(now, PG2, Silence::Refused);
    });
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    assert_eq!(link.world().state.lease.as_ref().map(|lease| lease.by.as_str()), Some("second"));

    sleep(Duration::from_mins(1)).await;
    let report = run_pass(&link, &named(&link, "third")).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert!((6_000..7_000).contains(&report.duration_ms), "{} ms", report.duration_ms);
    assert_eq!(link.world().state.lease, None);
}

/// To pg2 and back to pg1, and the list is of the moment when the group held both.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_old_empties_no_group() {
    let link = settled().await;
    for to in [PG2, PG1] {
        switchover(&link, to).await;
        sleep(Duration::from_secs(10)).await;
        if to == PG2 {
            assert_eq!(run_pass(&link, &named(&link, "second")).await.outcome, Outcome::Changed);
        }
    }
    assert_eq!(group(&link), ["172.31.1.2"]);
    let held = |id: &str| TargetHealth {
        target: Target { id: id.to_owned(), port: 5432 },
        state: "healthy".to_owned(),
        reason: None,
    };
    let list = vec![held("172.31.1.1"), held("172.31.1.2")];
    let ports = with_slow_groups(&link, Duration::ZERO, Duration::ZERO, Some(list));
    let report = run_pass(&link, &ports).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert_eq!(group(&link), ["172.31.1.1"]);
}

/// A state store that fails once, at a save that is `chosen`.
struct Moody {
    link: Arc<Link>,
    chosen: fn(&World, &State) -> bool,
    mood: Mood,
    is_over: AtomicBool,
}

#[derive(Clone, Copy)]
enum Mood {
    /// It saves, and answers after that time.
    Late(Duration),
    /// It does not save.
    Refuses,
    /// Another one makes a whole pass before, and then an operator registers pg3.
    Overtaken,
}

#[async_trait]
impl Store for Moody {
    async fn load(&self, entry: &EntryName) -> Read<State> {
        self.link.load(entry).await
    }

    async fn save(&self, entry: &EntryName, state: &State) -> Result<(), Failure> {
        let is_chosen = (self.chosen)(&self.link.world.lock().unwrap_or_else(PoisonError::into_inner), state);
        if !is_chosen || self.is_over.swap(true, Ordering::SeqCst) {
            return self.link.save(entry, state).await;
        }
        match self.mood {
            Mood::Late(time) => {
                let saved = self.link.save(entry, state).await;
                sleep(time).await;
                saved
            }
            Mood::Overtaken => {
                run_pass(&self.link, &named(&self.link, "other")).await;
                let now = self.link.now();
                {
                    let mut world = self.link.world();
                    let group = world.resources.ip_group.clone();
                    world
                        .account
                        .register_targets(now, &group, &[TargetDescription::new("172.31.1.3", 5432)])
                        .unwrap();
                }
                self.link.save(entry, state).await
            }
            Mood::Refuses => {
                Err(Failure::new(Kind::Throttled, "dynamodb:PutItem", "table repoint", "Rate exceeded"))
            }
        }
    }
}

fn with_failing_state(link: &Link, mood: Mood, chosen: fn(&World, &State) -> bool) -> Ports {
    let ports = named(link, "second");
    let link = Arc::new(Link { identity: "second".to_owned(), ..link.clone() });
    Ports { store: Arc::new(Moody { link, chosen, mood, is_over: AtomicBool::new(false) }), ..ports }
}

/// The leave to write has run out by then, so the pass commits once more.
#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_late_is_made_again() {
    let link = settled().await;
    switchover(&link, PG2).await;
    let is_commit = |_: &World, state: &State| state.lease.is_some();
    let ports = with_failing_state(&link, Mood::Late(Duration::from_secs(20)), is_commit);
    let report = run_pass(&link, &ports).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert!((3_000..4_000).contains(&report.duration_ms), "{} ms", report.duration_ms);
    assert_eq!(group(&link), ["172.31.1.2"]);
    assert_eq!(subjects(&link), ["repoint: batman: switchover from pg1 to pg2"]);
    assert_eq!(link.world().state.lease, None);
}

#[tokio::test(start_paused = true)]
async fn a_state_store_that_refuses_after_a_message_was_sent_does_not_repeat_it() {
    let link = settled().await;
    switchover(&link, PG2).await;
    let was_alerted = |world: &World, _: &State| !world.account.published(&world.resources.topic).is_empty();
    let ports = with_failing_state(&link, Mood::Refuses, was_alerted);
    assert_eq!(run_pass(&link, &ports).await.outcome, Outcome::Changed);
    assert_eq!(run_pass(&link, &ports).await.outcome, Outcome::Converged);
    assert_eq!(subjects(&link), ["repoint: batman: switchover from pg1 to pg2"]);
    assert_eq!(link.world().state.outbox, []);
}

/// The switchover was published by the pass that made it; what remains is another event.
#[tokio::test(start_paused = true)]
async fn a_pass_with_a_conflict_reports_what_it_did_and_not_its_plan() {
    let link = settled().await;
    switchover(&link, PG2).await;
    sleep(Duration::from_secs(10)).await;
    let is_commit = |_: &World, state: &State| state.lease.is_some();
    let ports = with_failing_state(&link, Mood::Overtaken, is_commit);
    assert_eq!(run_pass(&link, &ports).await.outcome, Outcome::Changed);
    assert_eq!(group(&link), ["172.31.1.2"]);
    assert_eq!(
        subjects(&link),
        [
            "repoint: batman: switchover from pg1 to pg2",
            "repoint: batman: external change reverted: pg3 -> pg2"
        ]
    );
}

/// Other clusters' writes have been sent, and some more than AWS takes: so many seconds go by before one may follow.
fn with_many_requests(link: &Link, seconds: u32) -> Ports {
    let calls = Calls::new(RateLimiter::new(100));
    let writes = rates::RateKey::ElbWrite(link.world().resources.spec.groups[0].arn.region().to_owned());
    // Half of a burst of 20 is not for an audit, and of the other half two are needed.
    (0..8 + 4 * seconds).for_each(|_| calls.retried(&writes));
    Ports { calls, ..named(link, "second") }
}

/// By the time its writes have their turn, pg3 is the primary; pg2 never gets into the group.
#[tokio::test(start_paused = true)]
async fn an_old_observation_is_made_again() {
    let link = settled().await;
    switchover(&link, PG2).await;
    sleep(Duration::from_secs(10)).await;
    let ports = with_many_requests(&link, 15);
    let (report, ()) = tokio::join!(run_pass(&link, &ports), async {
        sleep(Duration::from_secs(1)).await;
        switchover(&link, PG3).await;
    });
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert!((14_000..17_000).contains(&report.duration_ms), "{} ms", report.duration_ms);
    assert_eq!(group(&link), ["172.31.1.3"]);
    let registered = report.steps.iter().filter(|step| step.action == Action::RegisterTarget).count();
    assert_eq!(registered, 1, "{:?}", report.steps);
}

/// Nothing is waited for once it has ended, and nothing has failed. The record needs no turn, and does not wait either.
#[tokio::test(start_paused = true)]
async fn a_pass_that_waits_too_long_for_its_writes_is_held() {
    let link = settled().await;
    switchover(&link, PG2).await;
    let report = run_pass(&link, &with_many_requests(&link, 60)).await;
    assert_eq!(report.outcome, Outcome::Held, "{report:?}");
    assert_eq!(report.holds[0].reason, Reason::Pass(PassHoldKind::RateLimited));
    assert_eq!(group(&link), ["172.31.1.1"]);
    let records = report.steps.iter().filter(|step| step.action == Action::ChangeRecord).count();
    assert_eq!(records, report.steps.len(), "{:?}", report.steps);
    assert_eq!(link.world().state.lease, None);
    assert_eq!(run_pass(&link, &named(&link, "third")).await.outcome, Outcome::Changed);
}

/// A store that can be read and not written is no lost race: the pass says so, and where the state is not required
/// it acts all the same.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_read_only_is_no_lost_race() {
    let link = settled().await;
    switchover(&link, PG2).await;
    link.world().is_state_read_only = true;
    let report = run_pass(&link, &named(&link, "strict")).await;
    assert!(report.steps.is_empty() && report.is_blocked_by_state(), "{report:?}");
    assert!(report.holds[0].message.contains("Rate exceeded"), "{report:?}");
    assert!(report.alerts[0].contains("STATE STORE UNAVAILABLE"), "{report:?}");

    let lenient = Settings { needs_state: false, ..SETTINGS };
    let spec = link.world().resources.spec.clone();
    let report = pass(&spec, &named(&link, "lenient"), &lenient, Mode::Apply).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert!(report.warnings.iter().any(|warning| warning.contains("the state was not saved")), "{report:?}");
}

/// A process that runs on reports once that the state store is unavailable, and that it is back.
#[tokio::test(start_paused = true)]
async fn one_process_reports_the_store_once() {
    let link = settled().await;
    let ports = named(&link, "daemon");
    run_pass(&link, &ports).await;
    link.world().is_state_down = true;
    let mut notified = Vec::new();
    for _ in 0..10 {
        let report = run_pass(&link, &ports).await;
        assert!(report.is_blocked_by_state() && report.outcome == Outcome::Held, "{report:?}");
        notified.extend(report.alerts);
        sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(notified.len(), 1, "{notified:?}");
    link.world().is_state_down = false;
    let report = run_pass(&link, &ports).await;
    assert_eq!(report.outcome, Outcome::Converged, "{report:?}");
    assert!(report.alerts[0].contains("resolved after"), "{report:?}");
}

/// How long a pass of that limit takes to register pg2 after another one has died in its commit, a quarter of an hour ago
/// by clocks, of which one may have jumped.
async fn after_an_old_commit(limit: Duration) -> Duration {
    let link = settled().await;
    switchover(&link, PG2).await;
    let spec = link.world().resources.spec.clone();
    let state = link.world().state.clone();
    let (revision, timeline) = (state.revision + 1, state.highest_timeline.unwrap());
    let lease = Lease { by: "another".to_owned(), revision, timeline, since: Timestamp(0), moves: None };
    let state = State { revision, lease: Some(lease), ..state };
    named(&link, "another").store.save(&spec.name, &state).await.unwrap();
    let began = Instant::now();
    pass(&spec, &named(&link, "second"), &Settings { limit, ..SETTINGS }, Mode::Apply).await;
    assert_eq!(group(&link), ["172.31.1.2"]);
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_clock_does_not_say_that_a_commit_is_abandoned() {
    assert!(after_an_old_commit(SETTINGS.limit).await >= TAKE_OVER_AFTER);
}

#[tokio::test(start_paused = true)]
async fn a_pass_too_short_to_wait_is_not_stopped_for_ever() {
    assert!(after_an_old_commit(Duration::from_secs(5)).await < Duration::from_secs(5));
}
