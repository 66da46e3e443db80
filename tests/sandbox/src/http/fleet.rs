//! Many Patroni clusters and one AWS account behind real sockets on loopback, in real time.
//!
//! Law: the clusters share nothing but the account. What befalls a single one is the business of [`super::door`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::door::{OBSERVER, Setup};
use super::exchange::{Reply, Request};
use super::server::{Handler, serve};
use crate::Millis;
use crate::aws::elbv2::group::{NewTargetGroup, TargetType};
use crate::aws::elbv2::target::TargetDescription;
use crate::aws::error::AwsError;
use crate::aws::throttle::Bucket;
use crate::aws::{Account, wire};
use crate::door::PORT;
use crate::patroni::{Cluster, MemberId, Spec};

/// How many members each cluster has.
const MEMBERS: u8 = 3;
/// How often time is let pass for those whom nobody asks.
const TICK: Duration = Duration::from_millis(50);

/// The fleet. Dropping it closes its sockets, as soon as the runtime gets to it.
pub struct Fleet {
    shared: Arc<Shared>,
    aws: SocketAddr,
    _tasks: JoinSet<()>,
}

/// A cluster, and its group.
struct Kept {
    cluster: Mutex<Cluster>,
    group: String,
}

struct Shared {
    began: Instant,
    clusters: Vec<Kept>,
    account: Mutex<Account>,
    /// How often AWS was asked, by action.
    asked: Mutex<BTreeMap<String, u64>>,
}

impl Fleet {
    /// `count` clusters, in each of which the first member leads and is alone in its target group.
    ///
    /// # Errors
    /// If loopback has no ports left.
    pub async fn start(count: u8) -> io::Result<Self> {
        let mut account = Account::default();
        account.settings = Setup::quick().aws;
        // All of it is made at once.
        let limits = account.throttle.clone();
        account.throttle.set(Bucket::ElbWrite, None);
        let (mut clusters, mut members) = (Vec::new(), Vec::new());
        for number in 0..count {
            let mut specs = Vec::new();
            for member in 0..MEMBERS {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                specs.push(spec(number, member, listener.local_addr()?));
                members.push((usize::from(number), MemberId(member.into()), listener));
            }
            let group = group(&mut account, number, &specs).map_err(io::Error::other)?;
            clusters.push(Kept { cluster: Mutex::new(cluster(number, specs)), group });
        }
        account.throttle = limits;
        let shared = Arc::new(Shared {
            began: Instant::now(),
            clusters,
            account: Mutex::new(account),
            asked: Mutex::default(),
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
        let living = shared.clone();
        tasks.spawn(async move { living.live().await });
        Ok(Self { shared, aws, _tasks: tasks })
    }

    /// A configuration of `repoint` for all of it, without the section `[state]`.
    #[must_use]
    pub fn configuration(&self) -> String {
        let mut text = format!(
            "[aws]\nregion = {:?}\nendpoint_url = \"http://{}\"\n",
            lock(&self.shared.account).region,
            self.aws
        );
        for kept in &self.shared.clusters {
            let cluster = lock(&kept.cluster);
            let url = |member| {
                let (host, port) = &cluster.spec(member).rest;
                format!("http://{host}:{port}")
            };
            let members: Vec<String> = cluster.ids().map(url).collect();
            let _ = write!(
                text,
                "\n[[cluster]]\nscope = {:?}\nmembers = {members:?}\n\n  [[cluster.target_group]]\n  arn = {:?}\n",
                cluster.scope(),
                kept.group,
            );
        }
        text
    }

    /// How often AWS was asked so far, by action.
    #[must_use]
    pub fn asked(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.asked).clone()
    }

    /// Hands every cluster's leadership over to that member.
    ///
    /// # Panics
    /// If one of them refuses.
    pub fn switch_over(&self, to: MemberId) {
        for kept in &self.shared.clusters {
            let now = self.shared.now();
            let mut cluster = lock(&kept.cluster);
            let refused = cluster.switchover(now, to).err();
            assert!(refused.is_none(), "{}: {refused:?}", cluster.scope());
        }
    }

    /// Whether every cluster is led by that member, and its group holds that member alone.
    #[must_use]
    pub fn is_at(&self, member: MemberId) -> bool {
        let account = lock(&self.shared.account);
        self.shared.clusters.iter().all(|kept| {
            let cluster = lock(&kept.cluster);
            let is_led = cluster.leader().is_some_and(|(leader, _)| leader == member);
            let targets = account.registered(&kept.group);
            is_led && matches!(targets.as_slice(), [only] if *only.id == *cluster.spec(member).postgres.0)
        })
    }
}

impl Shared {
    fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn ask_member(&self, number: usize, member: MemberId, request: &Request) -> Reply {
        let mut cluster = lock(&self.clusters[number].cluster);
        let now = self.now();
        cluster.advance(now);
        cluster.answer(now, member, &request.path, OBSERVER)
    }

    fn ask_aws(&self, request: &Request) -> Reply {
        let (_, action) = wire::action(request).unwrap_or_default();
        *lock(&self.asked).entry(action).or_default() += 1;
        let mut account = lock(&self.account);
        let now = self.now();
        account.advance(now, &mut |_| true);
        let reply = wire::answer(&mut account, now, request);
        // They are counted already, and would grow for as long as the fleet lives.
        account.drain_calls();
        reply
    }

    async fn live(&self) {
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

fn spec(number: u8, member: u8, rest: SocketAddr) -> Spec {
    let name = format!("pg{}", member + 1);
    // Each in a zone of its own.
    let host = format!("172.31.{}.{number}", 16 * member);
    let spec = Spec::new(&name, &host, 250 * u64::from(member));
    Spec { rest: (Arc::from(rest.ip().to_string()), rest.port()), ..spec }
}

fn cluster(number: u8, specs: Vec<Spec>) -> Cluster {
    let quick = Setup::quick();
    let system_id = quick.system_id + u64::from(number);
    Cluster::new(&format!("batman-{number}"), system_id, quick.timeline, quick.patroni, specs, 0)
}

fn group(account: &mut Account, number: u8, specs: &[Spec]) -> Result<String, AwsError> {
    let new = NewTargetGroup {
        name: format!("batman-{number}"),
        target_type: TargetType::Ip,
        protocol: "TCP".to_owned(),
        port: PORT,
        ..NewTargetGroup::default()
    };
    let group = account.create_target_group(0, new)?.arn;
    account.register_targets(0, &group, &[TargetDescription::new(&specs[0].postgres.0, PORT)])?;
    Ok(group)
}
