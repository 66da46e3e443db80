//! The daemon and the callback in simulated time: how soon they act, and how often they ask.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use repoint::limits::{Asked, Calls, LeaseGuard};
use repoint::ports::{Patroni, Ports, Zones};
use repoint::runtime::insync::Insync;
use repoint::runtime::pass;
use repoint::runtime::watch::{Channels, Intervals, News, Settings, watch};
use repoint_domain::observed::{MemberAnswer, Read};
use repoint_domain::rates::Urgency;
use repoint_domain::report::ClusterReport;
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{ChangeId, Listing, RecordChange, RecordPlace, ZoneId};
use repoint_sandbox::Millis;
use repoint_sandbox::aws::elbv2::target::TargetDescription;
use repoint_sandbox::aws::throttle::{Bucket, Rate};
use repoint_sandbox::patroni::rest::Silence;
use repoint_sandbox::patroni::{DcsOutage, MemberId};
use repoint_sandbox::transport::{FaultRates, Link};
use tokio::sync::{Notify, watch as channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::link::{PG1, PG2, PG3, SETTINGS, asking, group, named, switchover, world};

const PACE: Intervals =
    Intervals { interval: Duration::from_secs(1), audit_interval: Duration::from_mins(1) };
/// The times to be shown for; each is at another phase of the interval.
const FAILOVERS: u32 = 40;
/// In milliseconds. A request takes 30 on average here, and after the promotion four come one after the other: the request that
/// sees it, the observation of everything, the commit, and the registration.
const PROMPT: Millis = 200;
const HOUR: Duration = Duration::from_hours(1);

struct Daemon {
    wake: Arc<Notify>,
    checks: Arc<AtomicU32>,
    passes: Arc<AtomicU32>,
    _stop: channel::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// As the callback does, which waits for nothing else.
async fn follow(spec: &Spec, ports: impl Fn() -> Ports, settings: &pass::Settings) -> ClusterReport {
    repoint::runtime::follow::follow(spec, ports, settings, &Insync::default()).await
}

fn daemon(link: &Link) -> Daemon {
    daemon_at(link, PACE)
}

fn daemon_at(link: &Link, pace: Intervals) -> Daemon {
    let (stop, stopped) = channel::channel(false);
    let wake: Arc<Notify> = Arc::default();
    let checked = Arc::new(channel::channel(Instant::now()).0);
    let channels = Channels { wake: wake.clone(), stop: stopped, checked };
    let count: Arc<AtomicU32> = Arc::default();
    let ports_made: Arc<AtomicU32> = Arc::default();
    let (link, passes, checks) = (link.clone(), count.clone(), ports_made.clone());
    let task = tokio::spawn(async move {
        let spec = link.world().resources.spec.clone();
        let ports = || named(&link, &format!("daemon#{}", checks.fetch_add(1, Ordering::Relaxed)));
        let settings = Settings { intervals: pace, pass: SETTINGS };
        let notify = |news: News<'_>| {
            if !matches!(news, News::Checked(_) | News::Unchanged) {
                passes.fetch_add(1, Ordering::Relaxed);
            }
        };
        watch(&spec, ports, &settings, channels, Instant::now(), &Insync::default(), notify).await;
    });
    Daemon { wake, checks: ports_made, passes: count, _stop: stop, task }
}

/// How often AWS was asked for that since it was last counted.
fn asked(link: &Link, action: &str) -> usize {
    let calls = link.world().account.drain_calls();
    calls.iter().filter(|call| call.action == action).count()
}

const DESCRIBE: &str = "elasticloadbalancing:DescribeTargetHealth";

#[tokio::test(start_paused = true)]
async fn in_an_hour_without_events_aws_is_asked_for_the_audits() {
    let link = world();
    let _daemon = daemon(&link);
    sleep(HOUR).await;
    let count = asked(&link, DESCRIBE);
    assert!((55..=66).contains(&count), "{count}");
}

/// A member that comes and goes costs a pass in five seconds, and not one each time.
#[tokio::test(start_paused = true)]
async fn a_flapping_member_does_not_use_up_the_rate() {
    let link = world();
    let _daemon = daemon(&link);
    for _ in 0..600 {
        let now = link.now();
        link.world().cluster.hang(now, PG3);
        sleep(Duration::from_secs(3)).await;
        let now = link.now();
        link.world().cluster.unhang(now, PG3);
        sleep(Duration::from_secs(3)).await;
    }
    let count = asked(&link, DESCRIBE);
    assert!(count <= 600 * 6 / 5 + 60, "{count}");
}

/// Waits for a primary; when there was one.
async fn elected(link: &Link) -> Millis {
    while link.world().cluster.leader().is_none() {
        sleep(Duration::from_millis(1)).await;
    }
    link.now()
}

/// From the moment the new primary takes writes until the group holds it, in milliseconds.
async fn delay(link: &Link, member: MemberId) -> Millis {
    let mut promoted = None;
    loop {
        let leads = link.world().cluster.leader().is_some_and(|(leader, _)| leader == member);
        if leads && promoted.is_none() {
            promoted = Some(link.now());
        }
        let host = link.world().cluster.spec(member).postgres.0.to_string();
        if let Some(promoted) = promoted.filter(|_| group(link).contains(&host)) {
            return link.now() - promoted;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// A switchover up to the moment at which Patroni calls: PostgreSQL was asked to promote, which takes it 200 ms here.
async fn until_promoting(link: &Link, to: MemberId) {
    let now = link.now();
    link.world().cluster.switchover(now, to).unwrap();
    while link.world().cluster.key_holder() != Some(to) {
        sleep(Duration::from_millis(1)).await;
    }
}

/// The median of [`delay`] over many switchovers between pg1 and pg2, which `hand_over` makes and reports
/// to the daemon or not.
async fn median_delay(link: &Link, hand_over: impl AsyncFn(MemberId)) -> Millis {
    let mut times = Vec::new();
    for failover in 0..FAILOVERS {
        sleep(Duration::from_millis(20_000 + u64::from(failover) * 37)).await;
        let to = if failover % 2 == 0 { PG2 } else { PG1 };
        let (delay, ()) = tokio::join!(delay(link, to), hand_over(to));
        times.push(delay);
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(start_paused = true)]
async fn the_daemon_follows_a_switchover_within_half_its_interval() {
    let link = world();
    let _daemon = daemon(&link);
    let median = median_delay(&link, async |to| switchover(&link, to).await).await;
    assert!(median < 600, "{median} ms");
}

#[tokio::test(start_paused = true)]
async fn a_triggered_daemon_does_not_wait_for_its_interval() {
    let link = world();
    let daemon = daemon(&link);
    let hand_over = async |to| {
        until_promoting(&link, to).await;
        daemon.wake.notify_one();
    };
    let median = median_delay(&link, hand_over).await;
    assert!(median < PROMPT, "{median} ms");
}

/// A callback comes before its event can be observed.
#[tokio::test(start_paused = true)]
async fn a_triggered_daemon_checks_often_for_a_while() {
    let link = world();
    let daemon = daemon_at(&link, Intervals { interval: Duration::from_mins(1), ..PACE });
    sleep(Duration::from_mins(5)).await;
    daemon.wake.notify_one();
    sleep(Duration::from_secs(3)).await;
    let (delay, ()) = tokio::join!(delay(&link, PG2), switchover(&link, PG2));
    assert!(delay < 600, "{delay} ms");
}

/// A crash, an election half a minute later, and the interval is longer still.
#[tokio::test(start_paused = true)]
async fn a_daemon_without_a_primary_checks_often_for_a_while() {
    let link = world();
    let daemon = daemon_at(&link, Intervals { interval: Duration::from_secs(20), ..PACE });
    sleep(Duration::from_mins(5)).await;
    let now = link.now();
    link.world().cluster.crash(now, PG1, Silence::Refused);
    let lost = link.now();
    let elected = elected(&link).await;
    assert!(elected - lost > 20_000, "the daemon has seen the loss by then");
    let (leader, _) = link.world().cluster.leader().unwrap();
    let host = link.world().cluster.spec(leader).postgres.0.to_string();
    while group(&link) != [host.clone()] {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(link.now() - elected < 600, "{} ms", link.now() - elected);

    let now = link.now();
    link.world().cluster.dcs_down(now, DcsOutage::Closes);
    sleep(Duration::from_mins(5)).await;
    let before = daemon.checks.load(Ordering::Relaxed);
    sleep(Duration::from_mins(10)).await;
    let count = daemon.checks.load(Ordering::Relaxed) - before;
    assert!(count <= 3 * 11 + 40, "{count}");
}

/// EC2 loses a host so: it neither answers nor refuses. From the promotion until the group holds the new primary.
async fn followed_without_pg1(link: &Link, follower: impl Future<Output = ()>) -> Millis {
    let moved = async {
        let elected = elected(link).await;
        let (leader, _) = link.world().cluster.leader().unwrap();
        let host = link.world().cluster.spec(leader).postgres.0.to_string();
        while group(link) != [host.clone()] {
            sleep(Duration::from_millis(1)).await;
        }
        link.now() - elected
    };
    tokio::select! {
        moved = moved => moved,
        () = follower => panic!("it has given up"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_does_not_wait_for_a_silent_host() {
    let link = world();
    let _daemon = daemon(&link);
    sleep(Duration::from_mins(1)).await;
    let now = link.now();
    link.world().cluster.crash(now, PG1, Silence::TimedOut);
    let delay = followed_without_pg1(&link, std::future::pending()).await;
    assert!(delay < 450, "{delay} ms");
}

/// It meets the silent one for the first time. Its word could matter while Patroni lists it, for 300 ms; here its keys have
/// run out.
#[tokio::test(start_paused = true)]
async fn a_callback_does_not_wait_for_a_silent_unlisted_host() {
    for is_promoted in [false, true] {
        let link = world();
        let before = daemon(&link);
        sleep(Duration::from_mins(1)).await;
        drop(before);
        let now = link.now();
        link.world().cluster.crash(now, PG1, Silence::TimedOut);
        let callback = async {
            if is_promoted {
                elected(&link).await;
            }
            while link.world().cluster.key_holder().is_none_or(|holder| holder == PG1) {
                sleep(Duration::from_millis(1)).await;
            }
            let spec = link.world().resources.spec.clone();
            follow(&spec, || named(&link, "callback"), &SETTINGS).await;
            sleep(HOUR).await;
        };
        let delay = followed_without_pg1(&link, callback).await;
        assert!(delay < 300, "{is_promoted}: {delay} ms");
    }
}

/// What is seen is right, and what AWS has is not.
#[tokio::test(start_paused = true)]
async fn a_trigger_makes_the_daemon_ask_aws() {
    let link = world();
    let daemon = daemon(&link);
    sleep(Duration::from_secs(20)).await;
    let now = link.now();
    {
        let mut world = link.world();
        let group = world.resources.ip_group.clone();
        world.account.register_targets(now, &group, &[TargetDescription::new("172.31.1.3", 5432)]).unwrap();
    }
    daemon.wake.notify_one();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(group(&link), ["172.31.1.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_callback_follows_the_promotion_within_a_fraction_of_a_second() {
    let link = world();
    let spec = link.world().resources.spec.clone();
    let checks = AtomicU32::new(0);
    let ports = || named(&link, &format!("callback#{}", checks.fetch_add(1, Ordering::Relaxed)));
    let hand_over = async |to| {
        until_promoting(&link, to).await;
        follow(&spec, ports, &SETTINGS).await;
    };
    let median = median_delay(&link, hand_over).await;
    assert!(median < PROMPT, "{median} ms");
}

/// Whatever the phase: the leader key runs out within the first second after a pass, or much later.
#[tokio::test(start_paused = true)]
async fn a_callback_before_an_election_follows_it_at_once() {
    for offset in (26_000..31_000).step_by(250) {
        let link = world();
        sleep(Duration::from_secs(20)).await;
        let now = link.now();
        link.world().cluster.crash(now, PG1, Silence::Refused);
        sleep(Duration::from_millis(offset)).await;
        let spec = link.world().resources.spec.clone();
        let checks = AtomicU32::new(0);
        let ports = || named(&link, &format!("callback#{}", checks.fetch_add(1, Ordering::Relaxed)));
        let (elected, _) = tokio::join!(elected(&link), follow(&spec, ports, &SETTINGS));
        assert!(link.now() - elected < 450, "{offset}: {} ms", link.now() - elected);
    }
}

/// The callback on the old primary: the leader is down, and no member can be promoted before its key has expired.
#[tokio::test(start_paused = true)]
async fn a_callback_waits_for_an_election() {
    let link = world();
    sleep(Duration::from_secs(20)).await;
    let now = link.now();
    link.world().cluster.crash(now, PG1, Silence::Refused);
    let spec = link.world().resources.spec.clone();
    let checks = AtomicU32::new(0);
    let ports = || named(&link, &format!("callback#{}", checks.fetch_add(1, Ordering::Relaxed)));
    let settings = repoint::runtime::pass::Settings { limit: Duration::from_mins(2), ..SETTINGS };
    let (elected, _) = tokio::join!(elected(&link), follow(&spec, ports, &settings));
    assert!(link.now() - elected < 600, "{} ms", link.now() - elected);
    let leader = link.world().cluster.leader().map(|(leader, _)| leader).unwrap();
    assert_ne!(leader, PG1);
    let host = link.world().cluster.spec(leader).postgres.0.to_string();
    assert_eq!(group(&link), [host]);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_finds_no_primary_ends() {
    let link = world();
    sleep(Duration::from_secs(20)).await;
    let now = link.now();
    for member in [PG1, PG2, PG3] {
        link.world().cluster.crash(now, member, Silence::Refused);
    }
    let spec = link.world().resources.spec.clone();
    let ports = || named(&link, "callback");
    let following = timeout(SETTINGS.limit + SETTINGS.notify_within, follow(&spec, ports, &SETTINGS));
    assert!(following.await.is_ok(), "it does not end");
}

/// The primary's first answer is lost.
struct Blinking {
    link: Link,
    asked: Arc<AtomicU32>,
}

#[async_trait]
impl Patroni for Blinking {
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer {
        let is_primary = self.link.world().member_at(url.host()).is_some_and(|node| node.member == PG2);
        let is_lost = is_primary && self.asked.fetch_add(1, Ordering::Relaxed) == 0;
        let url = if is_lost { ApiUrl::parse("http://172.31.1.99:8008").unwrap() } else { url.clone() };
        self.link.ask(&url, asked).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_whose_pass_missed_the_primary_makes_another_as_soon_as_it_answers() {
    let link = world();
    switchover(&link, PG2).await;
    sleep(Duration::from_secs(20)).await;
    let spec = link.world().resources.spec.clone();
    let asked = Arc::default();
    let ports = || {
        let patroni = Arc::new(Blinking { link: link.clone(), asked: Arc::clone(&asked) });
        asking(patroni, &link, "callback")
    };
    let began = Instant::now();
    follow(&spec, ports, &SETTINGS).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(group(&link), ["172.31.1.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_aws_refuses_tries_again() {
    let link = world();
    switchover(&link, PG2).await;
    let usual = link.world().account.throttle.clone();
    link.world().account.throttle.set(Bucket::ElbWrite, Some(Rate { burst: 0, per_second: 0 }));
    let spec = link.world().resources.spec.clone();
    let passes = AtomicU32::new(0);
    let ports = || named(&link, &format!("callback#{}", passes.fetch_add(1, Ordering::Relaxed)));
    tokio::join!(follow(&spec, ports, &SETTINGS), async {
        sleep(Duration::from_secs(12)).await;
        link.world().account.throttle = usual;
    });
    assert_eq!(group(&link), ["172.31.1.2"]);
    // At once, and after 1, 3, 7 and 15 seconds.
    assert_eq!(passes.into_inner(), 5);
}

/// AWS refuses everything for ten minutes.
#[tokio::test(start_paused = true)]
async fn a_failing_one_backs_off_and_comes_back() {
    let link = world();
    let daemon = daemon(&link);
    sleep(Duration::from_secs(20)).await;
    let usual = link.world().account.throttle.clone();
    link.world().account.throttle.set(Bucket::ElbRead, Some(Rate { burst: 0, per_second: 0 }));
    switchover(&link, PG2).await;
    let before = daemon.passes.load(Ordering::Relaxed);
    sleep(Duration::from_mins(10)).await;
    // After 1, 2, 4, 8 and then every 15 seconds.
    let count = daemon.passes.load(Ordering::Relaxed) - before;
    assert!((35..=50).contains(&count), "{count}");
    link.world().account.throttle = usual;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(group(&link), ["172.31.1.2"]);
}

/// For ten minutes nothing answers, neither members nor AWS nor the state store.
#[tokio::test(start_paused = true)]
async fn one_that_is_cut_off_comes_back() {
    let link = world();
    let daemon = daemon(&link);
    sleep(Duration::from_secs(20)).await;
    link.world().fault_rates[0] = FaultRates { lost_request: 1000, ..FaultRates::NONE };
    switchover(&link, PG2).await;
    let before = daemon.passes.load(Ordering::Relaxed);
    sleep(Duration::from_mins(10)).await;
    let count = daemon.passes.load(Ordering::Relaxed) - before;
    assert!((8..=40).contains(&count), "{count}");
    link.world().fault_rates[0] = FaultRates::NONE;
    // A pass under way may hang until its deadline, and the next one comes 15 s later, and a tenth.
    let began = Instant::now();
    while group(&link) != ["172.31.1.2"] {
        sleep(Duration::from_millis(10)).await;
    }
    let longest = SETTINGS.limit + Duration::from_millis(16_500);
    assert!(began.elapsed() < longest + Duration::from_secs(1), "{:?}", began.elapsed());
}

/// Route 53 that answers no read, and why each was made.
struct Away {
    link: Link,
    calls: Calls,
    reasons: Arc<Mutex<Vec<Urgency>>>,
}

#[async_trait]
impl Zones for Away {
    async fn read(&self, zone: &ZoneId, _places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        self.reasons.lock().unwrap().push(self.calls.urgency());
        sleep(Duration::from_secs(2)).await;
        Err(Failure::new(
            Kind::Unavailable,
            "route53:ListResourceRecordSets",
            zone.to_string(),
            "no answer before the timeout",
        ))
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

/// While a service is down, every cluster has something unfinished; one with a new primary goes before them all the same.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_no_reason_to_go_first() {
    let link = world();
    let reasons: Arc<Mutex<Vec<Urgency>>> = Arc::default();
    let ports = {
        let (link, reasons) = (link.clone(), reasons.clone());
        move || {
            let calls = Calls::default();
            let zones = Away { link: link.clone(), calls: calls.clone(), reasons: reasons.clone() };
            Ports { calls, zones: Arc::new(zones), ..named(&link, "daemon") }
        }
    };
    let (_stop, stopped) = channel::channel(false);
    let channels = Channels {
        wake: Arc::default(),
        stop: stopped,
        checked: Arc::new(channel::channel(Instant::now()).0),
    };
    let spec = link.world().resources.spec.clone();
    let daemon = tokio::spawn(async move {
        let settings = Settings { intervals: PACE, pass: SETTINGS };
        watch(&spec, ports, &settings, channels, Instant::now(), &Insync::default(), |_| {}).await;
    });
    sleep(Duration::from_secs(30)).await;
    let retries = std::mem::take(&mut *reasons.lock().unwrap());
    assert!(retries.len() > 3, "{retries:?}");
    assert!(retries[1..].iter().all(|reason| *reason == Urgency::Audit), "{retries:?}");

    switchover(&link, PG2).await;
    sleep(Duration::from_secs(2)).await;
    assert!(reasons.lock().unwrap().contains(&Urgency::Failover));
    assert_eq!(group(&link), ["172.31.1.2"]);
    daemon.abort();
}
