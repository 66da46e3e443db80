//! What the daemon asks of members that all agree, and what it sees of them all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use repoint::limits::Asked;
use repoint::ports::Patroni;
use repoint::runtime::insync::Insync;
use repoint::runtime::watch::{Channels, Intervals, Settings, watch};
use repoint_domain::observed::{MemberAnswer, MemberStatus, Read};
use repoint_domain::values::cluster::{ApiUrl, Role, Timeline};
use repoint_sandbox::transport::Link;
use tokio::sync::watch as channel;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::link::{PG2, SETTINGS, asking, group, world};

const PACE: Intervals =
    Intervals { interval: Duration::from_secs(1), audit_interval: Duration::from_mins(1) };

/// Members that count what they are asked, of which pg2 may claim to be the primary on a higher timeline.
struct Members {
    link: Link,
    asked_for_all: AtomicUsize,
    asked_for_status: AtomicUsize,
    claims: AtomicBool,
}

#[async_trait]
impl Patroni for Members {
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer {
        self.asked_for_all.fetch_add(1, Ordering::Relaxed);
        let answer = self.link.ask(url, asked).await;
        MemberAnswer { status: answer.status.map(|own| self.claimed(url, own)), ..answer }
    }

    async fn status(&self, url: &ApiUrl) -> Read<MemberStatus> {
        self.asked_for_status.fetch_add(1, Ordering::Relaxed);
        self.link.status(url).await.map(|own| self.claimed(url, own))
    }
}

impl Members {
    fn claimed(&self, url: &ApiUrl, own: MemberStatus) -> MemberStatus {
        let is_pg2 = self.link.world().member_at(url.host()).is_some_and(|node| node.member == PG2);
        if !is_pg2 || !self.claims.load(Ordering::Relaxed) {
            return own;
        }
        let timeline = own.timeline.map(|Timeline(timeline)| Timeline(timeline + 1));
        MemberStatus { answers_primary: true, role: Role::Primary, timeline, ..own }
    }
}

/// A daemon that watches them until the second value is dropped.
fn daemon(link: &Link) -> (Arc<Members>, channel::Sender<bool>, JoinHandle<()>) {
    let members = Arc::new(Members {
        link: link.clone(),
        asked_for_all: AtomicUsize::new(0),
        asked_for_status: AtomicUsize::new(0),
        claims: AtomicBool::new(false),
    });
    let (stop, stopped) = channel::channel(false);
    let checked = Arc::new(channel::channel(Instant::now()).0);
    let channels = Channels { wake: Arc::default(), stop: stopped, checked };
    let (link, patroni) = (link.clone(), members.clone());
    let task = tokio::spawn(async move {
        let spec = link.world().resources.spec.clone();
        let ports = || asking(patroni.clone(), &link, "daemon");
        let settings = Settings { intervals: PACE, pass: SETTINGS };
        watch(&spec, ports, &settings, channels, Instant::now(), &Insync::default(), |_| {}).await;
    });
    (members, stop, task)
}

/// Of three members, whose status is asked every ten seconds, and all they know every thirty, and in each audit.
#[tokio::test(start_paused = true)]
async fn members_that_agree_cost_little_more_than_a_request_a_second() {
    let link = world();
    let (members, _stop, task) = daemon(&link);
    sleep(Duration::from_mins(1)).await;
    let counts =
        || [&members.asked_for_all, &members.asked_for_status].map(|count| count.load(Ordering::Relaxed));
    let [all, status] = counts();
    sleep(Duration::from_mins(10)).await;
    let [all, status] = [counts()[0] - all, counts()[1] - status];
    assert!((560..=720).contains(&status), "{status}");
    assert!(all <= 3 * (20 + 2 * 11 + 5), "{all}");
    task.abort();
}

/// The former primary says what it said before, as one does whose Patroni is cut off from the DCS and is not restarted.
#[tokio::test(start_paused = true)]
async fn another_primary_is_seen_though_the_first_says_the_same() {
    let link = world();
    let (members, _stop, task) = daemon(&link);
    sleep(Duration::from_mins(1)).await;
    members.claims.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(12)).await;
    assert_eq!(group(&link), ["172.31.1.2"]);
    task.abort();
}
