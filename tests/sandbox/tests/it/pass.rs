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
use repoint_domain::report::{Action, ClusterReport, Outcome, PassHoldKind, Reason};
use repoint_domain::state::{Lease, State};
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::target::{Family, Target, TargetGroup, TargetHealth, TargetType};
use repoint_domain::values::timestamp::Timestamp;
use repoint_sandbox::aws::elbv2::target::TargetDescription;
use repoint_sandbox::door::Line;
use repoint_sandbox::patroni::rest::Silence;
use repoint_sandbox::simulation::World;
use tokio::time::{Instant, sleep};

use crate::line::{PG1, PG2, PG3, SETTINGS, group, named, switchover, world};

/// A world in which a first pass has remembered what there is.
async fn settled() -> Line {
    let line = world();
    assert_eq!(look(&line, &named(&line, "first")).await.outcome, Outcome::Converged);
    line
}

async fn look(line: &Line, ports: &Ports) -> ClusterReport {
    let spec = line.world().resources.spec.clone();
    pass(&spec, ports, &SETTINGS, Mode::Apply).await
}

fn subjects(line: &Line) -> Vec<String> {
    let world = line.world();
    let published = world.account.published(&world.resources.topic);
    published.iter().filter_map(|published| published.message.subject.clone()).collect()
}

/// Groups whose first registration is on its way for long, there or back, or whose list is of some time ago.
struct Slow {
    line: Arc<Line>,
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
            None => TargetGroups::read(&*self.line, arn, with_check).await,
        }
    }

    async fn register(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard) -> Result<(), Failure> {
        if self.is_over.swap(true, Ordering::SeqCst) {
            return self.line.register(arn, targets, guard).await;
        }
        guard.check("elasticloadbalancing:RegisterTargets", arn)?;
        // What was sent arrives, whether or not its sender still waits; the permit was asked when it was sent.
        let (line, there) = (self.line.clone(), self.there);
        let (arn, targets) = (arn.clone(), targets.to_vec());
        let sent = tokio::spawn(async move {
            sleep(there).await;
            let clock: Arc<dyn repoint::ports::Clock> = line.clone();
            line.register(&arn, &targets, &LeaseGuard::new(&clock, Duration::from_secs(1))).await
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
        self.line.deregister(arn, targets, guard).await
    }
}

fn with_slow_groups(line: &Line, there: Duration, back: Duration, list: Option<Vec<TargetHealth>>) -> Ports {
    let ports = named(line, "second");
    let line = Arc::new(Line { identity: "second".to_owned(), ..line.clone() });
    Ports { groups: Arc::new(Slow { line, there, back, list, is_over: AtomicBool::new(false) }), ..ports }
}

fn with_slow_registration(line: &Line, there: Duration, back: Duration) -> Ports {
    with_slow_groups(line, there, back, None)
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_late_is_found_done() {
    let line = settled().await;
    switchover(&line, PG2).await;
    let ports = with_slow_registration(&line, Duration::ZERO, Duration::from_secs(20));
    let report = look(&line, &ports).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert_eq!(group(&line), ["172.31.1.2"]);
    // The deregistration did not wait for the 20 seconds.
    assert!((3_000..4_000).contains(&report.duration_ms), "{} ms", report.duration_ms);
    assert_eq!(subjects(&line), ["repoint: batman: switchover from pg1 to pg2"]);
}

/// The registration of pg2 arrives when pg3 is the primary already.
#[tokio::test(start_paused = true)]
async fn what_was_sent_for_an_earlier_primary_is_waited_for() {
    let line = settled().await;
    switchover(&line, PG2).await;
    // The others follow pg2 by then.
    sleep(Duration::from_secs(10)).await;
    let ports = with_slow_registration(&line, Duration::from_secs(5), Duration::ZERO);
    let (report, ()) = tokio::join!(look(&line, &ports), async {
        sleep(Duration::from_secs(1)).await;
        switchover(&line, PG3).await;
    });
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    sleep(Duration::from_mins(1)).await;
    assert_eq!(group(&line), ["172.31.1.3"]);
}

/// There is no primary when the pass has to end, and what it sent is still under way: nobody may act as if it were over.
#[tokio::test(start_paused = true)]
async fn a_commit_outlives_its_pass_while_a_write_is_under_way() {
    let line = settled().await;
    switchover(&line, PG2).await;
    sleep(Duration::from_secs(10)).await;
    let ports = with_slow_registration(&line, Duration::from_secs(5), Duration::ZERO);
    let (report, ()) = tokio::join!(look(&line, &ports), async {
        sleep(Duration::from_secs(1)).await;
        let now = line.now();
        line.world().cluster.crash(now, PG2, Silence::Refused);
    });
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    assert_eq!(line.world().state.lease.as_ref().map(|lease| lease.by.as_str()), Some("second"));

    sleep(Duration::from_mins(1)).await;
    let report = look(&line, &named(&line, "third")).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert!((6_000..7_000).contains(&report.duration_ms), "{} ms", report.duration_ms);
    assert_eq!(line.world().state.lease, None);
}

/// To pg2 and back to pg1, and the list is of the moment when the group held both.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_old_empties_no_group() {
    let line = settled().await;
    for to in [PG2, PG1] {
        switchover(&line, to).await;
        sleep(Duration::from_secs(10)).await;
        if to == PG2 {
            assert_eq!(look(&line, &named(&line, "second")).await.outcome, Outcome::Changed);
        }
    }
    assert_eq!(group(&line), ["172.31.1.2"]);
    let held = |id: &str| TargetHealth {
        target: Target { id: id.to_owned(), port: 5432 },
        state: "healthy".to_owned(),
        reason: None,
    };
    let list = vec![held("172.31.1.1"), held("172.31.1.2")];
    let ports = with_slow_groups(&line, Duration::ZERO, Duration::ZERO, Some(list));
    let report = look(&line, &ports).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert_eq!(group(&line), ["172.31.1.1"]);
}

/// Memory that is out of its ordinary once, at a save that is `chosen`.
struct Moody {
    line: Arc<Line>,
    chosen: fn(&World, &State) -> bool,
    mood: Mood,
    is_over: AtomicBool,
}

#[derive(Clone, Copy)]
enum Mood {
    /// It saves, and says so after that time.
    Late(Duration),
    /// It does not save.
    Refuses,
    /// Another one makes a whole pass before, and then somebody puts pg3 into the group.
    Overtaken,
}

#[async_trait]
impl Store for Moody {
    async fn load(&self, entry: &EntryName) -> Read<State> {
        self.line.load(entry).await
    }

    async fn save(&self, entry: &EntryName, state: &State) -> Result<(), Failure> {
        let is_chosen = (self.chosen)(&self.line.world.lock().unwrap_or_else(PoisonError::into_inner), state);
        if !is_chosen || self.is_over.swap(true, Ordering::SeqCst) {
            return self.line.save(entry, state).await;
        }
        match self.mood {
            Mood::Late(time) => {
                let saved = self.line.save(entry, state).await;
                sleep(time).await;
                saved
            }
            Mood::Overtaken => {
                look(&self.line, &named(&self.line, "other")).await;
                let now = self.line.now();
                {
                    let mut world = self.line.world();
                    let group = world.resources.ip_group.clone();
                    world
                        .account
                        .register_targets(now, &group, &[TargetDescription::new("172.31.1.3", 5432)])
                        .unwrap();
                }
                self.line.save(entry, state).await
            }
            Mood::Refuses => {
                Err(Failure::new(Kind::Throttled, "dynamodb:PutItem", "table repoint", "Rate exceeded"))
            }
        }
    }
}

fn with_moody_memory(line: &Line, mood: Mood, chosen: fn(&World, &State) -> bool) -> Ports {
    let ports = named(line, "second");
    let line = Arc::new(Line { identity: "second".to_owned(), ..line.clone() });
    Ports { store: Arc::new(Moody { line, chosen, mood, is_over: AtomicBool::new(false) }), ..ports }
}

/// The leave to write has run out by then, so the pass commits once more.
#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_late_is_made_again() {
    let line = settled().await;
    switchover(&line, PG2).await;
    let is_commit = |_: &World, state: &State| state.lease.is_some();
    let ports = with_moody_memory(&line, Mood::Late(Duration::from_secs(20)), is_commit);
    let report = look(&line, &ports).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert!((3_000..4_000).contains(&report.duration_ms), "{} ms", report.duration_ms);
    assert_eq!(group(&line), ["172.31.1.2"]);
    assert_eq!(subjects(&line), ["repoint: batman: switchover from pg1 to pg2"]);
    assert_eq!(line.world().state.lease, None);
}

#[tokio::test(start_paused = true)]
async fn memory_that_refuses_after_a_message_was_sent_does_not_repeat_it() {
    let line = settled().await;
    switchover(&line, PG2).await;
    let was_told = |world: &World, _: &State| !world.account.published(&world.resources.topic).is_empty();
    let ports = with_moody_memory(&line, Mood::Refuses, was_told);
    assert_eq!(look(&line, &ports).await.outcome, Outcome::Changed);
    assert_eq!(look(&line, &ports).await.outcome, Outcome::Converged);
    assert_eq!(subjects(&line), ["repoint: batman: switchover from pg1 to pg2"]);
    assert_eq!(line.world().state.outbox, []);
}

/// The switchover was told by the one who made it; what is left is something else.
#[tokio::test(start_paused = true)]
async fn who_was_overtaken_tells_what_it_did_and_not_what_it_meant_to_do() {
    let line = settled().await;
    switchover(&line, PG2).await;
    sleep(Duration::from_secs(10)).await;
    let is_commit = |_: &World, state: &State| state.lease.is_some();
    let ports = with_moody_memory(&line, Mood::Overtaken, is_commit);
    assert_eq!(look(&line, &ports).await.outcome, Outcome::Changed);
    assert_eq!(group(&line), ["172.31.1.2"]);
    assert_eq!(
        subjects(&line),
        [
            "repoint: batman: switchover from pg1 to pg2",
            "repoint: batman: somebody else's change corrected, back from pg3 to pg2"
        ]
    );
}

/// Other clusters' writes have been sent, and some more than AWS takes: so many seconds go by before one may follow.
fn with_a_crowd(line: &Line, seconds: u32) -> Ports {
    let calls = Calls::new(RateLimiter::new(100));
    let writes = rates::RateKey::ElbWrite(line.world().resources.spec.groups[0].arn.region().to_owned());
    // Half of a burst of 20 is not for who only makes sure, and of the other half two are needed.
    (0..8 + 4 * seconds).for_each(|_| calls.retried(&writes));
    Ports { calls, ..named(line, "second") }
}

/// By the time its writes have their turn, pg3 is the primary; pg2 never gets into the group.
#[tokio::test(start_paused = true)]
async fn what_was_seen_long_ago_is_seen_again() {
    let line = settled().await;
    switchover(&line, PG2).await;
    sleep(Duration::from_secs(10)).await;
    let ports = with_a_crowd(&line, 15);
    let (report, ()) = tokio::join!(look(&line, &ports), async {
        sleep(Duration::from_secs(1)).await;
        switchover(&line, PG3).await;
    });
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert!((14_000..17_000).contains(&report.duration_ms), "{} ms", report.duration_ms);
    assert_eq!(group(&line), ["172.31.1.3"]);
    let registered = report.steps.iter().filter(|step| step.action == Action::RegisterTarget).count();
    assert_eq!(registered, 1, "{:?}", report.steps);
}

/// Nothing is waited for once it has ended, and nothing has failed. The record needs no turn, and does not wait either.
#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_its_writes_is_held() {
    let line = settled().await;
    switchover(&line, PG2).await;
    let report = look(&line, &with_a_crowd(&line, 60)).await;
    assert_eq!(report.outcome, Outcome::Held, "{report:?}");
    assert_eq!(report.holds[0].reason, Reason::Pass(PassHoldKind::RateLimited));
    assert_eq!(group(&line), ["172.31.1.1"]);
    let records = report.steps.iter().filter(|step| step.action == Action::ChangeRecord).count();
    assert_eq!(records, report.steps.len(), "{:?}", report.steps);
    assert_eq!(line.world().state.lease, None);
    assert_eq!(look(&line, &named(&line, "third")).await.outcome, Outcome::Changed);
}

/// A store that can be read and not written is no race that was lost: the pass says so, and where memory need not be there
/// it acts all the same.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_read_only_is_no_lost_race() {
    let line = settled().await;
    switchover(&line, PG2).await;
    line.world().is_memory_read_only = true;
    let report = look(&line, &named(&line, "strict")).await;
    assert!(report.steps.is_empty() && report.is_blocked_by_state(), "{report:?}");
    assert!(report.holds[0].message.contains("Rate exceeded"), "{report:?}");
    assert!(report.alerts[0].contains("STATE STORE UNAVAILABLE"), "{report:?}");

    let lenient = Settings { needs_state: false, ..SETTINGS };
    let spec = line.world().resources.spec.clone();
    let report = pass(&spec, &named(&line, "lenient"), &lenient, Mode::Apply).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert!(report.warnings.iter().any(|warning| warning.contains("memory was not saved")), "{report:?}");
}

/// A process that lives on tells once that memory is away, and that it is back.
#[tokio::test(start_paused = true)]
async fn one_process_tells_of_the_store_once() {
    let line = settled().await;
    let ports = named(&line, "daemon");
    look(&line, &ports).await;
    line.world().is_memory_down = true;
    let mut notified = Vec::new();
    for _ in 0..10 {
        let report = look(&line, &ports).await;
        assert!(report.is_blocked_by_state() && report.outcome == Outcome::Held, "{report:?}");
        notified.extend(report.alerts);
        sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(notified.len(), 1, "{notified:?}");
    line.world().is_memory_down = false;
    let report = look(&line, &ports).await;
    assert_eq!(report.outcome, Outcome::Converged, "{report:?}");
    assert!(report.alerts[0].contains("resolved after"), "{report:?}");
}

/// How long a pass of that limit takes to register pg2 after another one has died in its commit, a quarter of an hour ago
/// by clocks, of which one may have jumped.
async fn after_an_old_commit(limit: Duration) -> Duration {
    let line = settled().await;
    switchover(&line, PG2).await;
    let spec = line.world().resources.spec.clone();
    let state = line.world().state.clone();
    let (revision, timeline) = (state.revision + 1, state.highest_timeline.unwrap());
    let lease = Lease { by: "another".to_owned(), revision, timeline, since: Timestamp(0), moves: None };
    let state = State { revision, lease: Some(lease), ..state };
    named(&line, "another").store.save(&spec.name, &state).await.unwrap();
    let began = Instant::now();
    pass(&spec, &named(&line, "second"), &Settings { limit, ..SETTINGS }, Mode::Apply).await;
    assert_eq!(group(&line), ["172.31.1.2"]);
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
