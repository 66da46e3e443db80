//! Invariant 15: an endpoint waits for what it needs itself, and for nothing else. Times are simulated, and so exact.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use repoint::limits::{Asked, LeaseGuard};
use repoint::ports::{Patroni, Ports, Topics, Zones};
use repoint::runtime::deadline::Cut;
use repoint::runtime::members::Members;
use repoint::runtime::pass::{Mode, pass};
use repoint_domain::observed::{MemberAnswer, Read};
use repoint_domain::report::{ClusterReport, Outcome};
use repoint_domain::spec::Spec;
use repoint_domain::state::OutboxMessage;
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{ChangeId, Listing, RecordChange, RecordPlace, ZoneId};
use repoint_sandbox::Millis;
use repoint_sandbox::patroni::MemberId;
use repoint_sandbox::transport::Link;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use crate::link::{PG1, PG2, PG3, SETTINGS, asking, group, named, switchover, world};

/// Route 53, which answers after so long.
struct SlowZones {
    link: Arc<Link>,
    after: Duration,
}

#[async_trait]
impl Zones for SlowZones {
    async fn read(&self, zone: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        sleep(self.after).await;
        Zones::read(&*self.link, zone, places).await
    }

    async fn change(
        &self,
        zone: &ZoneId,
        changes: &[RecordChange],
        guard: &LeaseGuard,
    ) -> Vec<Result<ChangeId, Failure>> {
        self.link.change(zone, changes, guard).await
    }

    async fn is_insync(&self, change: &ChangeId) -> Read<bool> {
        self.link.is_insync(change).await
    }
}

fn with_slow_zones(link: &Link, after: Duration) -> Ports {
    let own = Arc::new(Link { identity: "slow".to_owned(), ..link.clone() });
    Ports { zones: Arc::new(SlowZones { link: own, after }), ..named(link, "slow") }
}

async fn run_pass(link: &Link, ports: &Ports) -> ClusterReport {
    let spec = link.world().resources.spec.clone();
    pass(&spec, ports, &SETTINGS, Mode::Apply).await
}

fn without_groups(link: &Link) -> Spec {
    Spec { groups: Vec::new(), ..link.world().resources.spec.clone() }
}

/// A cluster after one pass, whose primary is pg2 since.
async fn switched() -> Link {
    let link = world();
    assert_eq!(run_pass(&link, &named(&link, "first")).await.outcome, Outcome::Converged);
    switchover(&link, PG2).await;
    sleep(Duration::from_secs(10)).await;
    link
}

fn host(link: &Link, member: MemberId) -> String {
    link.world().cluster.spec(member).postgres.0.to_string()
}

/// How long it takes until the group holds that member alone, from now on.
async fn until_moved(link: &Link, member: MemberId) -> Millis {
    let began = link.now();
    let host = host(link, member);
    while group(link) != [host.clone()] {
        sleep(Duration::from_millis(1)).await;
    }
    link.now() - began
}

const NEVER: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn a_group_does_not_wait_for_a_zone_that_hangs() {
    let link = switched().await;
    let ports = with_slow_zones(&link, NEVER);
    let (report, moved) = tokio::join!(run_pass(&link, &ports), until_moved(&link, PG2));
    assert!(moved < 250, "{moved} ms");
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    let unread = report.holds.iter().find(|hold| hold.message.contains("route53:ListResourceRecordSets"));
    assert!(unread.is_some(), "{:?}", report.holds);
}

/// It is a pass of half a minute: the daemon makes no other one meanwhile.
#[tokio::test(start_paused = true)]
async fn another_primary_is_followed_while_a_zone_hangs() {
    let link = switched().await;
    let ports = with_slow_zones(&link, NEVER);
    let then = async {
        until_moved(&link, PG2).await;
        switchover(&link, PG3).await;
        until_moved(&link, PG3).await
    };
    let (report, moved) = tokio::join!(run_pass(&link, &ports), timeout(2 * SETTINGS.limit, then));
    let moved = moved.unwrap();
    assert!(moved < 1_500, "{moved} ms");
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
}

/// A topic that takes nothing and does not answer.
struct HangingTopic;

#[async_trait]
impl Topics for HangingTopic {
    async fn publish(&self, _topic: &TopicArn, _message: &OutboxMessage) -> Result<(), Failure> {
        pending().await
    }
}

/// A message is waited for, for three seconds, unless there is another primary to follow.
#[tokio::test(start_paused = true)]
async fn a_topic_that_hangs_does_not_keep_the_next_primary_waiting() {
    let link = switched().await;
    let ports = Ports { topics: Arc::new(HangingTopic), ..named(&link, "slow") };
    let began = Instant::now();
    let then = async {
        until_moved(&link, PG2).await;
        switchover(&link, PG3).await;
    };
    let (ended, ()) = tokio::join!(async { (run_pass(&link, &ports).await, began.elapsed()) }, then);
    let (report, took) = ended;
    assert!(report.is_unnotified, "{report:?}");
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}

/// A message whose answer is not waited for is published again.
#[tokio::test(start_paused = true)]
async fn a_call_under_way_may_end_when_something_is_more_urgent() {
    let (sender, cut) = Cut::channel();
    let until = Instant::now() + SETTINGS.limit;
    let short = cut.by(until, sleep(Duration::from_millis(100)));
    let long = cut.by(until, sleep(SETTINGS.limit / 2));
    let began = Instant::now();
    let more_urgent = async {
        sleep(Duration::from_millis(50)).await;
        sender.send_replace(true);
    };
    assert_eq!(tokio::join!(short, long, more_urgent), (Some(()), None, ()));
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!(cut.by(until, async {}).await, None, "nothing is begun");
}

/// The leave to write that the group was given has run out by then.
#[tokio::test(start_paused = true)]
async fn a_zone_that_is_slow_is_changed_in_the_same_pass() {
    let link = switched().await;
    let ports = with_slow_zones(&link, Duration::from_secs(8));
    let report = run_pass(&link, &ports).await;
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert_eq!(report.steps.len(), 3, "{:?}", report.steps);
}

/// The zone answers when the primary is pg3 already: what was seen eight seconds ago is not acted on.
#[tokio::test(start_paused = true)]
async fn an_observation_older_than_a_slow_answer_is_made_again() {
    let link = switched().await;
    let ports = with_slow_zones(&link, Duration::from_secs(8));
    let (report, ()) = tokio::join!(run_pass(&link, &ports), async {
        sleep(Duration::from_secs(5)).await;
        switchover(&link, PG3).await;
    });
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert_eq!(group(&link), [host(&link, PG3)]);
    let records: Vec<_> = report.steps.iter().filter(|step| step.replaces.is_some()).collect();
    assert!(records.iter().all(|step| step.target == host(&link, PG3)), "{records:?}");
}

/// The same where nothing else has taken the lease: it is the evidence that is too old, and not the lease.
#[tokio::test(start_paused = true)]
async fn a_zone_alone_is_not_changed_on_old_evidence() {
    let link = switched().await;
    let ports = with_slow_zones(&link, Duration::from_secs(8));
    let spec = without_groups(&link);
    let (report, ()) = tokio::join!(pass(&spec, &ports, &SETTINGS, Mode::Apply), async {
        sleep(Duration::from_secs(5)).await;
        switchover(&link, PG3).await;
    });
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
    assert!(report.steps.iter().all(|step| step.target == host(&link, PG3)), "{:?}", report.steps);
}

/// Nothing is begun that the deadline would cut off.
#[tokio::test(start_paused = true)]
async fn a_zone_that_answers_just_before_the_deadline_is_not_changed() {
    let link = switched().await;
    let ports = with_slow_zones(&link, SETTINGS.limit.mul_f32(0.9));
    let report = pass(&without_groups(&link), &ports, &SETTINGS, Mode::Apply).await;
    assert!(report.steps.is_empty(), "{:?}", report.steps);
    assert!(report.holds.iter().any(|hold| hold.message.contains("deadline")), "{:?}", report.holds);
}

/// Members of which one neither answers nor refuses.
struct Silent {
    link: Arc<Link>,
    member: MemberId,
}

#[async_trait]
impl Patroni for Silent {
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer {
        asked.now();
        let is_silent =
            self.link.world().member_at(url.host()).is_some_and(|node| node.member == self.member);
        if is_silent {
            sleep(Duration::from_secs(2)).await;
            return unanswered(url);
        }
        self.link.ask(url, asked).await
    }
}

fn unanswered(url: &ApiUrl) -> MemberAnswer {
    let failure = |call: &str| {
        Failure::new(Kind::Unavailable, call, url.to_string(), "no connection before the timeout")
    };
    MemberAnswer { peer: None, status: Err(failure("GET /primary")), view: Err(failure("GET /cluster")) }
}

fn with_silent(link: &Link, member: MemberId) -> Ports {
    let own = Arc::new(Link { identity: "run".to_owned(), ..link.clone() });
    asking(Arc::new(Silent { link: own, member }), link, "run")
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_300_ms_for_a_silent_seed_once_a_new_primary_is_known() {
    let link = switched().await;
    let ports = with_silent(&link, PG1);
    let (report, moved) = tokio::join!(run_pass(&link, &ports), until_moved(&link, PG2));
    assert!((300..500).contains(&moved), "{moved} ms");
    assert_eq!(report.outcome, Outcome::Changed, "{report:?}");
}

/// Nothing has moved, and the silent one might know better: it is waited for.
#[tokio::test(start_paused = true)]
async fn a_run_waits_for_a_silent_seed_whose_answer_could_matter() {
    let link = world();
    let began = Instant::now();
    run_pass(&link, &with_silent(&link, PG3)).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

/// What the members that do not lead do with a request.
#[derive(Clone, Copy)]
enum Others {
    /// It ends without an answer.
    Silent,
    /// It is lost, and does not end.
    Hung,
    Slow,
}

/// Members of which one leads.
struct Slow {
    link: Arc<Link>,
    leader: MemberId,
    others: Mutex<Others>,
}

impl Slow {
    /// With the ports of a run that asks them.
    fn asked_in(link: &Link) -> (Arc<Self>, Ports) {
        let own = Arc::new(Link { identity: "run".to_owned(), ..link.clone() });
        let slow = Arc::new(Self { link: own, leader: PG1, others: Mutex::new(Others::Silent) });
        (slow.clone(), asking(slow, link, "run"))
    }

    fn will(&self, others: Others) {
        *self.others.lock().unwrap() = others;
    }
}

#[async_trait]
impl Patroni for Slow {
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer {
        asked.now();
        let is_leader =
            self.link.world().member_at(url.host()).is_some_and(|node| node.member == self.leader);
        let others = *self.others.lock().unwrap();
        match others {
            _ if is_leader => {}
            Others::Silent => {
                sleep(Duration::from_secs(2)).await;
                return unanswered(url);
            }
            Others::Hung => pending::<()>().await,
            Others::Slow => sleep(Duration::from_millis(100)).await,
        }
        self.link.ask(url, asked).await
    }
}

/// A clone at the leader's address might be the first to answer: until another member names the leader, those that were
/// silent last time are waited for, too.
#[tokio::test(start_paused = true)]
async fn silent_members_are_waited_for_while_only_the_leader_has_answered() {
    let link = world();
    let (slow, ports) = Slow::asked_in(&link);
    let mut members = once_silent(&link, &ports).await;
    slow.will(Others::Slow);
    observe(&mut members, &link, &ports).await;
    assert!(answered(&members, &link) > 1);
}

/// A silent member may be back, while the request that it was sent before is lost: it is sent another one, since it may
/// contradict the only one that answers.
#[tokio::test(start_paused = true)]
async fn a_silent_member_is_asked_again_while_only_the_leader_has_answered() {
    let link = world();
    let (slow, ports) = Slow::asked_in(&link);
    let mut members = once_silent(&link, &ports).await;
    slow.will(Others::Hung);
    let spec = link.world().resources.spec.clone();
    members.ask(&spec, &ports.members, Duration::ZERO, Instant::now() + PATIENCE);
    sleep(Duration::from_millis(600)).await;
    slow.will(Others::Slow);
    let began = Instant::now();
    observe(&mut members, &link, &ports).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(answered(&members, &link) > 1);
}

const PATIENCE: Duration = Duration::from_secs(20);

async fn observe(members: &mut Members, link: &Link, ports: &Ports) {
    let (spec, until) = (link.world().resources.spec.clone(), Instant::now() + PATIENCE);
    members.ask(&spec, &ports.members, Duration::ZERO, until);
    members.settle(&spec, &ports.members, until).await;
}

/// Members that have been asked once, and of which only the leader has answered.
async fn once_silent(link: &Link, ports: &Ports) -> Members {
    let mut members = Members::default();
    observe(&mut members, link, ports).await;
    assert_eq!(answered(&members, link), 1);
    sleep(Duration::from_secs(2)).await;
    members
}

fn answered(members: &Members, link: &Link) -> usize {
    let sites = members.sites(&link.world().resources.spec);
    sites.values().flat_map(|answers| answers.values()).filter(|answer| answer.status.is_ok()).count()
}

/// Members that are asked one at a time, for lack of open files, and take their time.
struct Queued {
    link: Arc<Link>,
    turns: Semaphore,
}

#[async_trait]
impl Patroni for Queued {
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer {
        let _turn = self.turns.acquire().await;
        asked.now();
        sleep(Duration::from_millis(200)).await;
        self.link.ask(url, &Asked::default()).await
    }
}

/// The new primary is known after 400 ms. The third one is asked only then: that it has not answered within 300 ms of its
/// place in the queue is no silence.
#[tokio::test(start_paused = true)]
async fn queueing_for_a_question_is_not_silence() {
    let link = switched().await;
    let own = Arc::new(Link { identity: "run".to_owned(), ..link.clone() });
    let queued = Queued { link: own, turns: Semaphore::new(1) };
    let ports = asking(Arc::new(queued), &link, "run");
    let spec = link.world().resources.spec.clone();
    let until = Instant::now() + Duration::from_secs(20);
    let mut members = Members::default();
    members.add_known(&spec, &ports.store.load(&spec.name).await.unwrap());
    members.ask(&spec, &ports.members, Duration::ZERO, until);
    members.settle(&spec, &ports.members, until).await;
    let sites = members.sites(&spec);
    let answers: Vec<_> = sites.values().flat_map(|answers| answers.values()).collect();
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(|answer| answer.status.is_ok()), "{answers:#?}");
}

/// There are bounds all the same, and they are not the member's.
#[tokio::test(start_paused = true)]
async fn a_member_that_was_never_asked_is_reported_so() {
    let link = world();
    let own = Arc::new(Link { identity: "run".to_owned(), ..link.clone() });
    let ports = asking(Arc::new(Queued { link: own, turns: Semaphore::new(0) }), &link, "run");
    let report = run_pass(&link, &ports).await;
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("not asked yet: the limit of open files bounds how many members"), "{text}");
}
