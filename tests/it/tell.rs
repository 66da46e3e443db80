//! What people are told: subjects, severities, words.

use std::collections::BTreeMap;

use repoint::domain::alert::{Alert, alert};
use repoint::domain::cluster::{MemberName, Scope, SystemId, Timeline};
use repoint::domain::endpoint::Endpoint;
use repoint::domain::plan::TargetStep;
use repoint::domain::report::{ClusterReport, Outcome, PrimaryReport, StepReport, VerdictReport};
use repoint::domain::verdict::HoldKind;

use crate::support::evidence::{GROUP, SYSTEM, arn, target};

fn report(outcome: Outcome) -> ClusterReport {
    let step = TargetStep::Register(target("10.0.1.12", 5432));
    ClusterReport {
        scope: Scope::new("batman"),
        outcome,
        verdict: VerdictReport::Primary(PrimaryReport {
            kind: "primary",
            member: Some(MemberName::new("pg2")),
            host: Some("10.0.1.12".to_owned()),
            port: Some(5432),
            timeline: Timeline(4),
            system_id: SystemId::new(SYSTEM),
        }),
        previous_primary: Some("pg1".to_owned()),
        steps: vec![StepReport::of_target(Endpoint::Group(arn(GROUP)), &step).ended(&Ok(()), 41)],
        holds: Vec::new(),
        warnings: Vec::new(),
        duration_ms: 47,
        api_calls: BTreeMap::new(),
    }
}

fn held(kind: HoldKind) -> ClusterReport {
    let verdict = VerdictReport::Hold { kind, message: "for a reason".to_owned() };
    ClusterReport { verdict, previous_primary: None, steps: Vec::new(), ..report(Outcome::Held) }
}

#[track_caller]
fn told(report: &ClusterReport) -> (Alert, String) {
    let alert = alert(report).expect("an alert");
    let kind = format!("{} {}", alert.attributes["event"], alert.attributes["severity"]);
    assert_eq!(alert.attributes["cluster"], report.scope.to_string());
    (alert, kind)
}

#[test]
fn a_move_is_told_with_old_and_new() {
    let (alert, kind) = told(&report(Outcome::Changed));
    assert_eq!(
        (alert.subject.as_str(), kind.as_str()),
        ("repoint: batman: the primary is now pg2, before pg1", "retargeted info")
    );
    insta::assert_snapshot!(alert.text, @"
    batman: the primary is now pg2, before pg1.

    batman  changed  47 ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1
      done     register 10.0.1.12:5432  target group pg-writer (us-east-1)  at 41 ms
    ");
}

#[test]
fn severities_follow_what_is_at_stake() {
    assert_eq!(told(&held(HoldKind::NoPrimary)).1, "held warning");
    assert_eq!(told(&held(HoldKind::Contested)).1, "held critical");
    assert_eq!(told(&report(Outcome::Failed)).1, "failed critical");
    let split = ClusterReport { warnings: vec!["pg1 also claims".to_owned()], ..report(Outcome::Converged) };
    assert_eq!(told(&split).1, "split_brain critical");
    assert_eq!(told(&ClusterReport { outcome: Outcome::Changed, ..split }).1, "retargeted critical");
}

#[test]
fn nothing_to_say_is_not_said() {
    assert_eq!(alert(&report(Outcome::Converged)), None);
    assert_eq!(alert(&report(Outcome::Planned)), None);
}

#[test]
fn a_subject_is_short_plain_ascii_whatever_the_names() {
    let long = ClusterReport {
        scope: Scope::new(format!("böse\n{}", "x".repeat(200))),
        ..report(Outcome::Changed)
    };
    let subject = told(&long).0.subject;
    assert!(
        subject.chars().count() < 100 && subject.chars().all(|letter| (' '..='~').contains(&letter)),
        "{subject}"
    );
}
