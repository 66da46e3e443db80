//! A cluster of three, and short questions to it.

use repoint_sandbox::Millis;
use repoint_sandbox::http::exchange::Reply;
use repoint_sandbox::patroni::rest::View;
use repoint_sandbox::patroni::{Cluster, MemberId, Settings, Spec};
use serde_json::Value;

pub const SYSTEM: u64 = 7_710_361_848_715_350_056;
pub const PG1: MemberId = MemberId(0);
pub const PG2: MemberId = MemberId(1);
pub const PG3: MemberId = MemberId(2);

/// The observer.
pub const ME: usize = 0;

pub const SECOND: Millis = 1_000;

pub fn spec(number: usize) -> Spec {
    let phase = 3_000 * number as Millis;
    Spec::new(&format!("pg{number}"), &format!("127.0.0.1{number}"), phase)
}

/// pg1 leads on timeline 1.
pub fn cluster(settings: Settings) -> Cluster {
    Cluster::new("batman", SYSTEM, 1, settings, vec![spec(1), spec(2), spec(3)], 0)
}

pub fn usual() -> Cluster {
    cluster(Settings::default())
}

/// Runs until everything is as it should be.
#[track_caller]
pub fn settle(cluster: &mut Cluster, from: Millis) -> Millis {
    for now in (from..from + 600 * SECOND).step_by(500) {
        cluster.advance(now);
        if cluster.is_settled(now) {
            return now;
        }
    }
    panic!("not settled: {:#?}", notified(cluster));
}

/// Advances in steps of ten milliseconds until it is so.
#[track_caller]
pub fn until(cluster: &mut Cluster, from: Millis, so: impl Fn(&Cluster, Millis) -> bool) -> Millis {
    for now in (from..from + 300 * SECOND).step_by(10) {
        cluster.advance(now);
        if so(cluster, now) {
            return now;
        }
    }
    panic!("never so: {:#?}", notified(cluster));
}

pub fn notified(cluster: &mut Cluster) -> Vec<String> {
    cluster.take_events().iter().map(|event| format!("{:>7} {event}", event.at)).collect()
}

/// The text alone.
pub fn words(cluster: &mut Cluster) -> Vec<String> {
    cluster.take_events().iter().map(ToString::to_string).collect()
}

/// The members that answer 200 on `/primary`.
pub fn claimants(cluster: &Cluster, now: Millis) -> Vec<MemberId> {
    cluster.ids().filter(|id| cluster.health(now, *id, ME).is_ok_and(|(ok, _)| ok)).collect()
}

pub fn writers(cluster: &Cluster) -> Vec<MemberId> {
    cluster.takes_writes().into_iter().map(|(id, _)| id).collect()
}

pub fn listed_leader(view: &View) -> Option<String> {
    view.members.iter().find(|member| member.role == "leader").map(|member| member.name.to_string())
}

#[track_caller]
pub fn status(reply: &Reply) -> u16 {
    match reply {
        Reply::Full { status, .. } => *status,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub fn body(reply: &Reply) -> Value {
    match reply {
        Reply::Full { body, .. } => serde_json::from_slice(body).unwrap(),
        other => panic!("{other:?}"),
    }
}
