//! The conditions of the cluster itself, over hours of passes: none in a day's work, and each where there is trouble.

use std::time::Duration;

use repoint::runtime::pass::{Mode, Settings, pass};
use repoint_domain::alerts::Rules;
use repoint_sandbox::Millis;
use repoint_sandbox::patroni::rest::Silence;
use repoint_sandbox::patroni::{Cluster, Lag};
use repoint_sandbox::transport::Link;
use tokio::time::sleep;

use crate::link::{PG1, PG2, PG3, SETTINGS, named, switchover, world};

const MIB: u64 = 1024 * 1024;
/// The default grace.
const RULES: Settings = Settings { alerts: Rules { grace_ms: 60_000, ..SETTINGS.alerts }, ..SETTINGS };

/// Passes every ten seconds for so many minutes, with what happens at the beginning of a minute.
async fn run_for(link: &Link, minutes: u64, happens: impl Fn(u64, &mut Cluster, Millis)) {
    let ports = named(link, "first");
    let spec = link.world().resources.spec.clone();
    for minute in 0..minutes {
        let now = link.now();
        happens(minute, &mut link.world().cluster, now);
        for _ in 0..6 {
            pass(&spec, &ports, &RULES, Mode::Apply).await;
            sleep(Duration::from_secs(10)).await;
        }
    }
}

fn messages(link: &Link) -> String {
    let world = link.world();
    let published = world.account.published(&world.resources.topic);
    let subjects: Vec<&str> =
        published.iter().filter_map(|published| published.message.subject.as_deref()).collect();
    subjects.join("\n")
}

/// Writes that a replica is behind with, a machine that is restarted, maintenance, and a switchover and back.
#[tokio::test(start_paused = true)]
async fn hours_of_work_give_no_alert() {
    let link = world();
    run_for(&link, 60, |minute, cluster, now| match minute {
        5 => cluster.set_lag(now, PG2, Lag::Bytes(60 * MIB)),
        15 => cluster.set_lag(now, PG2, Lag::Bytes(500 * MIB)),
        19 => cluster.set_lag(now, PG2, Lag::Bytes(0)),
        25 => cluster.crash(now, PG3, Silence::Refused),
        26 => cluster.start(now, PG3),
        _ => {}
    })
    .await;
    switchover(&link, PG2).await;
    run_for(&link, 60, |minute, cluster, now| match minute {
        5 => cluster.pause(now),
        55 => cluster.resume(now),
        _ => {}
    })
    .await;
    switchover(&link, PG1).await;
    run_for(&link, 20, |_, _, _| {}).await;
    insta::assert_snapshot!(messages(&link), @"
    repoint: batman: switchover from pg1 to pg2
    repoint: batman: switchover from pg2 to pg1
    ");
}

/// Each of them begins, and ends.
#[tokio::test(start_paused = true)]
async fn trouble_is_alerted() {
    let link = world();
    run_for(&link, 100, |minute, cluster, now| match minute {
        5 => {
            cluster.set_lag(now, PG2, Lag::Bytes(500 * MIB));
            cluster.set_lag(now, PG3, Lag::Bytes(10 * MIB));
        }
        20 => [PG2, PG3].into_iter().for_each(|member| cluster.set_lag(now, member, Lag::Bytes(0))),
        30 => cluster.pause(now),
        95 => cluster.resume(now),
        _ => {}
    })
    .await;
    for member in [PG2, PG3, PG1] {
        switchover(&link, member).await;
        run_for(&link, 5, |_, _, _| {}).await;
    }
    run_for(&link, 30, |_, _, _| {}).await;
    insta::assert_snapshot!(messages(&link), @"
    repoint: batman: replica pg2 lags, for 5 min 2 s now
    repoint: batman: no member could take over, for 5 min 2 s now
    repoint: batman: resolved after 14 min 56 s: no member could take over
    repoint: batman: resolved after 15 min 6 s: replica pg2 lags
    repoint: batman: Patroni is paused, for 1 h 0 min now
    repoint: batman: resolved after 1 h 5 min: Patroni is paused
    repoint: batman: switchover from pg1 to pg2
    repoint: batman: switchover from pg2 to pg3
    repoint: batman: switchover from pg3 to pg1
    repoint: batman: FLAPPING, the primary changes again and again
    repoint: batman: resolved after 30 min 2 s: FLAPPING, the primary changes again and again
    ");
}

/// A process that has just started, without the state store, cannot say how long something has lasted.
#[tokio::test(start_paused = true)]
async fn without_state_only_what_is_critical_is_alerted_at_once() {
    let link = world();
    link.world().is_state_down = true;
    run_for(&link, 1, |_, cluster, now| {
        cluster.pause(now);
        cluster.crash(now, PG3, Silence::Refused);
    })
    .await;
    insta::assert_snapshot!(messages(&link), @"repoint: batman: STATE STORE UNAVAILABLE, changes blocked");
}
