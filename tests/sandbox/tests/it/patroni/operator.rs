//! Switchovers, sites, joining and leaving, restores.

use repoint_sandbox::patroni::{Refusal, Settings, Silence, Tags};

use super::support::*;

#[test]
fn a_switchover_goes_to_the_requested_member() {
    let mut cluster = usual();
    cluster.switchover(5 * SECOND, PG3).unwrap();
    let stopping = until(&mut cluster, 5 * SECOND, |cluster, now| {
        cluster.health(now, PG1, ME).unwrap().1.state == "stopping"
    });
    assert_eq!(claimants(&cluster, stopping), [PG1]);
    assert!(cluster.takes_writes().is_empty());
    let taken = until(&mut cluster, stopping, |cluster, _| cluster.key_holder() == Some(PG3));
    let (ok, health) = cluster.health(taken, PG3, ME).unwrap();
    assert_eq!((ok, health.role, health.cluster_unlocked), (true, "replica", true));
    let settled = settle(&mut cluster, taken);
    assert_eq!(cluster.leader(), Some((PG3, 2)));
    assert!(settled < 40 * SECOND, "{settled}");
    let notified = words(&mut cluster);
    assert!(!notified.contains(&"pg1 is being rewound".to_owned()), "{notified:?}");
}

#[test]
fn a_switchover_that_cannot_be_is_refused() {
    let mut cluster = usual();
    cluster.set_tags(1, PG2, Tags { nofailover: true, ..Tags::default() });
    assert_eq!(cluster.switchover(2, PG2), Err(Refusal::NotFit));
    assert_eq!(cluster.switchover(2, PG1), Err(Refusal::NotFit));
    cluster.hang(3, PG1);
    assert_eq!(cluster.switchover(4, PG3), Err(Refusal::NoLeader));
}

#[test]
fn when_the_candidate_dies_another_takes_over() {
    let mut cluster = usual();
    cluster.switchover(5 * SECOND, PG3).unwrap();
    cluster.crash(5_500, PG3, Silence::Refused);
    settle(&mut cluster, 6 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
}

#[test]
fn a_switchover_in_pause_works_too() {
    let mut cluster = usual();
    cluster.pause(SECOND);
    cluster.switchover(15 * SECOND, PG2).unwrap();
    cluster.advance(60 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)), "{:#?}", notified(&mut cluster));
}

#[test]
fn a_standby_cluster_answers_no_200_until_it_is_promoted() {
    let mut cluster = cluster(Settings { standby_cluster: true, ..Settings::default() });
    let settled = settle(&mut cluster, 20 * SECOND);
    assert!(claimants(&cluster, settled).is_empty() && cluster.leader().is_none());
    let (_, health) = cluster.health(settled, PG1, ME).unwrap();
    assert_eq!(health.role, "standby_leader");
    assert_eq!(cluster.view(settled, PG2, ME).unwrap().members[0].role, "standby_leader");
    assert_eq!(status(&cluster.answer(settled, PG1, "/standby-leader", ME)), 200);
    assert_eq!(status(&cluster.answer(settled, PG1, "/leader", ME)), 200);
    cluster.promote_site(settled);
    let settled = settle(&mut cluster, settled + SECOND);
    assert_eq!(cluster.leader(), Some((PG1, 2)));
    cluster.demote_site(settled);
    let settled = settle(&mut cluster, settled + SECOND);
    assert_eq!(cluster.key_holder(), Some(PG1));
    assert!(claimants(&cluster, settled).is_empty() && cluster.takes_writes().is_empty());
}

#[test]
fn a_standby_cluster_elects_a_new_standby_leader() {
    let mut cluster = cluster(Settings { standby_cluster: true, ..Settings::default() });
    cluster.crash(5 * SECOND, PG1, Silence::Refused);
    let settled = settle(&mut cluster, 6 * SECOND);
    assert_eq!(cluster.key_holder(), Some(PG2));
    assert!(claimants(&cluster, settled).is_empty() && cluster.takes_writes().is_empty());
    cluster.follow_upstream(settled, 7, SYSTEM);
    let settled = settle(&mut cluster, settled + 20 * SECOND);
    assert_eq!(cluster.health(settled, PG2, ME).unwrap().1.timeline, Some(7));
    // The other site was set back, or recreated, and this one is made from it again.
    cluster.follow_upstream(settled, 2, SYSTEM + 1);
    let settled = settle(&mut cluster, settled + 20 * SECOND);
    assert_eq!(cluster.health(settled, PG2, ME).unwrap().1.timeline, Some(2));
    cluster.promote_site(settled);
    settle(&mut cluster, settled + SECOND);
    assert_eq!((cluster.leader(), cluster.system_id()), (Some((PG2, 3)), Some(SYSTEM + 1)));
}

#[test]
fn nothing_flows_into_a_standby_cluster_without_a_leader() {
    let mut cluster = cluster(Settings { standby_cluster: true, ..Settings::default() });
    cluster.crash(SECOND, PG1, Silence::Refused);
    let now = SECOND + 40 * SECOND;
    cluster.advance(now);
    assert_eq!(cluster.key_holder(), Some(PG2));
    cluster.crash(now, PG2, Silence::Refused);
    cluster.follow_upstream(now, 7, SYSTEM);
    assert_eq!(cluster.health(now, PG3, ME).unwrap().1.timeline, Some(1));
}

#[test]
fn members_join_and_leave() {
    let mut cluster = usual();
    let pg4 = cluster.join(5 * SECOND, spec(4));
    cluster.advance(6 * SECOND);
    let (ok, health) = cluster.health(6 * SECOND, pg4, ME).unwrap();
    assert_eq!((ok, health.state, health.role), (false, "creating replica", "uninitialized"));
    assert_eq!(health.system_id, None);
    let settled = settle(&mut cluster, 7 * SECOND);
    assert_eq!(cluster.view(settled, PG1, ME).unwrap().members.len(), 4);
    assert_eq!(cluster.health(settled, pg4, ME).unwrap().1.system_id, Some(SYSTEM));
    cluster.leave(settled, PG1);
    let settled = settle(&mut cluster, settled + SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
    assert!(cluster.has_left(PG1));
    cluster.start(settled, PG1);
    assert_eq!(cluster.health(settled, PG1, ME).unwrap_err(), Silence::Refused);
}

#[test]
fn a_stopped_leader_gives_its_key_away_at_once() {
    let mut cluster = usual();
    cluster.stop(5 * SECOND, PG1);
    cluster.advance(8 * SECOND);
    assert_eq!(cluster.leader(), Some((PG2, 2)));
    let view = cluster.view(8 * SECOND, PG3, ME).unwrap();
    assert_eq!((view.members[0].state, view.members[0].role), ("stopped", "replica"));
    settle(&mut cluster, 9 * SECOND);
}

#[test]
fn a_restored_cluster_is_another_system_on_another_timeline() {
    let mut cluster = usual();
    cluster.switchover(5 * SECOND, PG2).unwrap();
    let settled = settle(&mut cluster, 6 * SECOND);
    cluster.restore(settled, 42, 1).unwrap();
    let settled = settle(&mut cluster, settled + SECOND);
    assert_eq!((cluster.leader(), cluster.system_id()), (Some((PG2, 1)), Some(42)));
    for id in [PG1, PG2, PG3] {
        let (_, health) = cluster.health(settled, id, ME).unwrap();
        assert_eq!((health.system_id, health.timeline), (Some(42), Some(1)));
    }
}

#[test]
fn the_worst_split_brain_can_be_made() {
    let mut cluster = usual();
    cluster.force_split_brain(5 * SECOND, PG2);
    cluster.advance(6 * SECOND);
    assert_eq!(cluster.takes_writes(), [(PG1, 1), (PG2, 1)]);
    assert_eq!(claimants(&cluster, 6 * SECOND), [PG1, PG2]);
    settle(&mut cluster, 40 * SECOND);
    assert_eq!(cluster.leader(), Some((PG1, 1)));
}
