//! The DCS out of reach: for one member, or for all.

use repoint_sandbox::patroni::{Cluster, DcsFailure, DcsOutage, Settings, Silence, Version};

use super::support::*;

#[test]
fn a_member_without_dcs_claims_until_its_own_expiry() {
    let settings = Settings { renewal_latency: 2 * SECOND, stop_time: 10 * SECOND, ..Settings::default() };
    let mut cluster = cluster(settings);
    // The last renewal is at 3 s.
    cluster.cut_from_dcs(4 * SECOND, PG1);
    assert_eq!(cluster.view(4 * SECOND, PG1, ME).unwrap_err(), Silence::Closed);
    cluster.advance(32_900);
    assert_eq!(claimants(&cluster, 32_900), [PG1]);
    assert_eq!(writers(&cluster), [PG1]);
    // The key has run out, the flag has not: both answer 200.
    cluster.advance(33_500);
    assert_eq!(claimants(&cluster, 33_500), [PG1, PG2]);
    cluster.advance(35_100);
    assert_eq!(claimants(&cluster, 35_100), [PG2]);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
    cluster.heal(120 * SECOND, PG1);
    settle(&mut cluster, 121 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
}

#[test]
fn a_member_that_notices_on_read_demotes_within_the_ttl() {
    let settings = Settings { dcs_failure: DcsFailure::OnRead, ..Settings::default() };
    let mut cluster = cluster(settings);
    cluster.cut_from_dcs(4 * SECOND, PG1);
    cluster.advance(26 * SECOND);
    assert!(claimants(&cluster, 26 * SECOND).is_empty());
    let (_, health) = cluster.health(26 * SECOND, PG1, ME).unwrap();
    assert_eq!((health.role, health.cluster_unlocked), ("replica", true));
    settle_without_pg1(&mut cluster);
}

fn settle_without_pg1(cluster: &mut Cluster) {
    cluster.advance(60 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
}

#[test]
fn a_cut_that_heals_in_time_changes_nothing() {
    let mut cluster = usual();
    cluster.cut_from_dcs(4 * SECOND, PG1);
    cluster.heal(25 * SECOND, PG1);
    settle(&mut cluster, 26 * SECOND);
    assert_eq!(cluster.leader(), Some((PG1, 1)));
}

#[test]
fn failsafe_mode_keeps_the_primary_while_all_members_answer() {
    let settings = Settings { failsafe_mode: true, ..Settings::default() };
    let mut cluster = cluster(settings);
    cluster.dcs_down(5 * SECOND, DcsOutage::Closes);
    for now in (6..300).map(|second| second * SECOND) {
        cluster.advance(now);
        assert_eq!(claimants(&cluster, now), [PG1], "{now}");
    }
    let (_, health) = cluster.health(299 * SECOND, PG1, ME).unwrap();
    assert!(health.cluster_unlocked && health.failsafe_active);
    cluster.hang(300 * SECOND, PG3);
    cluster.advance(340 * SECOND);
    assert!(claimants(&cluster, 340 * SECOND).is_empty());
    cluster.unhang(340 * SECOND, PG3);
    cluster.dcs_up(350 * SECOND);
    settle(&mut cluster, 351 * SECOND);
    // It still had the key, so it took its place again.
    assert_eq!(cluster.leader(), Some((PG1, 2)));
}

#[test]
fn failsafe_mode_holds_against_a_cut_of_the_primary_alone() {
    let settings = Settings { failsafe_mode: true, ..Settings::default() };
    let mut cluster = cluster(settings);
    cluster.cut_from_dcs(4 * SECOND, PG1);
    cluster.advance(60 * SECOND);
    let one = writers(&cluster).len();
    assert!(one <= 1, "{:?}", notified(&mut cluster));
    let mut partitioned = usual();
    partitioned.cut_from_dcs(4 * SECOND, PG1);
    partitioned.cut_from_members(4 * SECOND, PG1);
    partitioned.advance(60 * SECOND);
    assert_eq!(partitioned.leader(), Some((PG2, 2)));
}

#[test]
fn in_pause_the_local_role_alone_answers() {
    let mut cluster = usual();
    cluster.pause(SECOND);
    cluster.advance(15 * SECOND);
    cluster.dcs_down(15 * SECOND, DcsOutage::Closes);
    for minute in 1..60 {
        let now = 60 * SECOND * minute;
        cluster.advance(now);
        assert_eq!(claimants(&cluster, now), [PG1]);
    }
    assert_eq!(writers(&cluster), [PG1]);
}

#[test]
fn in_pause_no_member_is_promoted() {
    let mut cluster = usual();
    cluster.pause(SECOND);
    cluster.crash(5 * SECOND, PG1, Silence::Refused);
    cluster.advance(300 * SECOND);
    assert_eq!(cluster.key_holder(), None);
    cluster.resume(301 * SECOND);
    settle(&mut cluster, 302 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
}

#[test]
fn without_quorum_the_primary_steps_down_and_comes_back() {
    let mut cluster = usual();
    cluster.dcs_down(5 * SECOND, DcsOutage::Closes);
    assert_eq!(cluster.view(5 * SECOND, PG2, ME).unwrap_err(), Silence::Closed);
    cluster.advance(60 * SECOND);
    assert!(claimants(&cluster, 60 * SECOND).is_empty() && writers(&cluster).is_empty());
    assert_eq!(cluster.key_holder(), Some(PG1));
    cluster.dcs_up(90 * SECOND);
    settle(&mut cluster, 91 * SECOND);
    assert_eq!(cluster.leader(), Some((PG1, 2)));
}

#[test]
fn without_quorum_a_stale_cache_may_go_on_answering() {
    let mut cluster = usual();
    cluster.advance(20 * SECOND);
    cluster.dcs_down(20 * SECOND, DcsOutage::StaleReads);
    cluster.crash(21 * SECOND, PG1, Silence::Refused);
    cluster.advance(120 * SECOND);
    assert_eq!(listed_leader(&cluster.view(120 * SECOND, PG2, ME).unwrap()).as_deref(), Some("pg1"));
}

#[test]
fn a_lagging_view_shows_the_past() {
    let mut cluster = usual();
    cluster.crash(5 * SECOND, PG1, Silence::Refused);
    let settled = settle(&mut cluster, 6 * SECOND);
    assert_eq!(listed_leader(&cluster.view(settled, PG3, ME).unwrap()).as_deref(), Some("pg2"));
    cluster.set_view_lag(PG3, settled - 10 * SECOND);
    assert_eq!(listed_leader(&cluster.view(settled, PG3, ME).unwrap()).as_deref(), Some("pg1"));
    assert!(!cluster.is_settled(settled));
    assert_eq!(listed_leader(&cluster.view(settled, PG2, ME).unwrap()).as_deref(), Some("pg2"));
}

#[test]
fn before_3_0_there_is_no_failsafe_mode() {
    let settings = Settings { failsafe_mode: true, version: Version::V2_1, ..Settings::default() };
    let mut cluster = cluster(settings);
    cluster.dcs_down(5 * SECOND, DcsOutage::Closes);
    cluster.advance(60 * SECOND);
    assert!(claimants(&cluster, 60 * SECOND).is_empty());
}

#[test]
fn no_member_is_promoted_over_a_primary_that_answers_the_others() {
    // Retries that Patroni's rule for the TTL forbids: the key runs out long before the primary steps down.
    let settings = Settings { retry_timeout: 60 * SECOND, ..Settings::default() };
    let mut together = cluster(settings.clone());
    together.cut_from_dcs(4 * SECOND, PG1);
    together.advance(100 * SECOND);
    assert_eq!((together.key_holder(), writers(&together)), (None, vec![PG1]));
    let mut superseded = cluster(settings);
    superseded.cut_from_dcs(4 * SECOND, PG1);
    superseded.cut_from_members(4 * SECOND, PG1);
    superseded.advance(100 * SECOND);
    assert_eq!(superseded.takes_writes(), [(PG1, 1), (PG2, 2)]);
    assert_eq!(claimants(&superseded, 100 * SECOND), [PG2]);
}
