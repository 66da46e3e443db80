//! How soon a new primary is seen, and what that costs its members.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use repoint::limits::Asked;
use repoint::ports::Patroni;
use repoint::runtime::members::Members;
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::{MemberAnswer, MemberStatus, Read};
use repoint_domain::state::State;
use repoint_domain::values::cluster::ApiUrl;
use repoint_sandbox::patroni::rest::Silence;
use repoint_sandbox::transport::Link;
use tokio::time::{Instant, sleep, timeout};

use crate::link::{PG1, PG2, asking, world};

/// Members that count how often they were asked for everything, and for their status alone.
struct Counting {
    link: Link,
    asked: AtomicUsize,
    statuses: AtomicUsize,
}

impl Counting {
    fn new(link: &Link) -> Arc<Self> {
        Arc::new(Self { link: link.clone(), asked: AtomicUsize::new(0), statuses: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Patroni for Counting {
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.link.ask(url, asked).await
    }

    async fn status(&self, url: &ApiUrl) -> Read<MemberStatus> {
        self.statuses.fetch_add(1, Ordering::Relaxed);
        self.link.status(url).await
    }
}

/// Asks everyone, and waits for news for so long: whether there were any, and how often the members were asked.
async fn news(link: &Link, within: Duration) -> (Option<()>, usize) {
    let counting = Counting::new(link);
    let ports = asking(counting.clone(), link, "daemon").members;
    let spec = link.world().resources.spec.clone();
    let (mut members, began) = (Members::default(), Instant::now());
    members.ask(&spec, &ports, Duration::ZERO, began + within);
    members.settle(&spec, &ports, began + within).await;
    let came = timeout(within, members.news(&spec, &ports)).await.ok().map(drop);
    (came, counting.statuses.load(Ordering::Relaxed))
}

/// pg2 is being promoted.
async fn promoting() -> Link {
    let link = world();
    let now = link.now();
    link.world().cluster.switchover(now, PG2).unwrap();
    while link.world().cluster.key_holder() != Some(PG2) {
        sleep(Duration::from_millis(1)).await;
    }
    link
}

/// The others have said just before that it is the leader.
#[tokio::test(start_paused = true)]
async fn what_the_promoted_member_says_of_itself_is_enough() {
    let link = promoting().await;
    let counting = Counting::new(&link);
    let ports = asking(counting.clone(), &link, "daemon").members;
    let (spec, until) = (link.world().resources.spec.clone(), Instant::now() + Duration::from_secs(1));
    let (mut members, mut news) = (Members::default(), None);
    let asked = loop {
        let asked = counting.asked.load(Ordering::Relaxed);
        members.look(news, &spec, &ports, until).await;
        let observed = members.observed(&spec);
        match verdict(&spec, &observed, &State::default()) {
            Verdict::Primary(_) => break counting.asked.load(Ordering::Relaxed) - asked,
            Verdict::Hold(_) => news = Some(members.news(&spec, &ports).await),
        }
    };
    assert_eq!(asked, 0, "all were asked once more");
}

/// PostgreSQL takes 200 ms to promote here, and a request 30 ms on average.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_promotion_is_seen_within_100_ms() {
    let link = promoting().await;
    let promoted = async {
        while link.world().cluster.leader().is_none() {
            sleep(Duration::from_millis(1)).await;
        }
        Instant::now()
    };
    let seen = async {
        let (came, _) = news(&link, Duration::from_secs(1)).await;
        came.map(|()| Instant::now())
    };
    let (promoted, seen) = tokio::join!(promoted, seen);
    let late = seen.unwrap() - promoted;
    assert!(late < Duration::from_millis(100), "{late:?}");
}

/// A primary that died holds its leader key until that runs out, and no answer says when that is.
#[tokio::test(start_paused = true)]
async fn the_next_primary_after_a_dead_one_is_seen_within_100_ms() {
    let link = world();
    let now = link.now();
    link.world().cluster.crash(now, PG1, Silence::Refused);
    let promoted = async {
        while link.world().cluster.key_holder().is_none_or(|holder| holder == PG1) {
            sleep(Duration::from_millis(1)).await;
        }
        Instant::now()
    };
    let seen = async {
        let (came, asked) = news(&link, Duration::from_mins(1)).await;
        came.map(|()| (Instant::now(), asked))
    };
    let began = Instant::now();
    let (promoted, seen) = tokio::join!(promoted, seen);
    let (seen, asked) = seen.unwrap();
    assert!(seen - promoted < Duration::from_millis(100), "{:?}", seen - promoted);
    let most = (seen - began).as_millis() / 50 * 2;
    assert!(asked as u128 <= most + 2, "the two others were asked {asked} times");
}

/// Each request is a query of their PostgreSQL.
#[tokio::test(start_paused = true)]
async fn members_are_not_asked_often_where_nothing_is_to_be_expected() {
    let within = Duration::from_secs(5);
    let link = world();
    assert_eq!(news(&link, within).await, (None, 0), "there is a primary");
    let link = world();
    let now = link.now();
    link.world().cluster.demote_site(now);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(news(&link, within).await, (None, 0), "it is a standby cluster");
}
