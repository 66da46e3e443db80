//! A simulated world for one test, in paused time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use repoint::ports::{MemberPorts, Patroni, Ports};
use repoint::runtime::pass::Settings;
use repoint_domain::alerts::{Limits, Rules};
use repoint_sandbox::patroni::{self, Cluster, MemberId, Spec};
use repoint_sandbox::simulation::World;
use repoint_sandbox::transport::{Link, Shape, ports};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

pub const PG1: MemberId = MemberId(0);
pub const PG2: MemberId = MemberId(1);
pub const PG3: MemberId = MemberId(2);
/// How long PostgreSQL takes to be promoted or stopped, in milliseconds.
const PROMOTION: u64 = 200;
pub const SETTINGS: Settings = Settings {
    limit: Duration::from_secs(30),
    notify_within: Duration::from_secs(10),
    needs_state: true,
    alerts: Rules {
        grace_ms: 10_000,
        contested_grace_ms: 0,
        replica_grace_ms: 300_000,
        paused_grace_ms: 3_600_000,
        reminder_ms: None,
        limits: Limits::DEFAULT,
    },
};

/// pg1 leads three members, and the endpoints point at it.
pub fn world() -> Link {
    world_of(Shape { is_filled: true, ..Shape::default() })
}

/// pg1 leads three members, and this is what there is in AWS.
pub fn world_of(shape: Shape) -> Link {
    let specs = (1..=3).map(|number| Spec::new(&format!("pg{number}"), &format!("172.31.1.{number}"), 0));
    let settings = patroni::Settings {
        promotion_time: PROMOTION,
        stop_time: PROMOTION,
        loop_wait: 1_000,
        ..patroni::Settings::default()
    };
    let cluster = Cluster::new("batman", 7_710_341_171_024_913_225, 3, settings, specs.collect(), 0);
    Link {
        world: Arc::new(Mutex::new(World::new(cluster, shape, 1).unwrap())),
        began: Instant::now(),
        reconciler: 0,
        identity: String::new(),
        died: Arc::new(Notify::new()),
    }
}

pub fn named(link: &Link, identity: &str) -> Ports {
    ports(link, identity.to_owned())
}

/// The same, with members that are asked in this way.
pub fn asking(patroni: Arc<dyn Patroni>, link: &Link, identity: &str) -> Ports {
    let ports = named(link, identity);
    Ports { members: MemberPorts { patroni, ..ports.members }, ..ports }
}

/// Hands over, and waits until the other one leads.
pub async fn switchover(link: &Link, to: MemberId) {
    let now = link.now();
    link.world().cluster.switchover(now, to).unwrap();
    while link.world().cluster.leader().is_none_or(|(leader, _)| leader != to) {
        sleep(Duration::from_millis(PROMOTION)).await;
    }
}

pub fn group(link: &Link) -> Vec<String> {
    let world = link.world();
    world.registered(&world.resources.ip_group)
}
