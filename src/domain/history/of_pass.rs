//! The events of a pass, or of an adoption.

use std::collections::BTreeSet;

use super::event::{Adoption, ConditionEvent, Happened, Head, HistoryEvent, MoveEvent, Step, VERSION};
use crate::alerts::{Event, Phase};
use crate::report::{ClusterReport, PrimaryReport, StepReport, VerdictReport};
use crate::state::{Condition, ConditionKind, State, clipped};
use crate::values::cluster::EntryName;
use crate::values::endpoint::Endpoint;
use crate::values::moves::Move;
use crate::values::primary::{Primary, label};
use crate::values::timestamp::Timestamp;
use crate::values::utc::Utc;

/// The most bytes of an error: the log and the alert have the whole.
const ERROR_LIMIT: usize = 300;

/// What a pass has alerted, reminders left out. `before` is the state without it, `revision` that of the state with it;
/// `ended` is when its report was made.
#[must_use]
pub fn of_pass(
    alerted: &[Event],
    report: &ClusterReport,
    before: &State,
    revision: u64,
    [ended, now]: [Timestamp; 2],
) -> Vec<HistoryEvent> {
    let mut number = before.last_event;
    let event = |(index, event): (usize, &Event)| {
        let (at, happened) = match event {
            Event::Moved { moves, left } => moved(report, moves, left, before, ended),
            Event::Condition { phase: Phase::Lasts, .. } => return None,
            Event::Condition { condition, phase } => {
                (now, Happened::Condition(of_condition(condition, *phase, now)))
            }
        };
        number += 1;
        let id = Event::id(&report.name, revision, index);
        Some(HistoryEvent { head: head(number, id, &report.name, at), happened })
    };
    alerted.iter().enumerate().filter_map(event).collect()
}

/// That an operator has accepted `primary`.
#[must_use]
pub fn of_adoption(
    entry: &EntryName,
    before: &State,
    revision: u64,
    primary: &Primary,
    now: Timestamp,
) -> HistoryEvent {
    let id = format!("{entry}-{revision}-adopted");
    let happened = Happened::Adopted(Adoption {
        to: primary.member.as_ref().map(|member| label(primary.site.as_ref(), member.as_str())),
        system_id: primary.system_id.clone(),
        timeline: primary.timeline,
        system_id_before: before.system_id.clone(),
        timeline_before: before.highest_timeline,
    });
    HistoryEvent { head: head(before.last_event + 1, id, entry, now), happened }
}

fn head(number: u64, id: String, entry: &EntryName, at: Timestamp) -> Head {
    Head { version: VERSION, number, id, cluster: entry.clone(), at: Utc(at) }
}

fn moved(
    report: &ClusterReport,
    moves: &Move,
    left: &BTreeSet<Endpoint>,
    before: &State,
    ended: Timestamp,
) -> (Timestamp, Happened) {
    let primary = match &report.verdict {
        VerdictReport::Primary(primary) => Some(primary),
        VerdictReport::Hold { .. } => None,
    };
    let took_ms = report.last_change_ms();
    let at = took_ms.map_or(ended, |took_ms| Timestamp(ended.0.saturating_sub(report.duration_ms) + took_ms));
    let outage = before.conditions.iter().find(|condition| condition.kind == ConditionKind::NoPrimary);
    let happened = Happened::Moved(MoveEvent {
        cause: moves.cause,
        from: moves.previous.clone(),
        to: primary.and_then(PrimaryReport::label),
        member: primary.and_then(|primary| primary.member.clone()),
        site: primary.and_then(|primary| primary.site.clone()),
        timeline: primary.map(|primary| primary.timeline),
        no_primary_since: outage.map(|outage| Utc(outage.since)).filter(|since| *since <= Utc(at)),
        took_ms,
        steps: report.steps.iter().map(step).collect(),
        left: left.iter().map(ToString::to_string).collect(),
        left_out: 0,
    });
    (at, happened)
}

fn step(step: &StepReport) -> Step {
    Step {
        action: step.action.as_str().to_owned(),
        endpoint: step.endpoint.to_string(),
        target: step.target.clone(),
        replaces: step.replaces.clone(),
        result: step.result.as_str().to_owned(),
        error: step.error.as_ref().map(|error| clipped(error, ERROR_LIMIT)),
        at_ms: step.at_ms,
        took_ms: step.took_ms,
    }
}

fn of_condition(condition: &Condition, phase: Phase, now: Timestamp) -> ConditionEvent {
    ConditionEvent {
        condition: condition.kind.as_str().to_owned(),
        status: if phase == Phase::Ended { "resolved" } else { "triggered" }.to_owned(),
        severity: condition.kind.severity().as_str().to_owned(),
        subject: condition.subject.clone(),
        message: condition.message.clone(),
        since: Utc(condition.since),
        lasted_ms: now.since(condition.since),
    }
}
