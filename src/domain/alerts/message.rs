//! What is said of an event, to the reader and to programs.

use std::collections::BTreeSet;

use super::alert::{Alert, Document, RESOLVED, RETARGETED, TRIGGERED};
use super::event::{Event, Phase};
use crate::report::{self, ClusterReport, VerdictReport};
use crate::state::{Condition, Severity, clipped};
use crate::values::endpoint::Endpoint;
use crate::values::moves::{Move, MoveCause};
use crate::values::timestamp::Timestamp;
use crate::values::units::seconds;

/// SNS takes subjects of fewer than 100 characters (Publish, `Subject`).
const SUBJECT_LIMIT: usize = 99;
/// The most bytes in which the endpoints that were not moved are named.
const LEFT_LIMIT: usize = 1000;

impl Alert {
    /// The alert of an event, with the report of the pass that found it.
    #[must_use]
    pub fn of(event: &Event, report: &ClusterReport, now: Timestamp) -> Self {
        match event {
            Event::Moved { moves, left } => retargeted(report, moves, left, now),
            Event::Condition { condition, phase } => of_condition(report, condition, *phase, now),
        }
    }

    /// A test, published by that process.
    #[must_use]
    pub fn test(from: &str, now: Timestamp) -> Self {
        let headline = "this is a test, nothing has happened".to_owned();
        let document = Document {
            cluster: None,
            event: "test",
            severity: Severity::Info,
            status: TRIGGERED,
            dedup_key: "test".to_owned(),
            cause: None,
            subject: None,
            lasted_seconds: None,
            left_out: None,
            runbook: runbook("test"),
            from: Some(from.to_owned()),
            report: None,
        };
        let details = "Alerts from repoint arrive here.".to_owned();
        Self { subject: subject(&headline), headline, details, since: None, at: now, document }
    }
}

/// Endpoints have moved: all but those that are `left` behind, which are held or whose change failed.
fn retargeted(report: &ClusterReport, moves: &Move, left: &BTreeSet<Endpoint>, now: Timestamp) -> Alert {
    let (primary, timeline) = match &report.verdict {
        VerdictReport::Primary(primary) => {
            let name = primary.label().unwrap_or_else(|| "an unnamed member".to_owned());
            (name, primary.timeline.to_string())
        }
        VerdictReport::Hold { .. } => ("no member".to_owned(), "unknown".to_owned()),
    };
    let from = moves.previous.as_ref().filter(|previous| **previous != primary);
    let to = match &moves.previous_site {
        Some(_) => format!("{primary}, in another site"),
        None => primary.clone(),
    };
    let move_cause = match (moves.cause, from) {
        (MoveCause::Adoption, _) => format!("first adoption, endpoints now point at the primary {primary}"),
        (MoveCause::Switchover, Some(from)) => format!("switchover from {from} to {to}"),
        (MoveCause::Failover, Some(from)) => format!("failover from {from} to {to}"),
        (MoveCause::Standby, _) => format!("standby endpoints moved, the primary is still {primary}"),
        (MoveCause::Members, _) => {
            format!("endpoint members changed, the primary is still {primary}")
        }
        (MoveCause::Unknown, _) => format!("endpoints now point at the primary {primary}"),
        (MoveCause::Late, _) => format!("endpoints that were held follow the primary {primary} now"),
        (cause @ (MoveCause::Switchover | MoveCause::Failover), None) => {
            format!("{} to {to}", cause.as_str())
        }
        (MoveCause::Correction, Some(from)) => {
            format!("external change reverted: {from} -> {primary}")
        }
        (MoveCause::Correction, None) => {
            format!("external change reverted, the primary is still {primary}")
        }
    };
    let document = Document {
        cluster: Some(report.name.to_string()),
        event: RETARGETED,
        severity: Severity::Info,
        status: TRIGGERED,
        dedup_key: format!("{}/{RETARGETED}/{timeline}", report.name),
        cause: Some(moves.cause),
        subject: None,
        lasted_seconds: None,
        left_out: None,
        runbook: runbook(RETARGETED),
        from: None,
        report: Some(report.clone()),
    };
    let left_behind: Vec<String> = left.iter().map(report::describe).collect();
    let names = clipped(&left_behind.join(", "), LEFT_LIMIT);
    let (behind, details) = match left_behind.len() {
        0 => (String::new(), String::new()),
        count => (format!(", {count} not moved"), format!("Not moved: {names}.")),
    };
    let headline = format!("{}: {move_cause}{behind}", report.name);
    Alert { subject: subject(&headline), headline, details, since: None, at: now, document }
}

/// A condition began, lasts or ended.
fn of_condition(report: &ClusterReport, condition: &Condition, phase: Phase, now: Timestamp) -> Alert {
    let lasted = now.since(condition.since) / 1000;
    let what = title(condition);
    let (status, move_cause) = match phase {
        Phase::Began if lasted == 0 => (TRIGGERED, what),
        Phase::Began => (TRIGGERED, format!("{what}, for {} now", seconds(lasted))),
        Phase::Lasts => ("reminder", format!("still {what}, for {} now", seconds(lasted))),
        Phase::Ended => (RESOLVED, format!("resolved after {}: {what}", seconds(lasted))),
    };
    let about = condition.subject.as_ref().map_or(String::new(), |subject| format!("/{subject}"));
    let document = Document {
        cluster: Some(report.name.to_string()),
        event: condition.kind.as_str(),
        severity: condition.kind.severity(),
        status,
        dedup_key: format!("{}/{}{about}", report.name, condition.kind.as_str()),
        cause: None,
        subject: condition.subject.clone(),
        lasted_seconds: Some(lasted),
        left_out: None,
        runbook: runbook(condition.kind.as_str()),
        from: None,
        report: Some(report.clone()),
    };
    let details = match phase {
        Phase::Began | Phase::Lasts => condition.message.clone(),
        Phase::Ended => format!("It was: {}", condition.message),
    };
    let headline = format!("{}: {move_cause}", report.name);
    let since = Some(condition.since);
    Alert { subject: subject(&headline), headline, details, since, at: now, document }
}

/// A condition in a few words. An older version has stored none: then its kind and subject serve.
fn title(condition: &Condition) -> String {
    if condition.title.is_empty() {
        let subject = condition.subject.as_deref().unwrap_or("it");
        return condition.kind.title().replace("{}", subject).replace("{part}", "a member");
    }
    condition.title.clone()
}

fn runbook(event: &str) -> String {
    format!("/usr/share/doc/repoint/infra/guide/runbook.md#{event}")
}

/// SNS wants ASCII without control characters, and the name of a cluster may be anything.
fn subject(headline: &str) -> String {
    let plain = |message: char| if message.is_ascii_graphic() || message == ' ' { message } else { '?' };
    format!("repoint: {headline}").chars().map(plain).take(SUBJECT_LIMIT).collect()
}
