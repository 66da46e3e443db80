//! What is wrong with a cluster itself: lag, flapping, no candidate, pause, failsafe mode, and a change that fails in every pass.

mod healthy;

use repoint_domain::observed::{ClusterMember, MemberAnswer, MemberStatus, Observed, Wal};
use repoint_domain::spec::{Discover, Source};
use repoint_domain::state::{ConditionKind, MOST_CHANGES, State};
use repoint_domain::values::cluster::{ClusterRole, PostgresState, Role};

use crate::support::evidence::{healthy, listed, members_in, name, refused, silence, url, view};
use crate::support::history::{History, healthy_target};
use crate::support::sites::{How, east, seen, site_url, spec_of, west};

const MIB: u64 = 1024 * 1024;

/// pg1 leads on timeline 3, and that is in the state.
fn settled() -> History {
    let mut history = History::with_group_at(1);
    history.pass(0, &healthy(1, 3));
    assert_eq!(history.lines(), "");
    history
}

/// A pass every minute, from one minute to another.
fn every_minute(history: &mut History, minutes: std::ops::RangeInclusive<i64>, observed: &Observed) {
    for minute in minutes {
        history.pass(60 * minute, observed);
    }
}

fn of(observed: &mut Observed, number: u8, change: impl FnOnce(&mut MemberAnswer)) {
    change(members_in(observed).get_mut(&url(number)).unwrap());
}

fn status(observed: &mut Observed, number: u8, change: impl FnOnce(&mut MemberStatus)) {
    of(observed, number, |answer| change(answer.status.as_mut().unwrap()));
}

/// How every member lists pg`number`.
fn list(observed: &mut Observed, number: u8, change: impl Fn(&mut ClusterMember)) {
    for answer in members_in(observed).values_mut().filter(|answer| answer.view.is_ok()) {
        let members = &mut answer.view.as_mut().unwrap().members;
        members.iter_mut().filter(|listed| listed.name == name(number)).for_each(&change);
    }
}

/// pg1 leads; pg2 and pg3 are so far behind, in what they have received and in what they have replayed.
fn behind(pg2: [u64; 2], pg3: [u64; 2]) -> Observed {
    let written = 1 << 40;
    let mut observed = healthy(1, 3);
    status(&mut observed, 1, |own| own.wal = Wal { written: Some(written), ..Wal::default() });
    for (number, [received, replayed]) in [(2, pg2), (3, pg3)] {
        let (received, replayed) = (Some(written - received), Some(written - replayed));
        status(&mut observed, number, |own| own.wal = Wal { received, replayed, ..Wal::default() });
    }
    observed
}

fn lagging(pg2: [u64; 2]) -> Observed {
    behind(pg2, [0, 0])
}

fn open(history: &History) -> Vec<(ConditionKind, &str)> {
    let conditions = history.state.conditions.iter();
    conditions.map(|open| (open.kind, open.subject.as_deref().unwrap_or(""))).collect()
}

// Discovery.

#[test]
fn discovery_that_fails_is_alerted_and_one_that_says_nothing_ends_nothing() {
    let mut history = settled();
    let source = Source::Addresses("pg.example.com".to_owned());
    history.spec.sites[0].discover = Some(Discover { source, port: 8008, is_https: false });
    let mut observed = healthy(1, 3);
    history.pass(60, &observed);
    assert_eq!(open(&history), []);
    observed.discovered.insert(None, Err(refused()));
    every_minute(&mut history, 2..=4, &observed);
    every_minute(&mut history, 5..=6, &healthy(1, 3));
    observed.discovered.insert(None, Ok([url(1)].into()));
    every_minute(&mut history, 7..=8, &observed);
    insta::assert_snapshot!(history.lines(), @"
    at 180 s: repoint: batman: no members are discovered, for 1 min 0 s now
    at 420 s: repoint: batman: resolved after 5 min 0 s: no members are discovered
    ");
}

// A replica lags.

#[test]
fn a_replica_that_lags_for_minutes_is_alerted() {
    let mut history = settled();
    every_minute(&mut history, 1..=7, &lagging([100 * MIB, 200 * MIB]));
    assert_eq!(
        history.state.conditions[0].message,
        "more than 64 MiB behind its leader, not even received yet"
    );
    every_minute(&mut history, 8..=9, &lagging([0, 0]));
    insta::assert_snapshot!(history.lines(), @"
    at 360 s: repoint: batman: replica pg2 lags, for 5 min 0 s now
    at 480 s: repoint: batman: resolved after 7 min 0 s: replica pg2 lags
    ");
}

#[test]
fn replay_alone_may_lag() {
    let mut history = settled();
    every_minute(&mut history, 1..=7, &lagging([0, 5000 * MIB]));
    assert_eq!(
        history.state.conditions[0].message,
        "more than 4 GiB behind its leader, received and not replayed yet"
    );
    assert_eq!(history.notified.len(), 1);
}

#[test]
fn a_lag_about_the_limit_is_one_alert() {
    let mut history = settled();
    every_minute(&mut history, 1..=6, &lagging([65 * MIB; 2]));
    for minute in 7..60 {
        history.pass(60 * minute, &lagging([if minute % 2 == 0 { 60 } else { 70 } * MIB; 2]));
    }
    assert_eq!(history.notified.len(), 1);
    history.pass(3600, &lagging([32 * MIB; 2]));
    assert_eq!(history.notified.len(), 2);
}

#[test]
fn a_lag_that_grows_does_not_write_the_state_in_every_pass() {
    let mut history = settled();
    every_minute(&mut history, 1..=6, &lagging([70 * MIB; 2]));
    let before = history.state.revision;
    for second in 0..50 {
        history.pass(400 + second, &lagging([(71 + u64::try_from(second).unwrap()) * MIB; 2]));
    }
    assert_eq!(history.state.revision, before);
}

/// Invariant 2: it neither begins nor ends what it says nothing of.
#[test]
fn a_member_that_does_not_answer_keeps_its_lag() {
    let mut history = settled();
    let mut silent = lagging([100 * MIB; 2]);
    list(&mut silent, 2, |listed| listed.lag_bytes = Some(100 * MIB));
    members_in(&mut silent).extend([silence(2)]);
    every_minute(&mut history, 1..=9, &silent);
    assert_eq!(open(&history), [(ConditionKind::MemberUnreachable, "pg2")]);
    history.notified.clear();

    every_minute(&mut history, 10..=19, &lagging([100 * MIB; 2]));
    every_minute(&mut history, 20..=29, &silent);
    assert!(open(&history).contains(&(ConditionKind::ReplicaLag, "pg2")));
    // It is listed no more, and is configured.
    let mut gone = silent.clone();
    for answer in members_in(&mut gone).values_mut().filter(|answer| answer.view.is_ok()) {
        answer.view.as_mut().unwrap().members.retain(|listed| listed.name != name(2));
    }
    every_minute(&mut history, 30..=39, &gone);
    assert!(open(&history).contains(&(ConditionKind::ReplicaLag, "pg2")));
    // It answers, and does not know where it is.
    let mut starting = lagging([0; 2]);
    status(&mut starting, 2, |own| (own.wal, own.state) = (Wal::default(), PostgresState::from("starting")));
    list(&mut starting, 2, |listed| listed.lag_bytes = None);
    every_minute(&mut history, 40..=49, &starting);
    assert!(open(&history).contains(&(ConditionKind::ReplicaLag, "pg2")));
    every_minute(&mut history, 50..=50, &lagging([0; 2]));
    assert_eq!(open(&history), []);
}

/// What is listed does not change any more once the leader is dead.
#[test]
fn without_its_leader_no_lag_is_known() {
    let mut history = settled();
    every_minute(&mut history, 1..=6, &lagging([100 * MIB; 2]));
    let mut leaderless = lagging([100 * MIB; 2]);
    members_in(&mut leaderless).extend([silence(1)]);
    every_minute(&mut history, 7..=9, &leaderless);
    assert!(history.state.has(ConditionKind::ReplicaLag));
    list(&mut leaderless, 3, |listed| listed.lag_bytes = Some(100 * MIB));
    every_minute(&mut history, 10..=19, &leaderless);
    assert!(!open(&history).contains(&(ConditionKind::ReplicaLag, "pg3")));
}

#[test]
fn the_lag_of_a_new_primary_has_ended() {
    let mut history = settled();
    every_minute(&mut history, 1..=6, &lagging([100 * MIB; 2]));
    every_minute(&mut history, 7..=8, &healthy(2, 4));
    assert!(!history.state.has(ConditionKind::ReplicaLag), "{:?}", open(&history));
}

#[test]
fn a_replica_that_replays_late_on_purpose_is_left_in_peace() {
    let mut history = settled();
    let mut delayed = lagging([0, 5000 * MIB]);
    list(&mut delayed, 2, |listed| (listed.nofailover, listed.noloadbalance) = (true, true));
    every_minute(&mut history, 1..=20, &delayed);
    assert_eq!(history.lines(), "");
    let mut cut_off = lagging([5000 * MIB; 2]);
    list(&mut cut_off, 2, |listed| (listed.nofailover, listed.noloadbalance) = (true, true));
    every_minute(&mut history, 21..=30, &cut_off);
    assert!(history.lines().contains("replica pg2 lags"));
}

#[test]
fn another_site_lags_by_its_leader() {
    let mut history = History { spec: spec_of(&[east(), west()]), ..History::with_group_at(1) };
    let mut sites = seen(&[(east(), How::Leads(1, 3)), (west(), How::Follows(3))]);
    for (site, number, wal) in [
        (east(), 1, Wal { written: Some(500 * MIB), ..Wal::default() }),
        (west(), 1, Wal { received: Some(MIB), replayed: Some(MIB), ..Wal::default() }),
        (west(), 2, Wal { received: Some(MIB), replayed: Some(MIB), ..Wal::default() }),
    ] {
        let answers = sites.sites.get_mut(&Some(site.clone())).unwrap();
        answers.get_mut(&site_url(&site, number)).unwrap().status.as_mut().unwrap().wal = wal;
    }
    every_minute(&mut history, 1..=7, &sites);
    assert_eq!(open(&history), [(ConditionKind::ReplicaLag, "west/pg1")]);
    assert_eq!(
        history.state.conditions[0].message,
        "more than 256 MiB behind the primary, not even received yet"
    );
    // A site of which no member answers.
    sites.sites.extend(seen(&[(west(), How::Dark)]).sites);
    every_minute(&mut history, 8..=20, &sites);
    assert!(open(&history).contains(&(ConditionKind::ReplicaLag, "west/pg1")));
}

// No member could take over.

#[test]
fn a_cluster_without_a_candidate_is_alerted() {
    let mut history = settled();
    let mut observed = lagging([5 * MIB; 2]);
    list(&mut observed, 2, |listed| listed.lag_bytes = Some(5 * MIB));
    list(&mut observed, 3, |listed| listed.nofailover = true);
    every_minute(&mut history, 1..=7, &observed);
    assert_eq!(
        history.state.conditions[0].message,
        "no failover is possible: pg2 is more than 4 MiB behind, pg3 is tagged nofailover"
    );
    every_minute(&mut history, 8..=8, &healthy(1, 3));
    insta::assert_snapshot!(history.lines(), @"
    at 360 s: repoint: batman: no member could take over, for 5 min 0 s now
    at 480 s: repoint: batman: resolved after 7 min 0 s: no member could take over
    ");
}

#[test]
fn one_fit_member_is_enough() {
    for fit in [2, 3] {
        let mut history = settled();
        let mut observed = healthy(1, 3);
        let unfit = 5 - fit;
        status(&mut observed, unfit, |own| own.state = PostgresState::from("starting"));
        every_minute(&mut history, 1..=9, &observed);
        assert_eq!(open(&history), []);
        members_in(&mut observed).extend([silence(unfit)]);
        history.pass(600, &observed);
        assert!(!history.state.has(ConditionKind::NoCandidate));
    }
}

#[test]
fn a_member_that_does_not_answer_neither_takes_over_nor_fails_to() {
    let unfit = |observed: &mut Observed, number| list(observed, number, |listed| listed.nofailover = true);
    let mut history = settled();
    let mut observed = healthy(1, 3);
    members_in(&mut observed).extend([silence(2)]);
    unfit(&mut observed, 3);
    every_minute(&mut history, 1..=9, &observed);
    assert!(!history.state.has(ConditionKind::NoCandidate), "pg2 may be fit");
    let mut none = healthy(1, 3);
    unfit(&mut none, 2);
    unfit(&mut none, 3);
    every_minute(&mut history, 10..=19, &none);
    assert!(history.state.has(ConditionKind::NoCandidate));
    every_minute(&mut history, 20..=29, &observed);
    assert!(history.state.has(ConditionKind::NoCandidate), "pg2 may still be unfit");
    every_minute(&mut history, 30..=30, &healthy(1, 3));
    assert!(!history.state.has(ConditionKind::NoCandidate));
}

#[test]
fn a_synchronous_standby_goes_before_the_others() {
    let mut observed = lagging([9 * MIB; 2]);
    list(&mut observed, 2, |listed| {
        (listed.role, listed.lag_bytes) = (ClusterRole::SyncStandby, Some(9 * MIB));
    });
    let mut history = settled();
    every_minute(&mut history, 1..=1, &observed);
    assert_eq!(
        history.state.conditions[0].message,
        "no failover is possible: pg2 is more than 8 MiB behind, pg3 is no synchronous standby"
    );
}

/// Alone by configuration, or since the others are gone.
#[test]
fn a_cluster_of_one_wants_no_candidate() {
    let mut alone = healthy(1, 3);
    for number in [2, 3] {
        members_in(&mut alone).remove(&url(number));
    }
    of(&mut alone, 1, |answer| {
        answer.view.as_mut().unwrap().members = vec![listed(1, ClusterRole::Leader, 3)];
    });
    let mut history = settled();
    every_minute(&mut history, 1..=1, &alone);
    assert!(history.state.has(ConditionKind::NoCandidate), "three are configured");
    let mut history = settled();
    history.spec.sites[0].members.truncate(1);
    every_minute(&mut history, 1..=9, &alone);
    assert_eq!(open(&history), []);
}

// The primary changes again and again.

#[test]
fn the_third_change_in_half_an_hour_is_flapping() {
    let mut history = settled();
    for (minute, leader, timeline) in [(1, 2, 4), (11, 1, 5), (21, 3, 6), (31, 3, 6), (50, 3, 6), (52, 3, 6)]
    {
        history.pass(60 * minute, &healthy(leader, timeline));
    }
    insta::assert_snapshot!(history.lines(), @"
    at 60 s: repoint: batman: switchover from pg1 to pg2
    at 660 s: repoint: batman: switchover from pg2 to pg1
    at 1260 s: repoint: batman: switchover from pg1 to pg3
    at 1260 s: repoint: batman: FLAPPING, the primary changes again and again
    at 3120 s: repoint: batman: resolved after 31 min 0 s: FLAPPING, the primary changes again and again
    ");
}

/// It is alerted, and every change is followed.
#[test]
fn flapping_never_blocks() {
    let mut history = settled();
    for turn in 0..20_u8 {
        let leader = 1 + turn % 3;
        history.pass(60 * i64::from(turn), &healthy(leader, 4 + u32::from(turn)));
        let targets: Vec<_> = history.group.iter().map(|health| &health.target).collect();
        assert_eq!(targets, [&healthy_target(leader).target]);
    }
    assert!(history.state.has(ConditionKind::Flapping));
    assert!(history.state.changes.len() <= MOST_CHANGES);
}

/// A run of cron sees every fifth promotion, and the timeline says how many there were.
#[test]
fn changes_between_two_runs_are_counted_by_their_timelines() {
    let mut history = settled();
    history.pass(300, &healthy(1, 6));
    assert!(history.lines().contains("FLAPPING"));
}

#[test]
fn two_changes_and_old_ones_are_no_flapping() {
    let mut history = settled();
    for (minute, leader, timeline) in [(1, 2, 4), (2, 1, 5), (33, 2, 6), (34, 1, 7), (70, 2, 8)] {
        history.pass(60 * minute, &healthy(leader, timeline));
    }
    assert!(!history.lines().contains("FLAPPING"));
}

#[test]
fn a_leader_that_cannot_be_seen_ends_no_flapping() {
    let mut history = settled();
    for (minute, leader, timeline) in [(1, 2, 4), (2, 1, 5), (3, 2, 6)] {
        history.pass(60 * minute, &healthy(leader, timeline));
    }
    let unreadable = crate::support::evidence::observed((1..=3).map(silence));
    every_minute(&mut history, 4..=60, &unreadable);
    assert!(history.state.has(ConditionKind::Flapping));
    history.pass(61 * 60, &healthy(2, 6));
    assert!(!history.state.has(ConditionKind::Flapping));
}

#[test]
fn what_flapping_needs_is_small_and_readable_both_ways() {
    let mut history = settled();
    for turn in 0..100 {
        history.pass(i64::from(turn), &healthy(1 + u8::try_from(turn % 3).unwrap(), 4 + turn));
    }
    let json = serde_json::to_value(&history.state).unwrap();
    assert!(json["changes"].to_string().len() < 1024);
    let mut older = json.clone();
    older.as_object_mut().unwrap().remove("changes");
    assert_eq!(serde_json::from_value::<State>(older).unwrap().changes, []);
    assert_eq!(serde_json::from_value::<State>(json).unwrap(), history.state);
}

// Patroni's modes.

#[test]
fn a_pause_is_alerted_after_an_hour() {
    let mut history = settled();
    let mut paused = healthy(1, 3);
    status(&mut paused, 3, |own| own.paused = true);
    every_minute(&mut history, 1..=60, &paused);
    assert_eq!(history.lines(), "");
    every_minute(&mut history, 61..=62, &paused);
    every_minute(&mut history, 63..=63, &healthy(1, 3));
    insta::assert_snapshot!(history.lines(), @"
    at 3660 s: repoint: batman: Patroni is paused, for 1 h 0 min now
    at 3780 s: repoint: batman: resolved after 1 h 2 min: Patroni is paused
    ");
}

#[test]
fn failsafe_mode_is_critical_and_ends_by_the_leader_alone() {
    let mut history = settled();
    let mut failsafe = healthy(1, 3);
    for number in 1..=3 {
        of(&mut failsafe, number, |answer| answer.view = Err(refused()));
        status(&mut failsafe, number, |own| own.failsafe = true);
    }
    every_minute(&mut history, 1..=3, &failsafe);
    let alert = history.notified.iter().find(|(_, alert)| alert.document.event == "failsafe");
    assert_eq!(
        alert.map(|(second, alert)| (*second, alert.document.severity.as_str())),
        Some((120, "critical"))
    );
    let mut unheard = healthy(1, 3);
    members_in(&mut unheard).extend([silence(1)]);
    every_minute(&mut history, 4..=4, &unheard);
    assert!(history.state.has(ConditionKind::Failsafe));
    every_minute(&mut history, 5..=5, &healthy(1, 3));
    assert!(!history.state.has(ConditionKind::Failsafe));
}

#[test]
fn each_site_has_its_own_pause() {
    let mut history = History { spec: spec_of(&[east(), west()]), ..History::with_group_at(1) };
    let mut sites = seen(&[(east(), How::Leads(1, 3)), (west(), How::Follows(3))]);
    for answer in sites.sites.get_mut(&Some(west())).unwrap().values_mut() {
        answer.view.as_mut().unwrap().paused = true;
    }
    history.pass(60, &sites);
    assert_eq!(open(&history), [(ConditionKind::Paused, "west")]);
    sites.sites.extend(seen(&[(west(), How::Leaderless(3))]).sites);
    history.pass(120, &sites);
    assert!(open(&history).contains(&(ConditionKind::Paused, "west")));
}

// The same change fails in every pass.

#[test]
fn a_change_that_fails_in_pass_after_pass_is_alerted() {
    let mut history = settled();
    history.is_refused = true;
    for second in (10..=120).step_by(10) {
        history.pass(second, &healthy(2, 4));
    }
    history.is_refused = false;
    history.pass(130, &healthy(2, 4));
    insta::assert_snapshot!(history.lines(), @"
    at 10 s: repoint: batman: FAILED to change pg-writer
    at 80 s: repoint: batman: endpoints FAIL to follow in every pass, for 1 min 0 s now
    at 130 s: repoint: batman: switchover from pg1 to pg2
    at 130 s: repoint: batman: resolved after 2 min 0 s: FAILED to change pg-writer
    at 130 s: repoint: batman: resolved after 1 min 50 s: endpoints FAIL to follow in every pass
    ");
}

#[test]
fn a_change_that_fails_once_is_not_failing() {
    let mut history = settled();
    history.is_refused = true;
    history.pass(10, &healthy(2, 4));
    assert_eq!(open(&history).len(), 1);
    history.is_refused = false;
    history.pass(20, &healthy(2, 4));
    assert_eq!(open(&history), []);
}

// An end keeps its severity, so that a subscription that filters by it gets the end of what it got the beginning of.

#[test]
fn a_condition_and_its_end_have_one_severity() {
    let mut history = settled();
    every_minute(&mut history, 1..=7, &lagging([100 * MIB; 2]));
    every_minute(&mut history, 8..=8, &lagging([0; 2]));
    let seen: Vec<_> = history
        .notified
        .iter()
        .map(|(_, alert)| (alert.document.status, alert.document.attributes()["severity"].clone()))
        .collect();
    assert_eq!(seen, [("triggered", "warning".to_owned()), ("resolved", "warning".to_owned())]);
}

#[test]
fn a_standby_cluster_has_no_candidate_to_miss() {
    let mut history = settled();
    let mut standby = healthy(1, 3);
    status(&mut standby, 1, |own| {
        (own.role, own.answers_primary) = (Role::StandbyLeader, false);
    });
    for number in 1..=3 {
        of(&mut standby, number, |answer| {
            let mut its = view(1, 3);
            its.members[0].role = ClusterRole::StandbyLeader;
            its.members.iter_mut().for_each(|listed| listed.nofailover = true);
            answer.view = Ok(its);
        });
    }
    every_minute(&mut history, 1..=9, &standby);
    assert!(!history.state.has(ConditionKind::NoCandidate));
}
