//! Just after another member has begun to lead: no replica is known to stream yet, and those that answer stay.

use std::collections::BTreeMap;

use repoint_domain::audit::audit;
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::{ClusterMember, MemberStatus, Observed};
use repoint_domain::plan::{Plan, plan};
use repoint_domain::spec::{PointsTo, Spec};
use repoint_domain::state::{KnownLeader, LastPrimary, State};
use repoint_domain::values::cluster::{PostgresState, Role, Timeline};
use repoint_domain::values::primary::Primary;
use repoint_domain::values::record::RecordType;
use repoint_domain::values::target::TargetGroup;
use repoint_domain::values::timestamp::Timestamp;

use super::{LIMIT, is_pg3, of, words};
use crate::support::evidence::{
    GROUP, arn, healthy, ip_group, members_in, name, reader_spec, record, record_spec, silence, spec,
};

/// pg1 led on timeline 3 and is gone; pg2 leads on timeline 4; pg3 follows nobody yet.
fn after_a_crash(group: TargetGroup) -> Observed {
    let mut observed = healthy(2, 4);
    members_in(&mut observed).extend([silence(1)]);
    let views = members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok());
    for listed in views.flat_map(|view| &mut view.members).filter(|listed| is_pg3(listed)) {
        (listed.state, listed.lag_bytes) = (PostgresState::Running, None);
    }
    Observed { groups: BTreeMap::from([(arn(GROUP), Ok(group))]), ..observed }
}

/// What was known when pg1 led.
fn before() -> State {
    State {
        highest_timeline: Some(Timeline(3)),
        primary: Some(LastPrimary {
            site: None,
            member: Some(name(1)),
            address: None,
            timeline: Timeline(3),
        }),
        leader: Some(KnownLeader { member: Some(name(1)), timeline: Timeline(3), since: None }),
        ..State::default()
    }
}

/// What is known once pg2 was seen to lead.
fn since(milliseconds: u64) -> State {
    State {
        highest_timeline: Some(Timeline(4)),
        leader: Some(KnownLeader {
            member: Some(name(2)),
            timeline: Timeline(4),
            since: Some(Timestamp(milliseconds)),
        }),
        ..before()
    }
}

fn planned(spec: &Spec, observed: &Observed, state: &State, now: u64) -> Plan {
    let verdict = verdict(spec, observed, state);
    let plan = plan(spec, observed, &verdict, state, Timestamp(now));
    assert_eq!(audit(&plan, spec, observed, &verdict, state, Timestamp(now)).err(), None);
    plan
}

fn steps(observed: &Observed, state: &State, now: u64) -> Vec<String> {
    words(&planned(&of(reader_spec(LIMIT)), observed, state, now))
}

fn both() -> TargetGroup {
    ip_group(&[("10.0.1.12", "healthy"), ("10.0.1.13", "healthy")])
}

fn alone() -> TargetGroup {
    ip_group(&[("10.0.1.13", "healthy")])
}

const OUT: [&str; 2] = ["+10.0.1.12", "-10.0.1.13"];

#[test]
fn a_crash_does_not_throw_a_replica_out_that_answers() {
    assert_eq!(steps(&after_a_crash(both()), &before(), 0), ["+10.0.1.13", "-10.0.1.12"]);
    assert_eq!(steps(&after_a_crash(alone()), &before(), 0), [""; 0]);
    assert_eq!(steps(&after_a_crash(alone()), &since(1000), 1000), [""; 0]);
    assert_eq!(steps(&after_a_crash(alone()), &since(1000), 30_999), [""; 0]);
}

#[test]
fn it_goes_when_it_does_not_stream_half_a_minute_later() {
    assert_eq!(steps(&after_a_crash(alone()), &since(1000), 31_000), OUT);
}

/// As a clock shows that was set back, or that of another machine.
#[test]
fn a_time_in_the_future_counts_for_half_a_minute_at_most() {
    assert_eq!(steps(&after_a_crash(alone()), &since(40_000), 11_000), [""; 0]);
    assert_eq!(steps(&after_a_crash(alone()), &since(40_000), 9_000), OUT);
}

/// How far a replica is behind that has just lost its upstream tells nothing: the new primary takes writes meanwhile.
#[test]
fn it_stays_whatever_its_lag() {
    let mut observed = after_a_crash(alone());
    let views = members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok());
    for listed in views.flat_map(|view| &mut view.members).filter(|listed| is_pg3(listed)) {
        listed.lag_bytes = Some(10 * LIMIT);
    }
    assert_eq!(steps(&observed, &before(), 0), [""; 0]);
}

#[test]
fn only_one_that_is_in_and_answers_as_a_live_replica_stays() {
    let changed = |change: &dyn Fn(&mut MemberStatus)| {
        let mut observed = after_a_crash(alone());
        for answer in members_in(&mut observed).values_mut() {
            if let Ok(status) = &mut answer.status
                && status.name == Some(name(3))
            {
                change(status);
            }
        }
        steps(&observed, &before(), 0)
    };
    assert_eq!(changed(&|_| ()), [""; 0]);
    assert_eq!(changed(&|own| own.state = PostgresState::from("starting")), OUT);
    assert_eq!(changed(&|own| own.role = Role::from("demoted")), OUT);
    let mut silent = after_a_crash(alone());
    members_in(&mut silent).extend([silence(3)]);
    assert_eq!(steps(&silent, &before(), 0), OUT);
    assert_eq!(steps(&after_a_crash(ip_group(&[])), &before(), 0), ["+10.0.1.12"], "it was not in");
    let tagged = |listed: &mut ClusterMember| listed.noloadbalance = true;
    let mut observed = after_a_crash(alone());
    let views = members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok());
    views.flat_map(|view| &mut view.members).filter(|listed| is_pg3(listed)).for_each(tagged);
    assert_eq!(steps(&observed, &before(), 0), OUT);
}

/// The primary was in since no replica was fit, and comes back as a replica.
#[test]
fn the_old_primary_does_not_stay() {
    let mut observed = after_a_crash(ip_group(&[("10.0.1.11", "healthy"), ("10.0.1.13", "healthy")]));
    let revived = members_in(&mut healthy(2, 4)).clone();
    members_in(&mut observed).extend(revived.into_iter().take(1));
    for view in members_in(&mut observed).values_mut().filter_map(|answer| answer.view.as_mut().ok()) {
        for listed in view.members.iter_mut().filter(|listed| !listed.role.leads()) {
            (listed.state, listed.lag_bytes) = (PostgresState::Running, None);
        }
    }
    assert_eq!(steps(&observed, &before(), 0), ["+10.0.1.13", "-10.0.1.11"]);
}

/// Without a leader before, there is no change: what is found at the first look is as it was.
#[test]
fn no_change_of_the_leader_is_known_at_the_first_check() {
    assert_eq!(steps(&after_a_crash(alone()), &State::default(), 0), OUT);
    let older = State { leader: None, ..before() };
    assert_eq!(
        steps(&after_a_crash(alone()), &older, 0),
        [""; 0],
        "a version that did not remember the leader"
    );
}

#[test]
fn a_record_keeps_its_value_as_well() {
    let points_to = PointsTo::Readers { max_lag_bytes: LIMIT, primary_fallback: true };
    let wanted = repoint_domain::spec::RecordSpec { points_to, ..record_spec(RecordType::A) };
    let kept = |values: &[&str]| {
        let records = BTreeMap::from([(wanted.key.place.clone(), Ok(vec![record(&wanted, values)]))]);
        let observed = Observed { records, ..after_a_crash(ip_group(&[])) };
        let spec = Spec { records: vec![wanted.clone()], ..spec() };
        planned(&spec, &observed, &before(), 0)
    };
    assert_eq!(kept(&["10.0.1.13"]), Plan::default());
    let repoint_domain::plan::StepGroup::Zone { changes, .. } =
        &kept(&["10.0.1.12", "10.0.1.13"]).step_groups[0]
    else {
        panic!("no change of a record")
    };
    assert_eq!(changes[0].after.answer.to_string(), "10.0.1.13");
}

/// What a pass remembers: the first look knows of no change, and each later leader is dated once.
#[test]
fn a_leader_is_dated_when_it_is_first_seen() {
    let leads = |leader, timeline| {
        let Verdict::Primary(primary) = verdict(&spec(), &healthy(leader, timeline), &State::default())
        else {
            panic!("no member leads")
        };
        primary
    };
    let seen = |state: &State, primary: &Primary, now| State {
        leader: state.led_by(primary, Timestamp(now)),
        ..State::default()
    };
    let since = |state: &State| state.leader.as_ref().and_then(|known| known.since);
    let first = seen(&State::default(), &leads(1, 3), 10);
    assert_eq!(since(&first), None);
    let second = seen(&first, &leads(2, 4), 20);
    assert_eq!(since(&second), Some(Timestamp(20)));
    assert_eq!(seen(&second, &leads(2, 4), 30), second);
    assert_eq!(since(&first.committed(&leads(2, 4), None, "a test", Timestamp(40))), Some(Timestamp(40)));
}
