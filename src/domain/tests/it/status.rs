//! How a cluster stands, as `repoint status` tells it.

use std::collections::BTreeMap;

use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::{Observed, Read};
use repoint_domain::plan::plan;
use repoint_domain::report::planned_steps;
use repoint_domain::report::status::{ClusterStatus, Standing, changes, status};
use repoint_domain::spec::Spec;
use repoint_domain::state::{Condition, ConditionKind, Severity, State, Unknown};
use repoint_domain::values::failure::Failure;
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{
    GROUP, answer, arn, group_spec, healthy, ip_group, name, observed, primary, refused, silence, spec, view,
};

fn notified(observed: &Observed) -> ClusterStatus {
    with_state(observed, &Ok(State::default()))
}

fn with_state(observed: &Observed, state: &Read<State>) -> ClusterStatus {
    let spec = Spec { groups: vec![group_spec()], ..spec() };
    let verdict = verdict(&spec, observed, &State::default());
    let plan = plan(&spec, observed, &verdict, &State::default(), Timestamp(0));
    status(&spec, observed, state, &verdict, &plan, Timestamp(9_000))
}

fn condition(kind: ConditionKind, subject: &str) -> Condition {
    Condition {
        kind,
        subject: Some(subject.to_owned()),
        endpoint: None,
        site: None,
        title: String::new(),
        message: String::new(),
        since: Timestamp(2_000),
        notified: None,
        unknown: Unknown::new(),
    }
}

/// A cluster whose group holds that target.
fn with_target(leader: u8, timeline: u32, target: (&str, &str)) -> Observed {
    Observed { groups: BTreeMap::from([(arn(GROUP), Ok(ip_group(&[target])))]), ..healthy(leader, timeline) }
}

#[test]
fn what_has_changed_is_said_in_words() {
    let before = with_target(1, 3, ("10.0.1.11", "healthy"));
    let lags = State { conditions: vec![condition(ConditionKind::ReplicaLag, "pg3")], ..State::default() };
    let before = with_state(&before, &Ok(lags));
    assert_eq!(changes(&before, &before), [""; 0]);

    let mut seen = view(2, 4);
    seen.members.retain(|listed| listed.name != name(3));
    let answers = observed([silence(1), answer(2, primary(4), Ok(seen))]);
    let after = Observed { sites: answers.sites, ..with_target(2, 4, ("10.0.1.11", "draining")) };
    let unreachable =
        State { conditions: vec![condition(ConditionKind::MemberUnreachable, "pg1")], ..State::default() };
    insta::assert_snapshot!(changes(&before, &with_state(&after, &Ok(unreachable))).join("\n"), @"
    primary pg1 on timeline 3 -> primary pg2 on timeline 4
    pg1: leader -> replica, running -> unreachable, timeline 3 -> timeline 4
    pg2: replica -> leader, streaming -> running, timeline 3 -> timeline 4
    pg3 is gone
    target group pg-writer (us-east-1): right -> differs, 10.0.1.11:5432 (healthy) -> 10.0.1.11:5432 (draining)
    member_unreachable pg1 has begun
    replica_lag pg3 is over
    ");
    // Without the state nothing is known of conditions.
    let without_state = with_state(&after, &Err(refused()));
    assert_eq!(changes(&before, &without_state).last().unwrap(), "state store unavailable");
    assert_eq!(changes(&without_state, &before).last().unwrap(), "state store available again");
}

/// What needs most to be done comes first.
#[test]
fn trouble_is_what_matters_most() {
    let right = with_target(2, 3, ("10.0.1.12", "healthy"));
    let with = |kind| State { conditions: vec![condition(kind, "x")], ..State::default() };
    for (status, trouble) in [
        (notified(&right), None),
        (with_state(&right, &Ok(with(ConditionKind::Paused))), Some(Severity::Info)),
        (notified(&with_target(2, 3, ("10.0.1.11", "healthy"))), Some(Severity::Warning)),
        (with_state(&right, &Ok(with(ConditionKind::ReplicaLag))), Some(Severity::Warning)),
        (with_state(&right, &Ok(with(ConditionKind::SplitBrain))), Some(Severity::Critical)),
        (with_state(&right, &Err(refused())), Some(Severity::Critical)),
        (notified(&observed((1..=3).map(silence))), Some(Severity::Critical)),
    ] {
        assert_eq!(status.trouble(), trouble, "{status:?}");
    }
}

/// Programs read these names.
#[test]
fn a_condition_and_the_last_move_are_written_for_programs() {
    let mut state =
        State { conditions: vec![condition(ConditionKind::ReplicaLag, "pg3")], ..State::default() };
    state.retargets = serde_json::from_value(serde_json::json!({
        "counts": {}, "last": {"at": "2026-11-29T03:12:45.123Z", "cause": "failover", "from": "pg1", "to": "pg2"}
    }))
    .unwrap();
    let status = serde_json::to_value(with_state(&healthy(2, 3), &Ok(state))).unwrap();
    insta::assert_snapshot!(format!("{}\n{}", status["conditions"][0], status["last_move"]), @r#"
    {"kind":"replica_lag","severity":"warning","subject":"pg3","message":"","since":"1970-01-01T00:00:02.000Z","lasted_seconds":7,"notified":false}
    {"at":"2026-11-29T03:12:45.123Z","cause":"failover","from":"pg1","to":"pg2"}
    "#);
    assert!(serde_json::to_value(notified(&healthy(2, 3))).unwrap()["last_move"].is_null());
}

#[test]
fn a_paused_cluster_says_so() {
    let mut paused = view(2, 3);
    paused.paused = true;
    assert!(notified(&observed([answer(2, primary(3), Ok(paused)), silence(1)])).is_paused);
    assert!(!notified(&healthy(2, 3)).is_paused);
}

#[test]
fn a_target_is_shown_with_why_it_is_not_healthy() {
    let mut group = ip_group(&[("10.0.1.12", "unhealthy")]);
    group.targets[0].reason = Some("Target.FailedHealthChecks".to_owned());
    let observed = Observed { groups: BTreeMap::from([(arn(GROUP), Ok(group))]), ..healthy(2, 3) };
    let endpoint = &notified(&observed).endpoints[0];
    assert_eq!(endpoint.points_at, ["10.0.1.12:5432 (unhealthy, Target.FailedHealthChecks)"]);
    assert_eq!(endpoint.standing, Standing::Right);
}

/// The daemon shows it without reading the endpoints again.
#[test]
fn after_a_pass_what_was_changed_is_right() {
    let group = ip_group(&[("10.0.1.11", "healthy")]);
    let observed = Observed { groups: BTreeMap::from([(arn(GROUP), Ok(group))]), ..healthy(2, 3) };
    let (spec, status) = (Spec { groups: vec![group_spec()], ..spec() }, notified(&observed));
    assert_eq!(status.endpoints[0].standing, Standing::Differs);
    let verdict = verdict(&spec, &observed, &State::default());
    let steps = planned_steps(&plan(&spec, &observed, &verdict, &State::default(), Timestamp(0)));
    let ended = |result: Result<(), Failure>| {
        let steps: Vec<_> = steps.iter().map(|step| step.clone().ended(&result, 1)).collect();
        status.clone().after(&steps).endpoints[0].clone()
    };
    let done = ended(Ok(()));
    assert_eq!((done.standing, &done.message), (Standing::Right, &None));
    assert_eq!(done.points_at, ["10.0.1.12:5432 (registered)"]);
    let failed = ended(Err(refused()));
    assert_eq!(failed.standing, Standing::Differs);
    assert!(failed.message.unwrap().contains("refused"), "the reason of the failure");
}

#[test]
fn what_cannot_be_read_is_held_with_its_reason() {
    let observed = Observed { groups: BTreeMap::from([(arn(GROUP), Err(refused()))]), ..healthy(2, 3) };
    let endpoint = &notified(&observed).endpoints[0];
    assert_eq!(endpoint.standing, Standing::Held);
    assert!(endpoint.message.as_ref().unwrap().contains("refused"));
}

#[test]
fn a_silent_member_is_listed_with_what_others_say_of_it() {
    let status = notified(&observed([answer(2, primary(3), Ok(view(2, 3))), silence(1)]));
    let silent = status.members.iter().find(|member| member.error.is_some()).unwrap();
    assert_eq!(silent.member, "pg1");
    assert_eq!(silent.address.as_ref().unwrap().host, "10.0.1.11");
    assert_eq!(silent.state, None);
}
