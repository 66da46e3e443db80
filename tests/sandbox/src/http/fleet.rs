//! Many Patroni clusters and one AWS account behind real sockets on loopback, in real time.
//!
//! The clusters share nothing but the account and its zones. Faults of a single one are the business of
//! [`super::sandbox`].

mod build;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::exchange::{Reply, Request};
use super::sandbox::{OBSERVER, Setup};
use super::server::{Handler, serve};
use crate::Millis;
use crate::aws::log::{Call, Ending};
use crate::aws::route53::record::Answer;
use crate::aws::throttle::Throttle;
use crate::aws::{Account, wire};
use crate::patroni::{Cluster, MemberId};
use build::Endpoints;

/// How many members each cluster has.
const MEMBERS: u8 = 3;
/// How often time advances for clusters that get no request.
const TICK: Duration = Duration::from_millis(100);

/// How large a fleet is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Clusters of three members, each with a target group.
    pub clusters: u16,
    /// Zones, in one of which each cluster has a failover pair; or none has.
    pub zones: u16,
}

/// The fleet. Dropping it closes its sockets, as soon as the runtime gets to it.
pub struct Fleet {
    shared: Arc<Shared>,
    aws: SocketAddr,
    _tasks: JoinSet<()>,
}

/// A cluster, and its endpoints.
struct Kept {
    cluster: Mutex<Cluster>,
    endpoints: Endpoints,
}

struct Shared {
    began: Instant,
    clusters: Vec<Kept>,
    account: Mutex<Account>,
    limits: Throttle,
    calls: Mutex<Vec<Call>>,
    /// How many requests members have had.
    requests: AtomicU64,
}

impl Fleet {
    /// In each cluster the first member leads, and its endpoints point at it.
    ///
    /// # Errors
    /// If loopback has no ports left, or this process no files.
    pub async fn start(size: Size) -> io::Result<Self> {
        let mut account = Account::default();
        account.settings = Setup::quick().aws;
        // All of it is made at once.
        let limits = std::mem::replace(&mut account.throttle, Throttle::unlimited());
        let zones = build::zones(&mut account, size.zones).map_err(io::Error::other)?;
        let (mut clusters, mut members) = (Vec::new(), Vec::new());
        for number in 0..size.clusters {
            let mut specs = Vec::new();
            for member in 0..MEMBERS {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                specs.push(build::spec(number, member, listener.local_addr()?));
                members.push((usize::from(number), MemberId(member.into()), listener));
            }
            let endpoints =
                build::endpoints(&mut account, number, &specs, &zones).map_err(io::Error::other)?;
            clusters.push(Kept { cluster: Mutex::new(build::cluster(number, specs)), endpoints });
        }
        account.drain_calls();
        account.throttle = limits.clone();
        let shared = Arc::new(Shared {
            began: Instant::now(),
            clusters,
            account: Mutex::new(account),
            limits,
            calls: Mutex::default(),
            requests: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        for (number, member, listener) in members {
            let shared = shared.clone();
            let answer =
                move |request: Request| (Duration::ZERO, shared.ask_member(number, member, &request));
            tasks.spawn(serve(listener, Arc::new(answer) as Arc<Handler>));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let aws = listener.local_addr()?;
        let answering = shared.clone();
        let answer = move |request: Request| (Duration::ZERO, answering.ask_aws(&request));
        tasks.spawn(serve(listener, Arc::new(answer) as Arc<Handler>));
        let advancing = shared.clone();
        tasks.spawn(async move { advancing.advance().await });
        Ok(Self { shared, aws, _tasks: tasks })
    }

    /// A configuration of `repoint` for all of it, without the section `[state]`, with these lines in `[aws]`.
    #[must_use]
    pub fn configuration(&self, aws: &str) -> String {
        let region = lock(&self.shared.account).region.clone();
        let mut text = format!("[aws]\nregion = {region:?}\nendpoint_url = \"http://{}\"\n{aws}\n", self.aws);
        for kept in &self.shared.clusters {
            build::configure(&lock(&kept.cluster), &kept.endpoints, &mut text);
        }
        text
    }

    /// How many clusters there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.clusters.len()
    }

    /// Whether AWS enforces its limits from now on; its buckets are full again.
    pub fn limit(&self, is_limited: bool) {
        let limits = if is_limited { self.shared.limits.clone() } else { Throttle::unlimited() };
        lock(&self.shared.account).throttle = limits;
    }

    /// Milliseconds since the fleet began, by the clock of [`Call::at`].
    #[must_use]
    pub fn now(&self) -> Millis {
        self.shared.now()
    }

    /// The calls to AWS since the last time, in their order.
    #[must_use]
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut lock(&self.shared.calls))
    }

    /// How many requests members have had since the last time.
    #[must_use]
    pub fn take_requests(&self) -> u64 {
        self.shared.requests.swap(0, Ordering::Relaxed)
    }

    /// How often AWS was asked for that since calls were last taken.
    #[must_use]
    pub fn asked(&self, action: &str) -> usize {
        lock(&self.shared.calls).iter().filter(|call| call.action == action).count()
    }

    /// Hands a cluster's leadership over to that member; `false` if the member is not fit for it yet.
    #[must_use]
    pub fn hand_over(&self, number: usize, to: MemberId) -> bool {
        let now = self.shared.now();
        let mut cluster = lock(&self.shared.clusters[number].cluster);
        cluster.advance(now);
        cluster.switchover(now, to).is_ok()
    }

    /// Whether that member leads the cluster.
    #[must_use]
    pub fn is_led_by(&self, number: usize, member: MemberId) -> bool {
        leader(&lock(&self.shared.clusters[number].cluster)) == Some(member)
    }

    /// Whether the endpoints of every cluster point at its leader.
    #[must_use]
    pub fn is_right(&self) -> bool {
        let account = lock(&self.shared.account);
        self.shared.clusters.iter().all(|kept| {
            let cluster = lock(&kept.cluster);
            let host = leader(&cluster).map(|leader| cluster.spec(leader).postgres.0.to_string());
            let targets = account.registered(&kept.endpoints.group);
            let is_held = matches!(targets.as_slice(), [only] if Some(&only.id) == host.as_ref());
            is_held && kept.endpoints.record.as_ref().is_none_or(|record| points_at(&account, record) == host)
        })
    }
}

fn leader(cluster: &Cluster) -> Option<MemberId> {
    cluster.leader().map(|(leader, _)| leader)
}

/// What the PRIMARY of a failover pair answers.
fn points_at(account: &Account, record: &build::Pair) -> Option<String> {
    let key = build::key(record, build::PRIMARY);
    let set = account.record_set(&record.zone, &key)?;
    match &set.answer {
        Answer::Values { values, .. } => values.first().cloned(),
        Answer::Alias(_) => None,
    }
}

/// Whether a call was refused for its rate.
#[must_use]
pub fn is_throttled(call: &Call) -> bool {
    matches!(&call.ending, Ending::Refused(code) if code.contains("Throttling") || code == "RequestLimitExceeded")
}

impl Shared {
    fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn ask_member(&self, number: usize, member: MemberId, request: &Request) -> Reply {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut cluster = lock(&self.clusters[number].cluster);
        let now = self.now();
        cluster.advance(now);
        cluster.answer(now, member, &request.path, OBSERVER)
    }

    fn ask_aws(&self, request: &Request) -> Reply {
        let mut account = lock(&self.account);
        let now = self.now();
        account.advance(now, &mut |_| true);
        let reply = wire::answer(&mut account, now, request);
        lock(&self.calls).extend(account.drain_calls());
        reply
    }

    async fn advance(&self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for kept in &self.clusters {
                let mut cluster = lock(&kept.cluster);
                cluster.advance(self.now());
                cluster.take_events();
            }
        }
    }
}

/// Nothing is half done where one panicked: the models change within one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
