//! What people are told: subjects, severities, words.

use std::collections::{BTreeMap, BTreeSet};

use repoint_domain::alerts::{Alert, AlertTopic, Event, Format, Phase};
use repoint_domain::plan::TargetStep;
use repoint_domain::report::{ClusterReport, Outcome, PrimaryReport, StepReport, VerdictReport};
use repoint_domain::state::{Condition, ConditionKind, Severity, Unknown};
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::cluster::{EntryName, MemberName, Scope, SystemId, Timeline};
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::moves::{Move, MoveCause};
use repoint_domain::values::timestamp::Timestamp;

use crate::support::evidence::{GROUP, SYSTEM, arn, target};

fn report() -> ClusterReport {
    let step = TargetStep::Register(target("10.0.1.12", 5432));
    ClusterReport {
        scope: Scope::new("batman"),
        name: EntryName::new("batman"),
        outcome: Outcome::Changed,
        verdict: VerdictReport::Primary(PrimaryReport {
            site: None,
            kind: "primary",
            member: Some(MemberName::new("pg2")),
            host: Some("10.0.1.12".to_owned()),
            port: Some(5432),
            timeline: Timeline(4),
            system_id: SystemId::new(SYSTEM),
        }),
        cause: Some(MoveCause::Failover),
        previous_primary: Some("pg1".to_owned()),
        steps: vec![StepReport::of_target(Endpoint::Group(arn(GROUP)), &step).ended(&Ok(()), 41)],
        holds: Vec::new(),
        warnings: Vec::new(),
        is_unnotified: false,
        alerts: Vec::new(),
        duration_ms: 47,
        api_calls: BTreeMap::new(),
        status: None,
    }
}

fn moved(cause: MoveCause, previous: Option<&str>) -> Alert {
    let moves = Move { cause, previous: previous.map(str::to_owned), previous_site: None };
    retargeted(&report(), moves)
}

fn condition(kind: ConditionKind, subject: Option<&str>) -> Condition {
    let name = subject.map_or("", |subject| if subject == GROUP { "pg-writer" } else { subject });
    Condition {
        kind,
        subject: subject.map(str::to_owned),
        endpoint: None,
        site: None,
        title: kind.title().replace("{}", name),
        message: "for a reason".to_owned(),
        since: Timestamp(1_000),
        notified: None,
        unknown: Unknown::new(),
    }
}

fn of_condition(report: &ClusterReport, condition: &Condition, phase: Phase, now: Timestamp) -> Alert {
    Alert::of(&Event::Condition { condition: condition.clone(), phase }, report, now)
}

fn retargeted(report: &ClusterReport, moves: Move) -> Alert {
    Alert::of(&Event::Moved { moves, left: BTreeSet::new() }, report, Timestamp(0))
}

fn notified(condition: &Condition, phase: Phase, now: u64) -> String {
    let alert = of_condition(&report(), condition, phase, Timestamp(now));
    let attributes = alert.document.attributes();
    format!("{} [{} {}] {}", attributes["severity"], attributes["event"], attributes["status"], alert.subject)
}

#[test]
fn a_move_is_alerted_with_old_and_new_and_cause() {
    let subjects: Vec<String> = [
        (MoveCause::Adoption, None),
        (MoveCause::Switchover, Some("pg1")),
        (MoveCause::Failover, Some("pg1")),
        (MoveCause::Failover, None),
        (MoveCause::Correction, Some("10.0.1.99")),
        (MoveCause::Correction, Some("pg2")),
        (MoveCause::Standby, None),
        (MoveCause::Unknown, Some("pg1")),
    ]
    .into_iter()
    .map(|(cause, previous)| moved(cause, previous).subject)
    .collect();
    insta::assert_snapshot!(subjects.join("\n"), @"
    repoint: batman: first adoption, endpoints now point at the primary pg2
    repoint: batman: switchover from pg1 to pg2
    repoint: batman: failover from pg1 to pg2
    repoint: batman: failover to pg2
    repoint: batman: external change reverted: 10.0.1.99 -> pg2
    repoint: batman: external change reverted, the primary is still pg2
    repoint: batman: standby endpoints moved, the primary is still pg2
    repoint: batman: endpoints now point at the primary pg2
    ");
    insta::assert_snapshot!(moved(MoveCause::Failover, Some("pg1")).text(), @"
    batman: failover from pg1 to pg2.

    Runbook: /usr/share/doc/repoint/infra/guide/runbook.md#retargeted

    batman  changed  47 ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1  (failover)
      done     register 10.0.1.12:5432  target group pg-writer (us-east-1)  at 41 ms
    ");
}

#[test]
fn a_condition_is_alerted_when_it_begins_lasts_and_ends() {
    let leaderless = condition(ConditionKind::NoPrimary, None);
    let member = condition(ConditionKind::MemberUnreachable, Some("pg1"));
    let failed = condition(ConditionKind::ApplyFailed, Some(GROUP));
    let lines = [
        notified(&condition(ConditionKind::Contested, None), Phase::Began, 1_000),
        notified(&leaderless, Phase::Began, 61_000),
        notified(&leaderless, Phase::Lasts, 601_000),
        notified(&leaderless, Phase::Ended, 7_321_000),
        notified(&member, Phase::Began, 61_000),
        notified(&failed, Phase::Began, 1_000),
        notified(&failed, Phase::Ended, 31_000),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    critical [contested triggered] repoint: batman: CONTESTED, two members may be taking writes
    critical [no_primary triggered] repoint: batman: no primary, for 1 min 0 s now
    critical [no_primary reminder] repoint: batman: still no primary, for 10 min 0 s now
    critical [no_primary resolved] repoint: batman: resolved after 2 h 2 min: no primary
    warning [member_unreachable triggered] repoint: batman: member pg1 does not answer, for 1 min 0 s now
    critical [apply_failed triggered] repoint: batman: FAILED to change pg-writer
    critical [apply_failed resolved] repoint: batman: resolved after 30 s: FAILED to change pg-writer
    ");
}

#[test]
fn a_message_and_its_resolution_share_their_key() {
    let condition = condition(ConditionKind::MemberUnreachable, Some("pg1"));
    let key = |phase| of_condition(&report(), &condition, phase, Timestamp(99_000)).document.dedup_key;
    assert_eq!(key(Phase::Began), "batman/member_unreachable/pg1");
    assert_eq!(key(Phase::Began), key(Phase::Ended));
}

#[test]
fn a_subject_is_short_plain_ascii_whatever_the_names() {
    let long = ClusterReport { name: EntryName::new(format!("böse\n{}", "x".repeat(200))), ..report() };
    let subject =
        retargeted(&long, Move { cause: MoveCause::Adoption, previous: None, previous_site: None }).subject;
    assert!(
        subject.chars().count() < 100 && subject.chars().all(|message| (' '..='~').contains(&message)),
        "{subject}"
    );
}

/// A pass over thirty groups that are all denied: each message has what it is about, and says what it leaves out.
#[test]
fn a_long_report_is_cut_and_says_so() {
    let step = |number: u32| {
        let group = GROUP.replace("pg-writer", &format!("pg-{number}"));
        let mut step = StepReport::of_target(
            Endpoint::Group(arn(&group)),
            &TargetStep::Register(target("10.0.1.12", 5432)),
        );
        step.error = Some("denied ".repeat(200));
        step
    };
    let long = ClusterReport { steps: (0..30).map(step).collect(), ..report() };
    let subject = long.steps[29].endpoint.to_string();
    let whole = of_condition(
        &long,
        &condition(ConditionKind::ApplyFailed, Some(&subject)),
        Phase::Began,
        Timestamp(1_000),
    );
    let cut = whole.cut_to(2);
    assert_eq!(cut.document.left_out.unwrap().steps, 27);
    assert_eq!(cut.document.report.as_ref().unwrap().steps.last().unwrap().endpoint.to_string(), subject);
    let text = cut.text();
    assert!(text.contains("... 27 more steps, 0 more holds and 0 more warnings left out"), "{text}");
    assert!(text.len() < 4_000 && whole.text().len() > 30_000);
}

#[test]
fn a_time_is_written_in_utc() {
    let times = [0, 951_782_399_999, 951_782_400_000, 1_764_415_241_123, 4_107_542_400_000];
    assert_eq!(
        times.map(|milliseconds| Timestamp(milliseconds).utc()),
        [
            "1970-01-01T00:00:00.000",
            "2000-02-28T23:59:59.999",
            "2000-02-29T00:00:00.000",
            "2025-11-29T11:20:41.123",
            "2100-03-01T00:00:00.000",
        ]
    );
}

fn topic(name: &str, format: Format) -> AlertTopic {
    let arn = TopicArn::parse(&format!("arn:aws:sns:us-east-1:123456789012:{name}")).unwrap();
    AlertTopic { arn, format, min_severity: Severity::Info }
}

/// An earlier version publishes messages without a topic, which are text, to the one topic that it knows.
#[test]
fn messages_without_a_topic_are_for_the_first_one_that_takes_text() {
    let (chat, first, second) =
        (topic("chat", Format::Chatbot), topic("first", Format::Text), topic("second", Format::Text));
    let topics = [chat.clone(), first.clone(), second.clone()];
    assert_eq!(AlertTopic::named(&topics, None), Some(&first));
    assert_eq!(first.name_in(&topics), None);
    for named in [&chat, &second] {
        let name = named.name_in(&topics).unwrap();
        assert_eq!(AlertTopic::named(&topics, Some(&name)), Some(named));
    }
    assert_eq!(AlertTopic::named(&topics[..1], None), Some(&chat));
    assert!(chat.name_in(&topics[..1]).is_some(), "an earlier version has no use for this format");
    assert_eq!(AlertTopic::named(&topics[..1], Some(first.arn.as_str())), None);
}
