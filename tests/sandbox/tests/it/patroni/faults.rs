//! Crashes, hangs, zombies: which member answers, takes writes and leads afterwards.

use repoint_sandbox::patroni::{Cluster, Settings, Silence, Tags, Wire};

use super::support::*;

#[test]
fn a_quiet_cluster_stays_as_it_is() {
    let mut cluster = usual();
    cluster.advance(600 * SECOND);
    assert_eq!(cluster.leader(), Some((PG1, 1)));
    assert!(cluster.is_settled(600 * SECOND));
    assert_eq!(claimants(&cluster, 600 * SECOND), [PG1]);
    assert_eq!(notified(&mut cluster), [""; 0]);
}

#[test]
fn a_crashed_primary_is_replaced_after_the_ttl_and_rejoins() {
    let mut cluster = usual();
    cluster.crash(15 * SECOND, PG1, Silence::Refused);
    assert_eq!(cluster.health(15 * SECOND, PG1, ME).unwrap_err(), Silence::Refused);
    assert!(cluster.takes_writes().is_empty());
    cluster.advance(40 * SECOND);
    assert_eq!(listed_leader(&cluster.view(40 * SECOND, PG2, ME).unwrap()).as_deref(), Some("pg1"));
    assert!(claimants(&cluster, 40 * SECOND).is_empty());
    // Its last renewal was at 13 s.
    let now = until(&mut cluster, 40 * SECOND, |cluster, now| !claimants(cluster, now).is_empty());
    assert!((43_000..43_100).contains(&now), "{now}");
    let settled = settle(&mut cluster, now);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
    cluster.start(settled + 1, PG1);
    let settled = settle(&mut cluster, settled + 20 * SECOND);
    let (ok, health) = cluster.health(settled, PG1, ME).unwrap();
    assert_eq!((ok, health.role, health.timeline), (false, "replica", Some(2)));
    assert_eq!(
        words(&mut cluster),
        [
            "pg1 crashed",
            "the leader key ran out",
            "pg2 took the leader key",
            "pg2 is promoting",
            "pg2 is primary on timeline 2",
            "pg1 was started",
            "pg1 is being rewound",
            "pg1 rejoined as replica",
        ]
    );
}

#[test]
fn a_lost_machine_is_silent() {
    let mut cluster = usual();
    cluster.crash(1, PG2, Silence::TimedOut);
    assert_eq!(cluster.health(1, PG2, ME).unwrap_err(), Silence::TimedOut);
    let settled = settle(&mut cluster, 2);
    assert_eq!(cluster.view(settled, PG1, ME).unwrap().members.len(), 2);
}

#[test]
fn a_primary_that_restarts_within_the_ttl_keeps_the_key() {
    let mut cluster = usual();
    cluster.crash(11 * SECOND, PG1, Silence::Refused);
    cluster.start(13 * SECOND, PG1);
    let settled = settle(&mut cluster, 14 * SECOND);
    assert_eq!(cluster.leader(), Some((PG1, 2)));
    assert_eq!(claimants(&cluster, settled), [PG1]);
}

#[test]
fn without_patroni_an_old_primary_goes_on_taking_writes() {
    let mut cluster = usual();
    cluster.kill_patroni(5 * SECOND, PG1);
    let now = until(&mut cluster, 6 * SECOND, |cluster, _| cluster.takes_writes().len() == 2);
    assert_eq!(cluster.takes_writes(), [(PG1, 1), (PG2, 2)]);
    assert_eq!(claimants(&cluster, now), [PG2]);
    assert_eq!(cluster.health(now, PG1, ME).unwrap_err(), Silence::Refused);
    assert_eq!(cluster.leader(), None);
    cluster.advance(now + 300 * SECOND);
    assert!(!cluster.is_settled(now + 300 * SECOND));
    cluster.start(now + 300 * SECOND, PG1);
    settle(&mut cluster, now + 310 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
}

#[test]
fn a_crashed_postgresql_recovers_on_its_timeline_while_its_patroni_answers_200() {
    let settings = Settings { start_time: 60 * SECOND, ..Settings::default() };
    let mut cluster = cluster(settings);
    cluster.crash_postgres(5 * SECOND, PG1);
    let (ok, health) = cluster.health(5 * SECOND, PG1, ME).unwrap();
    assert_eq!((ok, health.state, health.timeline), (true, "unknown", None));
    cluster.advance(50 * SECOND);
    let (ok, health) = cluster.health(50 * SECOND, PG1, ME).unwrap();
    assert_eq!((ok, health.state, health.role), (true, "starting", "primary"));
    assert!(cluster.takes_writes().is_empty());
    settle(&mut cluster, 51 * SECOND);
    assert_eq!(cluster.leader(), Some((PG1, 1)));
}

#[test]
fn a_primary_that_recovers_for_too_long_gives_the_key_away() {
    let mut cluster = usual();
    cluster.set_start_time(PG1, Some(3_600 * SECOND));
    cluster.crash_postgres(5 * SECOND, PG1);
    cluster.advance(300 * SECOND);
    assert_eq!(claimants(&cluster, 300 * SECOND), [PG1]);
    cluster.advance(330 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
}

#[test]
fn a_zombie_claims_its_old_timeline_until_its_loop() {
    let mut cluster = usual();
    cluster.crash(5 * SECOND, PG1, Silence::TimedOut);
    let now = settle(&mut cluster, 6 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
    cluster.start_as_zombie(now, PG1);
    assert_eq!(claimants(&cluster, now), [PG1, PG2]);
    assert_eq!(cluster.takes_writes(), [(PG1, 1), (PG2, 2)]);
    let (_, health) = cluster.health(now, PG1, ME).unwrap();
    assert_eq!((health.role, health.timeline, health.cluster_unlocked), ("primary", Some(1), false));
    assert_eq!(listed_leader(&cluster.view(now, PG1, ME).unwrap()).as_deref(), Some("pg1"));
    assert_eq!(listed_leader(&cluster.view(now, PG2, ME).unwrap()).as_deref(), Some("pg2"));
    cluster.advance(now + 10 * SECOND);
    assert_eq!(claimants(&cluster, now + 10 * SECOND), [PG2]);
    settle(&mut cluster, now + 11 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
}

#[test]
fn a_hung_patroni_wakes_to_503_with_the_role_of_before() {
    let mut cluster = usual();
    cluster.hang(4 * SECOND, PG1);
    assert_eq!(cluster.health(4 * SECOND, PG1, ME).unwrap_err(), Silence::TimedOut);
    cluster.advance(60 * SECOND);
    assert_eq!(cluster.takes_writes(), [(PG1, 1), (PG2, 2)]);
    cluster.unhang(60 * SECOND, PG1);
    let (ok, health) = cluster.health(60 * SECOND, PG1, ME).unwrap();
    assert_eq!((ok, health.role, health.timeline), (false, "primary", Some(1)));
    // Its loop is due at 63 s.
    cluster.advance(62_900);
    assert_eq!(writers(&cluster), [PG1, PG2]);
    settle(&mut cluster, 64 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
}

#[test]
fn a_short_hang_changes_nothing() {
    let mut cluster = usual();
    cluster.hang(4 * SECOND, PG1);
    cluster.unhang(20 * SECOND, PG1);
    assert_eq!(claimants(&cluster, 20 * SECOND), [PG1]);
    settle(&mut cluster, 21 * SECOND);
    assert_eq!(cluster.leader(), Some((PG1, 1)));
}

#[test]
fn a_thawed_machine_still_claims_to_be_primary() {
    let mut cluster = usual();
    cluster.freeze(4 * SECOND, PG1);
    assert!(cluster.takes_writes().is_empty());
    cluster.advance(60 * SECOND);
    assert_eq!(cluster.takes_writes(), [(PG2, 2)]);
    cluster.thaw(60 * SECOND, PG1);
    assert_eq!(claimants(&cluster, 60 * SECOND), [PG1, PG2]);
    assert_eq!(cluster.takes_writes(), [(PG1, 1), (PG2, 2)]);
    cluster.advance(63_200);
    assert_eq!(claimants(&cluster, 63_200), [PG2]);
    settle(&mut cluster, 64 * SECOND);
}

#[test]
fn the_fittest_is_promoted() {
    let mut cluster = usual();
    cluster.set_lag(1, PG2, repoint_sandbox::patroni::Lag::Bytes(4_096));
    cluster.crash(5 * SECOND, PG1, Silence::Refused);
    settle(&mut cluster, 6 * SECOND);
    assert_eq!(cluster.leader(), Some((PG3, 2)));
}

fn after_crash(prepare: impl Fn(&mut Cluster)) -> Cluster {
    let mut cluster = usual();
    prepare(&mut cluster);
    cluster.crash(5 * SECOND, PG1, Silence::Refused);
    cluster.advance(120 * SECOND);
    cluster
}

#[test]
fn no_member_is_promoted_when_none_is_fit() {
    let nofailover = Tags { nofailover: true, ..Tags::default() };
    let both = after_crash(|cluster| {
        cluster.set_tags(1, PG2, nofailover);
        cluster.set_lag(1, PG3, repoint_sandbox::patroni::Lag::Bytes(2_000_000));
    });
    assert_eq!((both.key_holder(), both.takes_writes()), (None, vec![]));
    let unknown = after_crash(|cluster| {
        cluster.set_tags(1, PG2, nofailover);
        cluster.set_lag(1, PG3, repoint_sandbox::patroni::Lag::Unknown);
    });
    assert_eq!(unknown.key_holder(), None);
    let one = after_crash(|cluster| cluster.set_tags(1, PG2, nofailover));
    assert_eq!(one.leader(), Some((PG3, 2)));
}

#[test]
fn a_wire_is_cut_for_one_observer_alone() {
    let mut cluster = usual();
    cluster.set_wire(1, PG1, Wire::Refused);
    cluster.set_wire(2, PG1, Wire::Lost);
    assert!(cluster.health(1, PG1, ME).is_ok());
    assert_eq!(cluster.health(1, PG1, 1).unwrap_err(), Silence::Refused);
    assert_eq!(cluster.view(1, PG1, 2).unwrap_err(), Silence::TimedOut);
    assert!(cluster.health(1, PG2, 1).is_ok());
    cluster.set_wire(1, PG1, Wire::Fine);
    assert!(cluster.health(1, PG1, 1).is_ok());
}

#[test]
fn promotion_in_the_middle_of_a_second_crash_moves_on() {
    let mut cluster = usual();
    cluster.set_promotion_time(PG2, Some(20 * SECOND));
    cluster.crash(5 * SECOND, PG1, Silence::Refused);
    cluster.advance(50 * SECOND);
    let (ok, health) = cluster.health(50 * SECOND, PG2, ME).unwrap();
    assert_eq!((ok, health.role, health.timeline), (true, "replica", Some(1)));
    assert_eq!(listed_leader(&cluster.view(50 * SECOND, PG3, ME).unwrap()).as_deref(), Some("pg2"));
    cluster.crash(51 * SECOND, PG2, Silence::Refused);
    settle(&mut cluster, 52 * SECOND);
    assert_eq!(cluster.leader(), Some((PG3, 2)));
}

#[test]
fn a_leader_whose_postgresql_crashes_in_its_promotion_is_promoted_and_not_primary() {
    let mut cluster = usual();
    cluster.set_promotion_time(PG2, Some(20 * SECOND));
    cluster.crash(5 * SECOND, PG1, Silence::Refused);
    let key_taken = |cluster: &Cluster, _| cluster.key_holder() == Some(PG2);
    let now = until(&mut cluster, 6 * SECOND, key_taken) + SECOND;
    cluster.crash_postgres(now, PG2);
    let (ok, health) = cluster.health(now, PG2, ME).unwrap();
    assert_eq!((ok, health.state, health.role), (true, "unknown", "promoted"));
}

#[test]
fn no_member_is_promoted_from_an_abandoned_timeline() {
    let mut cluster = usual();
    cluster.crash(5 * SECOND, PG3, Silence::Refused);
    cluster.switchover(6 * SECOND, PG2).unwrap();
    let settled = settle(&mut cluster, 7 * SECOND);
    cluster.crash(settled, PG1, Silence::Refused);
    cluster.crash(settled, PG2, Silence::Refused);
    cluster.start(settled + SECOND, PG3);
    cluster.advance(settled + 300 * SECOND);
    assert_eq!(cluster.key_holder(), None);
    cluster.start(settled + 300 * SECOND, PG2);
    cluster.start(settled + 300 * SECOND, PG1);
    settle(&mut cluster, settled + 301 * SECOND);
    assert!(cluster.leader().is_some_and(|(leader, timeline)| leader != PG3 && timeline == 3));
}
