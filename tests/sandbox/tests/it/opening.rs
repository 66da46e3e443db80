//! How soon writers are back where each call takes a while: a new primary joins its group before the group has been read, and
//! the state of the last pass is not loaded again. Times are simulated.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use repoint::limits::{self, LeaseGuard, RateLimiter};
use repoint::ports::{Ports, Store, TargetGroups};
use repoint::runtime::ahead::Ahead;
use repoint::runtime::members::{FRESH_FOR, KnownState, Members};
use repoint::runtime::pass::{Mode, pass_with};
use repoint_domain::observed::Read;
use repoint_domain::rates::{Needs, RateKey, Urgency};
use repoint_domain::report::{Action, ClusterReport, Outcome, StepResult};
use repoint_domain::spec::{GroupSpec, Reached, Spec};
use repoint_domain::state::State;
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::cluster::{EntryName, MemberName};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::moves::MoveCause;
use repoint_domain::values::target::{Target, TargetGroup};
use repoint_sandbox::transport::Link;
use tokio::time::{Instant, sleep};

use crate::link::{PG2, SETTINGS, group, named, switchover, world};

/// The way there, and the way back.
const ONE_WAY: Duration = Duration::from_millis(25);
/// What is allowed beside the calls.
const SLACK: Duration = Duration::from_millis(5);

/// The calls that have arrived, and when.
type Calls = Arc<Mutex<Vec<(&'static str, Instant)>>>;

/// AWS so far away.
struct Far {
    link: Link,
    state: Mutex<State>,
    calls: Calls,
    /// AWS's, which the calls of this process keep to.
    limits: limits::Calls,
    /// Which calls fail.
    failing: BTreeSet<&'static str>,
}

impl Far {
    async fn call<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        sleep(ONE_WAY).await;
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push((name, Instant::now()));
        let result = if self.failing.contains(name) {
            Err(Failure::new(Kind::Unavailable, name, "a test", "no answer"))
        } else {
            work.await
        };
        sleep(ONE_WAY).await;
        result
    }
}

fn rate_key(arn: &GroupArn) -> RateKey {
    RateKey::ElbWrite(arn.region().to_owned())
}

impl Far {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TargetGroups for Far {
    async fn read(&self, arn: &GroupArn, with_check: bool) -> Read<TargetGroup> {
        self.call("read", TargetGroups::read(&self.link, arn, with_check)).await
    }

    async fn register(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard) -> Result<(), Failure> {
        let _token = self.limits.write(&rate_key(arn)).await;
        self.call("register", self.link.register(arn, targets, guard)).await
    }

    async fn deregister(
        &self,
        arn: &GroupArn,
        targets: &[Target],
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        let _token = self.limits.write(&rate_key(arn)).await;
        self.call("deregister", self.link.deregister(arn, targets, guard)).await
    }
}

#[async_trait]
impl Store for Far {
    async fn load(&self, _entry: &EntryName) -> Read<State> {
        self.call("load", async { Ok(self.state().clone()) }).await
    }

    async fn save(&self, entry: &EntryName, state: &State) -> Result<(), Failure> {
        let save = async {
            let mut stored = self.state();
            if stored.revision + 1 != state.revision {
                return Err(Failure::new(Kind::Conflict, "save", entry.as_str(), "another has saved"));
            }
            stored.clone_from(state);
            Ok(())
        };
        self.call("save", save).await
    }
}

/// A process that has made one pass, over a cluster whose primary is pg2 since.
struct Process {
    link: Link,
    spec: Spec,
    far: Arc<Far>,
    ports: Ports,
    members: Members,
}

impl Process {
    async fn after_a_switchover(failing: &[&'static str]) -> Self {
        Self::within(RateLimiter::default(), failing).await
    }

    async fn within(limiter: RateLimiter, failing: &[&'static str]) -> Self {
        let link = world();
        let mut members = Members::default();
        let first = named(&link, "daemon");
        let report = pass_with(&spec(&link), &first, &SETTINGS, Mode::Apply, &mut members).await;
        assert_eq!(report.outcome, Outcome::Converged, "{report:?}");
        switchover(&link, PG2).await;
        sleep(Duration::from_secs(10)).await;
        let far = Arc::new(Far {
            state: Mutex::new(first.store.load(&spec(&link).name).await.unwrap()),
            link: Link { identity: "again".to_owned(), ..link.clone() },
            calls: Calls::default(),
            limits: limits::Calls::new(limiter),
            failing: failing.iter().copied().collect(),
        });
        let calls = far.limits.clone();
        let ports = Ports { groups: far.clone(), store: far.clone(), calls, ..named(&link, "again") };
        Self { spec: spec(&link), link, far, ports, members }
    }

    /// Asks the members, as a daemon does before a pass.
    async fn ask(&mut self) {
        let until = Instant::now() + Duration::from_secs(1);
        self.members.ask(&self.spec, &self.ports.members, Duration::ZERO, until);
        self.members.settle(&self.spec, &self.ports.members, until).await;
    }

    /// Loads the state before there is a reason for a pass, as the Lambda does; the state, if it counts when there is one.
    async fn load_ahead(&self, then: Duration) -> Option<State> {
        let mut ahead =
            Ahead::load(std::slice::from_ref(&self.spec), &|| self.ports.clone(), SETTINGS.limit).await;
        sleep(then).await;
        ahead.take(&self.spec.name, self.ports.clock.now())
    }

    /// Makes a pass; returns its report, and how long after its start the registration arrived, if it did.
    async fn pass(&mut self) -> (ClusterReport, Option<Duration>) {
        let began = Instant::now();
        let report = pass_with(&self.spec, &self.ports, &SETTINGS, Mode::Apply, &mut self.members).await;
        let calls = self.far.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let registered = calls.iter().find(|(name, _)| *name == "register").map(|(_, at)| *at - began);
        (report, registered)
    }

    fn calls(&self) -> Vec<&'static str> {
        let calls = self.far.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().map(|(name, _)| *name).collect()
    }
}

/// One group that holds the primary alone.
fn spec(link: &Link) -> Spec {
    let spec = link.world().resources.spec.clone();
    Spec { records: Vec::new(), ..spec.with_groups(GroupSpec::holds_primary_alone) }
}

fn steps(report: &ClusterReport) -> Vec<(Action, StepResult)> {
    report.steps.iter().map(|step| (step.action, step.result)).collect()
}

const MOVED: [(Action, StepResult); 2] =
    [(Action::RegisterTarget, StepResult::Done), (Action::DeregisterTarget, StepResult::Done)];

/// The commit, and the registration on its way.
#[tokio::test(start_paused = true)]
async fn writers_are_back_after_two_round_trips() {
    let mut process = Process::after_a_switchover(&[]).await;
    process.ask().await;
    let (report, joined) = process.pass().await;
    assert!(joined < Some(3 * ONE_WAY + SLACK), "{joined:?}: {:?}", process.calls());
    assert_eq!((report.outcome, report.cause), (Outcome::Changed, Some(MoveCause::Switchover)));
    assert_eq!(steps(&report), MOVED);
    assert_eq!(group(&process.link), ["172.31.1.2"]);
    let calls = process.calls();
    assert_eq!(calls.iter().filter(|call| **call == "register").count(), 1, "{calls:?}");
    assert!(!calls.contains(&"load"), "{calls:?}");
}

/// A process that knows nothing loads the state, and does not wait for the group either.
#[tokio::test(start_paused = true)]
async fn a_new_process_needs_one_more() {
    let mut process = Process::after_a_switchover(&[]).await;
    process.members = Members::default();
    process.ask().await;
    let (report, joined) = process.pass().await;
    assert!(joined < Some(5 * ONE_WAY + SLACK), "{joined:?}: {:?}", process.calls());
    assert_eq!(steps(&report), MOVED);
}

/// The state is there when the pass begins.
#[tokio::test(start_paused = true)]
async fn a_process_that_is_started_for_a_pass_needs_no_more() {
    let mut process = Process::after_a_switchover(&[]).await;
    let loaded = process.load_ahead(Duration::ZERO).await.unwrap();
    process.members = Members::default();
    process.members.keep(KnownState::Loaded(loaded));
    process.ask().await;
    let (report, joined) = process.pass().await;
    assert!(joined < Some(3 * ONE_WAY + SLACK), "{joined:?}: {:?}", process.calls());
    assert_eq!(steps(&report), MOVED);
    let calls = process.calls();
    assert_eq!(calls.iter().filter(|call| **call == "load").count(), 1, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_loaded_long_ago_does_not_count() {
    let process = Process::after_a_switchover(&[]).await;
    assert!(process.load_ahead(Duration::from_secs(1)).await.is_none());
}

/// It is taken note of later.
#[tokio::test(start_paused = true)]
async fn an_answer_is_as_old_as_it_was_when_it_came() {
    let mut process = Process::after_a_switchover(&[]).await;
    let until = Instant::now() + Duration::from_secs(5);
    process.members = Members::default();
    process.members.ask(&process.spec, &process.ports.members, Duration::ZERO, until);
    sleep(Duration::from_secs(2)).await;
    process.members.settle(&process.spec, &process.ports.members, until).await;
    assert!(!process.members.are_fresh(FRESH_FOR));
}

/// The commit finds out: nothing is written on what this process remembers.
#[tokio::test(start_paused = true)]
async fn a_state_that_another_process_has_saved_is_loaded() {
    let mut process = Process::after_a_switchover(&[]).await;
    process.far.state().revision += 1;
    process.ask().await;
    let (report, _) = process.pass().await;
    assert_eq!(steps(&report), MOVED);
    let calls = process.calls();
    let (loaded, registered) =
        (calls.iter().position(|call| *call == "load"), calls.iter().position(|call| *call == "register"));
    assert!(loaded.is_some() && loaded < registered, "{calls:?}");
}

/// Where the new primary is cannot be told, so nothing is committed that would show whether the state is still the same.
#[tokio::test(start_paused = true)]
async fn a_remembered_state_is_loaded_where_nothing_confirms_it() {
    let mut process = Process::after_a_switchover(&[]).await;
    process.spec.sites[0]
        .addresses
        .insert(MemberName::new("pg2"), Reached { host: "nowhere.example".to_owned(), port: None });
    process.ask().await;
    let (report, registered) = process.pass().await;
    assert_eq!((report.outcome, registered), (Outcome::Failed, None), "{report:?}");
    assert!(process.calls().contains(&"load"), "{:?}", process.calls());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_opened_and_not_closed() {
    let mut process = Process::after_a_switchover(&["read"]).await;
    process.ask().await;
    let (report, _) = process.pass().await;
    assert_eq!(steps(&report), [MOVED[0]], "{report:?}");
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    assert_eq!(group(&process.link), ["172.31.1.1", "172.31.1.2"]);
}

/// Where AWS's limit is used up, as by a hundred failovers at once, what closes a group has its turn together with what opens it:
/// a lease that runs out between the two costs another attempt, with more requests.
#[tokio::test(start_paused = true)]
async fn a_group_is_opened_once_it_can_be_closed_as_well() {
    let limiter = RateLimiter::new(100);
    let mut process = Process::within(limiter.clone(), &[]).await;
    process.ports.calls.admit(Urgency::Failover, &Needs::new()).await;
    let writes = rate_key(&process.spec.groups[0].arn);
    (0..writes.rate().burst).for_each(|_| process.ports.calls.retried(&writes));
    process.ask().await;
    let others = async {
        sleep(ONE_WAY).await;
        let other = limits::Calls::new(limiter.clone());
        drop(join_all((0..20).map(async |_| drop(other.write(&writes).await))).await);
    };
    let ((report, _), ()) = tokio::join!(process.pass(), others);
    let calls = process.calls();
    assert_eq!(steps(&report), MOVED, "{calls:?} {:?}", report.steps);
    let count = |name| calls.iter().filter(|call| **call == name).count();
    assert_eq!((count("register"), count("read")), (1, 1), "{calls:?}");
}
