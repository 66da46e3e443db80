//! What members answer is the same through the ports and over HTTP, whatever their version and whatever befalls them.

use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repoint::adapters::patroni::{Options, Rest};
use repoint::limits::Asked;
use repoint::ports::Patroni;
use repoint_domain::observed::Read;
use repoint_domain::values::cluster::ApiUrl;
use repoint_sandbox::Millis;
use repoint_sandbox::http::exchange::Request;
use repoint_sandbox::http::server::serve;
use repoint_sandbox::patroni::rest::Silence;
use repoint_sandbox::patroni::{Cluster, DcsOutage, Lag, MemberId, Settings, Spec, Tags, Version};
use repoint_sandbox::simulation::World;
use repoint_sandbox::transport::{Link, Shape, Shared};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, pause, resume};

const MEMBERS: u8 = 3;
const PG1: MemberId = MemberId(0);
const PG2: MemberId = MemberId(1);
const PG3: MemberId = MemberId(2);
/// How far apart two looks are: the members' HA loops are 2 s long.
const APART: Duration = Duration::from_millis(700);

/// One thing that happens before a look, and how many looks it is watched for.
type Scene = (usize, fn(&mut Cluster, Millis));

const SCENES: &[Scene] = &[
    (1, |_, _| {}),
    (4, |cluster, now| cluster.set_tags(now, PG2, Tags { noloadbalance: true, nofailover: false })),
    (3, |cluster, now| cluster.set_lag(now, PG3, Lag::Bytes(12_345_678))),
    (3, |cluster, now| cluster.set_lag(now, PG3, Lag::Unknown)),
    (2, |cluster, now| cluster.set_lag(now, PG3, Lag::Bytes(0))),
    // Stopping, stopped but still 200, promoting, promoted.
    (12, |cluster, now| cluster.switchover(now, PG2).unwrap()),
    (4, |cluster, now| cluster.pause(now)),
    (4, |cluster, now| cluster.crash_postgres(now, PG3)),
    (6, |cluster, now| cluster.resume(now)),
    (24, |cluster, now| cluster.crash(now, PG2, Silence::Refused)),
    (10, |cluster, now| cluster.start(now, PG2)),
    (12, |cluster, now| cluster.dcs_down(now, DcsOutage::Closes)),
    (10, |cluster, now| cluster.dcs_up(now)),
    (3, |cluster, _| cluster.set_view_lag(PG1, 5_000)),
    (2, |cluster, _| cluster.set_view_lag(PG1, 0)),
    (3, |cluster, now| cluster.force_split_brain(now, PG2)),
    (1, |cluster, now| cluster.hang(now, PG3)),
    (8, |cluster, now| cluster.unhang(now, PG3)),
    (12, |cluster, now| cluster.restore(now, 7_000_000_000_000_000_001, 1).unwrap()),
];

/// The members on addresses of their own, as the ports know them by their hosts, each on a port that is free.
async fn listeners() -> Vec<TcpListener> {
    let mut listeners = Vec::new();
    for number in 1..=MEMBERS {
        listeners.push(TcpListener::bind((Ipv4Addr::new(127, 0, 1, number), 0)).await.unwrap());
    }
    listeners
}

fn observed(settings: Settings, listeners: &[TcpListener]) -> World {
    let specs = listeners.iter().zip(1..).map(|(listener, number)| {
        let address = listener.local_addr().unwrap();
        let spec = Spec::new(&format!("pg{number}"), &format!("172.31.1.{number}"), 600 * number);
        Spec { rest: (Arc::from(address.ip().to_string()), address.port()), ..spec }
    });
    let cluster = Cluster::new("batman", 7_710_341_171_024_913_225, 3, settings, specs.collect(), 0);
    let shape = Shape { is_filled: true, ..Shape::default() };
    World::new(cluster, shape, 1).unwrap()
}

/// Both doors of one world. Its time stands still while the second one answers, so that both tell of one moment.
struct Doors {
    shared: Shared,
    ports: Link,
    wire: Rest,
    urls: Vec<ApiUrl>,
    _servers: JoinSet<()>,
}

impl Doors {
    async fn open(settings: Settings) -> Self {
        let listeners = listeners().await;
        let observed = observed(settings, &listeners);
        let urls = observed.resources.spec.sites[0].members.clone();
        let shared: Shared = Arc::new(Mutex::new(observed));
        let mut servers = JoinSet::new();
        for (member, listener) in listeners.into_iter().enumerate() {
            let shared = shared.clone();
            let answer = move |request: Request| {
                let observed = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let now = observed.cluster.now();
                (Duration::ZERO, observed.cluster.answer(now, MemberId(member), &request.path, 0))
            };
            servers.spawn(serve(listener, Arc::new(answer)));
        }
        let ports = Link {
            world: shared.clone(),
            began: Instant::now(),
            reconciler: 0,
            identity: "test".to_owned(),
            died: Arc::new(Notify::new()),
        };
        let lease_wait = Duration::from_millis(300);
        let options = Options {
            connect_timeout: lease_wait,
            timeout: lease_wait,
            ca: None,
            identity: None,
            verify_hostname: true,
            at_once: 8,
        };
        Self { shared, ports, wire: Rest::new(&options).unwrap(), urls, _servers: servers }
    }

    fn apply_fault(&self, what: fn(&mut Cluster, Millis)) {
        let mut observed = self.ports.world();
        let now = observed.cluster.now();
        what(&mut observed.cluster, now);
    }

    /// Asks each member at both doors, and says where they differ.
    async fn compare(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for url in &self.urls {
            // The ports' answers are some simulated milliseconds old when the wire is asked. Something may have been due
            // between; it is not due again.
            let mut found = self.differ(url).await;
            if !found.is_empty() {
                found = self.differ(url).await;
            }
            differences.extend(found);
        }
        differences
    }

    async fn differ(&self, url: &ApiUrl) -> Vec<String> {
        let by_ports = self.ports.ask(url, &Asked::default()).await;
        resume();
        let by_wire = self.wire.ask(url, &Asked::default()).await;
        pause();
        let ip = |peer: Option<SocketAddr>| peer.map(|peer| peer.ip());
        let same_peer = by_wire.status.is_err() || ip(by_ports.peer) == ip(by_wire.peer);
        let peers = (!same_peer).then(|| format!("{url}: {:?} is not {:?}", by_ports.peer, by_wire.peer));
        let health = difference(url, &by_ports.status, &by_wire.status);
        let view = difference(url, &by_ports.view, &by_wire.view);
        [peers, health, view].into_iter().flatten().collect()
    }
}

/// Of failures only the sort is compared: words are the sockets' own.
fn difference<T: Debug + PartialEq>(url: &ApiUrl, ports: &Read<T>, wire: &Read<T>) -> Option<String> {
    let is_same = match (ports, wire) {
        (Ok(ports), Ok(wire)) => ports == wire,
        (Err(ports), Err(wire)) => ports.kind == wire.kind && ports.call == wire.call,
        _ => false,
    };
    (!is_same).then(|| format!("{url}\n  ports {ports:?}\n  wire  {wire:?}"))
}

async fn agree(settings: Settings) -> usize {
    let version = settings.version;
    let doors = Doors::open(settings).await;
    pause();
    let mut looks = 0;
    for (scene, (count, what)) in SCENES.iter().enumerate() {
        doors.apply_fault(*what);
        for _ in 0..*count {
            let differences = doors.compare().await;
            assert!(differences.is_empty(), "{version:?}, scene {scene}:\n{}", differences.join("\n"));
            looks += 1;
            advance(APART).await;
        }
    }
    resume();
    let observed = doors.shared.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(observed.cluster.ids().count() == usize::from(MEMBERS));
    looks
}

#[tokio::test]
async fn both_transports_report_the_same_of_every_version() {
    for version in Version::ALL {
        let settings = Settings {
            version,
            ttl: 10_000,
            loop_wait: 2_000,
            retry_timeout: 2_000,
            promotion_time: 1_500,
            stop_time: 1_500,
            rewind_time: 2_000,
            clone_time: 3_000,
            ..Settings::default()
        };
        let looks = agree(settings).await;
        assert!(looks > 100, "{looks}");
    }
}
