//! What is remembered from pass to pass, and which alerts are published meanwhile: invariant 12, alert once.

mod bounds;
mod invariants;
mod retargets;

use std::collections::BTreeSet;

use repoint_domain::alerts::Rules;
use repoint_domain::observed::Observed;
use repoint_domain::state::{Condition, ConditionKind, State, Unknown};
use repoint_domain::values::cluster::{Address, ApiUrl, MemberName, SystemId, Timeline};
use repoint_domain::values::primary::Primary;
use repoint_domain::values::record::{Failover, RecordSet, RecordType, Routing};

use crate::support::evidence::{
    SYSTEM, answer, failover_spec, healthy, host, listed, members_in, name, observed, primary, record,
    record_spec, replica, silence, url, view,
};
use crate::support::history::{History, RULES, at, healthy_target};

/// Three replicas, and nobody holds the leader key.
fn leaderless(timeline: u32) -> Observed {
    observed((1..=3).map(|number| {
        let mut view = view(0, timeline);
        view.members.retain(|listed| listed.name != name(0));
        answer(number, replica(timeline), Ok(view))
    }))
}

/// pg1 and pg2 both claim that timeline.
fn contested(timeline: u32) -> Observed {
    observed([
        answer(1, primary(timeline), Ok(view(1, timeline))),
        answer(2, primary(timeline), Ok(view(2, timeline))),
        silence(3),
    ])
}

fn unreadable() -> Observed {
    observed((1..=3).map(silence))
}

/// A healthy cluster in which pg`gone` does not answer.
fn without(gone: u8, leader: u8, timeline: u32) -> Observed {
    let mut observed = healthy(leader, timeline);
    members_in(&mut observed).extend([silence(gone)]);
    observed
}

/// pg1 leads on timeline 3, everything follows it, and that is remembered.
fn settled() -> History {
    let mut history = History::with_group_at(1);
    history.pass(0, &healthy(1, 3));
    assert_eq!(history.lines(), "", "what was right from the first look is nothing to tell");
    assert_eq!(history.state.primary.as_ref().unwrap().member, Some(name(1)));
    history
}

/// A pass every ten seconds.
fn every_ten_seconds(history: &mut History, from: i64, to: i64, observed: &Observed) {
    for second in (from..=to).step_by(10) {
        history.pass(second, observed);
    }
}

/// Behind NAT: what members list of themselves is not reached from here, and they answer all the same.
#[test]
fn a_member_that_answers_is_not_missed_at_another_address() {
    for says_its_name in [true, false] {
        let mut history = settled();
        let mut observed = healthy(1, 3);
        let mut inside = Vec::new();
        for answer in members_in(&mut observed).values_mut() {
            for (number, member) in (1..).zip(&mut answer.view.as_mut().unwrap().members) {
                member.api_url = ApiUrl::parse(&format!("http://172.16.0.{number}:8008")).ok();
                member.address = Some(Address { host: format!("172.16.0.{number}"), port: 5432 });
                inside.push((member.api_url.clone().unwrap(), silence(number).1));
            }
            if !says_its_name {
                answer.status.as_mut().unwrap().name = None;
            }
        }
        members_in(&mut observed).extend(inside);
        every_ten_seconds(&mut history, 10, 120, &observed);
        assert!(!history.lines().contains("does not answer"), "{}", history.lines());
    }
}

#[test]
fn a_condition_that_ends_within_the_grace_is_not_alerted() {
    let mut history = settled();
    every_ten_seconds(&mut history, 10, 30, &leaderless(3));
    assert_eq!(history.state.conditions[0].kind, ConditionKind::NoPrimary);
    every_ten_seconds(&mut history, 40, 120, &healthy(1, 3));
    assert_eq!(history.lines(), "");
    assert!(history.state.conditions.is_empty());
}

#[test]
fn a_condition_that_lasts_longer_is_alerted_after_the_grace_and_at_its_end() {
    let mut history = settled();
    every_ten_seconds(&mut history, 10, 100, &leaderless(3));
    every_ten_seconds(&mut history, 110, 200, &healthy(1, 3));
    insta::assert_snapshot!(history.lines(), @"
    at 70 s: repoint: batman: no primary, for 1 min 0 s now
    at 110 s: repoint: batman: resolved after 1 min 40 s: no primary
    ");
}

#[test]
fn a_condition_that_returns_is_alerted_again() {
    let mut history = settled();
    every_ten_seconds(&mut history, 10, 100, &leaderless(3));
    history.pass(110, &healthy(1, 3));
    every_ten_seconds(&mut history, 120, 210, &leaderless(3));
    insta::assert_snapshot!(history.lines(), @"
    at 70 s: repoint: batman: no primary, for 1 min 0 s now
    at 110 s: repoint: batman: resolved after 1 min 40 s: no primary
    at 180 s: repoint: batman: no primary, for 1 min 0 s now
    ");
}

#[test]
fn a_contested_cluster_is_alerted_at_once() {
    let mut history = settled();
    every_ten_seconds(&mut history, 10, 60, &contested(3));
    every_ten_seconds(&mut history, 70, 90, &healthy(1, 3));
    insta::assert_snapshot!(history.lines(), @"
    at 10 s: repoint: batman: CONTESTED, two members may be taking writes
    at 70 s: repoint: batman: resolved after 1 min 0 s: CONTESTED, two members may be taking writes
    ");
    assert_eq!(history.state.conditions, []);
}

#[test]
fn a_contested_cluster_may_be_given_a_grace() {
    let mut history = settled();
    history.rules = Rules { contested_grace_ms: 30_000, ..RULES };
    every_ten_seconds(&mut history, 10, 30, &contested(3));
    assert_eq!(history.lines(), "");
    history.pass(40, &contested(3));
    insta::assert_snapshot!(history.lines(), @"at 40 s: repoint: batman: CONTESTED, two members may be taking writes, for 30 s now");
}

#[test]
fn reminders_follow_the_configured_interval() {
    let mut history = settled();
    history.rules = Rules { reminder_ms: Some(600_000), ..RULES };
    every_ten_seconds(&mut history, 10, 1800, &leaderless(3));
    history.pass(1810, &healthy(1, 3));
    insta::assert_snapshot!(history.lines(), @"
    at 70 s: repoint: batman: no primary, for 1 min 0 s now
    at 670 s: repoint: batman: still no primary, for 11 min 0 s now
    at 1270 s: repoint: batman: still no primary, for 21 min 0 s now
    at 1810 s: repoint: batman: resolved after 30 min 0 s: no primary
    ");
}

#[test]
fn an_unreadable_cluster_ends_no_condition() {
    let mut history = settled();
    history.pass(10, &contested(3));
    every_ten_seconds(&mut history, 20, 40, &unreadable());
    assert!(history.state.conditions.iter().any(|open| open.kind == ConditionKind::Contested));
    every_ten_seconds(&mut history, 50, 60, &contested(3));
    history.pass(70, &healthy(1, 3));
    insta::assert_snapshot!(history.lines(), @"
    at 10 s: repoint: batman: CONTESTED, two members may be taking writes
    at 70 s: repoint: batman: resolved after 1 min 0 s: CONTESTED, two members may be taking writes
    ");
}

#[test]
fn a_member_that_does_not_answer_is_alerted_by_its_name() {
    let mut history = settled();
    every_ten_seconds(&mut history, 10, 90, &without(3, 1, 3));
    history.pass(100, &unreadable());
    assert!(
        history.state.conditions.iter().any(|open| open.subject.as_deref() == Some("pg3")),
        "whether pg3 is back is unknown while no member answers"
    );
    every_ten_seconds(&mut history, 110, 130, &healthy(1, 3));
    insta::assert_snapshot!(history.lines(), @"
    at 70 s: repoint: batman: member pg3 does not answer, for 1 min 0 s now
    at 110 s: repoint: batman: resolved after 1 min 40 s: member pg3 does not answer
    ");
}

#[test]
fn a_rival_on_a_lower_timeline_is_alerted_at_once() {
    let mut history = settled();
    let split = observed([
        answer(1, primary(3), Ok(view(1, 3))),
        answer(2, primary(4), Ok(view(2, 4))),
        answer(3, replica(4), Ok(view(2, 4))),
    ]);
    every_ten_seconds(&mut history, 10, 30, &split);
    every_ten_seconds(&mut history, 40, 60, &healthy(2, 4));
    insta::assert_snapshot!(history.lines(), @"
    at 10 s: repoint: batman: failover from pg1 to pg2
    at 10 s: repoint: batman: SPLIT BRAIN, pg1 also claims to be primary
    at 40 s: repoint: batman: resolved after 30 s: SPLIT BRAIN, pg1 also claims to be primary
    ");
}

#[test]
fn a_change_that_fails_again_and_again_is_alerted_once() {
    let mut history = settled();
    history.is_refused = true;
    every_ten_seconds(&mut history, 10, 60, &healthy(2, 4));
    assert_eq!(
        history.state.primary.as_ref().unwrap().member,
        Some(name(1)),
        "the endpoints still follow pg1"
    );
    assert_eq!(history.state.lease, None, "no process holds the lease between passes");
    history.is_refused = false;
    every_ten_seconds(&mut history, 70, 90, &healthy(2, 4));
    insta::assert_snapshot!(history.lines(), @"
    at 10 s: repoint: batman: FAILED to change pg-writer
    at 70 s: repoint: batman: switchover from pg1 to pg2
    at 70 s: repoint: batman: resolved after 1 min 0 s: FAILED to change pg-writer
    ");
}

#[test]
fn an_endpoint_that_stays_held_is_alerted_after_the_grace() {
    let mut history = settled();
    history.spec.records = vec![failover_spec(Failover::Secondary)];
    history.sets = vec![record(&history.spec.records[0], &[&host(2)])];
    let alone = observed([answer(1, primary(3), Ok(view(1, 3)))]);
    every_ten_seconds(&mut history, 10, 90, &alone);
    every_ten_seconds(&mut history, 100, 110, &healthy(1, 3));
    insta::assert_snapshot!(history.lines(), @"
    at 70 s: repoint: batman: writer.db.example.com/A/secondary is held, for 1 min 0 s now
    at 100 s: repoint: batman: resolved after 1 min 30 s: writer.db.example.com/A/secondary is held
    ");
}

/// A year of it mutes no failover, and memory learns whom the others follow.
#[test]
fn an_endpoint_that_is_held_for_long_mutes_no_failover() {
    let mut history = settled();
    history.spec.records = vec![record_spec(RecordType::A)];
    // Somebody else's kind of routing: repoint does not touch it.
    history.sets = vec![RecordSet {
        routing: Routing::Failover(Failover::Primary),
        ..record(&history.spec.records[0], &[&host(9)])
    }];
    every_ten_seconds(&mut history, 10, 100, &healthy(1, 3));
    assert!(history.state.conditions.iter().any(|open| open.kind == ConditionKind::EndpointHeld));
    history.lines();
    every_ten_seconds(&mut history, 110, 130, &healthy(2, 4));
    every_ten_seconds(&mut history, 140, 160, &healthy(3, 5));
    insta::assert_snapshot!(history.lines(), @"
    at 110 s: repoint: batman: switchover from pg1 to pg2, 1 not moved
    at 140 s: repoint: batman: switchover from pg2 to pg3, 1 not moved
    ");
    let known = history.state.primary.as_ref().unwrap();
    assert_eq!((known.member.as_ref(), known.timeline), (Some(&name(3)), Timeline(5)));
    assert_eq!(history.state.highest_timeline, Some(Timeline(5)));
}

/// The clock was a day ahead when it was noted down, and was then set right.
#[test]
fn a_time_that_is_still_to_come_delays_an_alert_by_no_more_than_a_grace() {
    let mut history = settled();
    history.rules = Rules { reminder_ms: Some(600_000), ..RULES };
    history.pass(86_400, &leaderless(3));
    every_ten_seconds(&mut history, 10, 700, &leaderless(3));
    insta::assert_snapshot!(history.lines(), @"
    at 70 s: repoint: batman: no primary, for 1 min 0 s now
    at 670 s: repoint: batman: still no primary, for 11 min 0 s now
    ");
    // And once it was told.
    let notified = at(86_400);
    history.state.conditions.iter_mut().for_each(|open| open.notified = Some(notified));
    every_ten_seconds(&mut history, 710, 1310, &leaderless(3));
    insta::assert_snapshot!(history.lines(), @"at 1310 s: repoint: batman: still no primary, for 21 min 40 s now");
}

// Why endpoints move.

/// Another process's claim to a message, by a clock that was wrong: nothing is published until it has expired.
#[test]
fn a_time_far_ahead_is_past() {
    assert!(at(0).is_past(at(3600), 30_000));
    assert!(!at(0).is_past(at(30), 30_000), "two clocks may differ by so much");
}

/// What this version does not know it cannot find ended.
#[test]
fn a_condition_of_a_newer_version_is_kept() {
    let mut history = settled();
    let unrecognized = Condition {
        kind: ConditionKind::Unrecognized,
        subject: None,
        endpoint: None,
        site: None,
        title: String::new(),
        message: "a newer version's".to_owned(),
        since: at(0),
        notified: Some(at(0)),
        unknown: Unknown::default(),
    };
    history.state.conditions.push(unrecognized.clone());
    history.pass(100, &healthy(1, 3));
    assert!(history.state.conditions.contains(&unrecognized));
    assert_eq!(history.lines(), "");
}

#[test]
fn the_first_move_of_all_is_an_adoption() {
    let mut history = History::with_group_at(1);
    every_ten_seconds(&mut history, 0, 30, &healthy(2, 3));
    insta::assert_snapshot!(history.lines(), @"at 0 s: repoint: batman: first adoption, endpoints now point at the primary pg2");
}

#[test]
fn a_move_from_a_member_that_lives_on_is_a_switchover() {
    let mut history = settled();
    every_ten_seconds(&mut history, 10, 30, &healthy(2, 4));
    insta::assert_snapshot!(history.lines(), @"at 10 s: repoint: batman: switchover from pg1 to pg2");
}

#[test]
fn a_move_from_a_member_that_is_gone_is_a_failover() {
    let mut history = settled();
    history.pass(10, &without(1, 2, 4));
    insta::assert_snapshot!(history.lines(), @"at 10 s: repoint: batman: failover from pg1 to pg2");
}

#[test]
fn a_move_from_a_member_that_was_gone_is_a_failover_although_it_is_back() {
    let mut history = settled();
    let mut election = leaderless(3);
    members_in(&mut election).extend([silence(1)]);
    history.pass(10, &election);
    history.pass(20, &healthy(2, 4));
    insta::assert_snapshot!(history.lines(), @"at 20 s: repoint: batman: failover from pg1 to pg2");
}

#[test]
fn an_external_change_is_reverted() {
    let mut history = settled();
    history.group = vec![healthy_target(3)];
    every_ten_seconds(&mut history, 10, 30, &healthy(1, 3));
    history.group.push(healthy_target(99));
    every_ten_seconds(&mut history, 40, 60, &healthy(1, 3));
    insta::assert_snapshot!(history.lines(), @"
    at 10 s: repoint: batman: external change reverted: pg3 -> pg1
    at 40 s: repoint: batman: external change reverted: 10.0.1.109 -> pg1
    ");
}

/// The group was moved by hand, or by a reconciler that died before it could tell.
#[test]
fn a_failover_that_another_process_followed_is_alerted_all_the_same() {
    let mut history = settled();
    history.group = vec![healthy_target(2)];
    every_ten_seconds(&mut history, 10, 30, &without(1, 2, 4));
    insta::assert_snapshot!(history.lines(), @"at 10 s: repoint: batman: failover from pg1 to pg2");
}

#[test]
fn another_standby_is_no_correction() {
    let mut history = settled();
    history.spec.records = vec![failover_spec(Failover::Primary), failover_spec(Failover::Secondary)];
    history.sets = (1..).zip(&history.spec.records).map(|(at, spec)| record(spec, &[&host(at)])).collect();
    every_ten_seconds(&mut history, 10, 30, &healthy(1, 3));
    assert_eq!(history.lines(), "");
    every_ten_seconds(&mut history, 40, 60, &without(2, 1, 3));
    insta::assert_snapshot!(history.lines(), @"at 40 s: repoint: batman: standby endpoints moved, the primary is still pg1");
}

/// With two members, a failover leaves no standby: that keeps the standby's record, and must keep nobody uninformed.
#[test]
fn a_failover_that_leaves_no_standby_is_alerted() {
    let two = |leader: u8, timeline: u32| {
        let mut healthy = healthy(leader, timeline);
        members_in(&mut healthy).remove(&url(3));
        for answer in members_in(&mut healthy).values_mut() {
            answer.view.as_mut().unwrap().members.retain(|listed| listed.name != name(3));
        }
        healthy
    };
    let mut history = History::with_group_at(1);
    history.spec.records = vec![failover_spec(Failover::Primary), failover_spec(Failover::Secondary)];
    history.sets = (1..).zip(&history.spec.records).map(|(at, spec)| record(spec, &[&host(at)])).collect();
    history.pass(0, &two(1, 3));
    assert_eq!(history.lines(), "");
    let mut alone = two(2, 4);
    members_in(&mut alone).extend([silence(1)]);
    every_ten_seconds(&mut history, 10, 100, &alone);
    every_ten_seconds(&mut history, 110, 130, &two(2, 4));
    insta::assert_snapshot!(history.lines(), @"
    at 10 s: repoint: batman: failover from pg1 to pg2
    at 70 s: repoint: batman: member pg1 does not answer, for 1 min 0 s now
    at 70 s: repoint: batman: writer.db.example.com/A/secondary is held, for 1 min 0 s now
    at 110 s: repoint: batman: standby endpoints moved, the primary is still pg2
    at 110 s: repoint: batman: resolved after 1 min 40 s: member pg1 does not answer
    at 110 s: repoint: batman: resolved after 1 min 40 s: writer.db.example.com/A/secondary is held
    ");
}

// Memory itself.

fn primary_on(timeline: u32) -> Primary {
    Primary {
        site: None,
        followers: BTreeSet::new(),
        member: Some(name(1)),
        address: Some(Address { host: host(1), port: 5432 }),
        timeline: Timeline(timeline),
        system_id: SystemId::new(SYSTEM),
        rivals: Vec::new(),
    }
}

/// It looked at timeline 3; by the time it speaks, somebody has acted for timeline 4.
#[test]
fn a_pass_with_a_conflict_changes_nothing() {
    let mut history = settled();
    let before = history.state.clone();
    let late = history.make_too_late(&healthy(1, 3), &before);
    history.pass(10, &healthy(2, 4));
    history.lines();
    let after = history.state.clone();
    assert!(!history.update(20, &late), "{:?}", history.state);
    assert_eq!(history.state, after);
    assert_eq!(history.lines(), "");

    // It saw pg3 answer, and the later one does not.
    every_ten_seconds(&mut history, 30, 100, &without(3, 2, 4));
    insta::assert_snapshot!(history.lines(), @"at 90 s: repoint: batman: member pg3 does not answer, for 1 min 0 s now");
    let after = history.state.clone();
    history.group = vec![healthy_target(3)];
    let late = history.make_too_late(&healthy(1, 3), &before);
    assert!(!history.update(110, &late), "{:?}", history.state);
    assert_eq!(history.state, after);
    assert_eq!(history.lines(), "");
}

/// The cluster was restored, which set its timeline back, and an operator has accepted that while the pass was hanging.
#[test]
fn a_pass_that_observed_before_an_adoption_does_not_undo_it() {
    let mut history = settled();
    let late = history.make(10, &healthy(1, 3));
    history.state = history.state.adopted(&primary_on(2));
    assert!(!history.update(20, &late), "{:?}", history.state);
    assert_eq!(history.state.highest_timeline, Some(Timeline(2)));
    history.pass(30, &healthy(1, 2));
    assert_eq!(history.state.primary.as_ref().unwrap().timeline, Timeline(2));
    assert_eq!(history.state.conditions, []);
}

#[test]
fn only_the_process_that_took_a_lease_ends_it() {
    let mut history = settled();
    let mine = history.make(10, &healthy(2, 4));
    let commit = history.state.revision;
    assert_eq!(history.state.lease.as_ref().map(|lease| lease.revision), Some(commit));

    // Another one, which looked and found nothing to do.
    let other = history.make_too_late(&healthy(2, 4), &history.state.clone());
    history.update(11, &other);
    assert_eq!(history.state.lease.as_ref().map(|lease| lease.revision), Some(commit));
    history.update(12, &mine);
    assert_eq!(history.state.lease, None);
    insta::assert_snapshot!(history.lines(), @"at 12 s: repoint: batman: switchover from pg1 to pg2");
}

#[test]
fn a_commit_never_lowers_the_highest_timeline_and_an_adoption_may() {
    let known = State { revision: 7, highest_timeline: Some(Timeline(9)), ..State::default() };
    let committed = known.committed(&primary_on(8), None, "another process", at(0));
    assert_eq!((committed.revision, committed.highest_timeline), (8, Some(Timeline(9))));
    let lease = committed.lease.clone().unwrap();
    assert_eq!((lease.revision, lease.timeline), (8, Timeline(8)));

    let other = Primary { system_id: SystemId::new("1"), ..primary_on(2) };
    let adopted = committed.adopted(&other);
    assert_eq!((adopted.revision, adopted.highest_timeline), (9, Some(Timeline(2))));
    assert_eq!(adopted.system_id, Some(SystemId::new("1")));
    assert_eq!(adopted.primary, None);
}

#[test]
fn the_members_of_the_primarys_view_are_remembered_where_they_answer() {
    let mut history = settled();
    assert_eq!(history.state.members.len(), 3);
    let expected = Address { host: host(2), port: 5432 };
    assert_eq!(history.state.address_of(None, &name(2), &url(2)), Some(&expected));
    assert_eq!(history.state.address_of(None, &name(2), &url(9)), None, "it has moved, or it is another one");
    assert_eq!(history.state.address_of(None, &MemberName::new("pg9"), &url(2)), None);

    let seeds_gone = observed([answer(1, primary(3), Ok(view(1, 3)))]);
    let unasked: Vec<_> = history.state.unasked(None, seeds_gone.answers_of(None)).cloned().collect();
    assert_eq!(unasked, [url(2), url(3)]);

    // Without the DCS nobody answers `/cluster`: what was known stays.
    let mut blind = healthy(1, 3);
    for answer in members_in(&mut blind).values_mut() {
        answer.view = Err(crate::support::evidence::refused());
    }
    history.pass(10, &blind);
    assert_eq!(history.state.members.len(), 3);

    let mut smaller = healthy(1, 3);
    for answer in members_in(&mut smaller).values_mut() {
        answer
            .view
            .as_mut()
            .unwrap()
            .members
            .retain(|known| known.name != listed(3, known.role.clone(), 3).name);
    }
    history.pass(20, &smaller);
    assert_eq!(history.state.members.len(), 3, "pg3 is configured, and keeps its name");
    history.spec.sites[0].members.retain(|url| *url != crate::support::evidence::url(3));
    history.pass(30, &smaller);
    assert_eq!(history.state.members.len(), 2);
}
