//! The history: its events wait in the state, and are then stored beside it.
//!
//! They are saved by the same save as what they are about, so that each is there once, whichever process dies (invariant 9).
//! Storing them delays nothing but the end of a pass, by a second at most, and fails nothing.

use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::deadline::{Cut, too_late};
use crate::ports::Ports;
use repoint_domain::history::{Adoption, ConditionEvent, Happened, HistoryEvent, MoveEvent};
use repoint_domain::spec::Spec;
use repoint_domain::state::{MOST_EVENT_BYTES, PendingEvent, State};
use repoint_domain::values::timestamp::Timestamp;

/// The target of the log's lines for events, for filters: there are no others here.
pub const HISTORY_EVENTS: &str = module_path!();
/// The longest that storing may take. A file or a table takes milliseconds; a later pass tries again.
const STORE_WITHIN: Duration = Duration::from_secs(1);
/// A process that has let an event wait for that long has failed to store it.
const STORED_AFTER_MS: u64 = 60 * 1000;

/// What came of storing events.
#[derive(Debug, Default)]
pub struct Stored {
    /// The numbers of those that need not wait any longer.
    pub numbers: Vec<u64>,
    /// Why the others are not stored.
    pub warning: Option<String>,
}

/// Puts events into the state that is about to be saved.
pub fn keep(state: &mut State, events: &[HistoryEvent], now: Timestamp) {
    for event in events {
        state.keep_event(PendingEvent { number: event.head.number, since: now, json: json(event.clone()) });
    }
}

/// The events to be stored now: this pass's own, and those that another process has left waiting. In the state of another
/// entry, that entry's are its own.
#[must_use]
pub fn due(spec: &Spec, state: &State, own: &[HistoryEvent], now: Timestamp) -> Vec<PendingEvent> {
    let is_own = |event: &PendingEvent| own.iter().any(|own| own.head.number == event.number);
    let is_left =
        |event: &PendingEvent| !state.is_of_others(spec) && now.is_past(event.since, STORED_AFTER_MS);
    let due = state.pending_events.iter().filter(|event| is_own(event) || is_left(event));
    due.cloned().collect()
}

/// Stores them.
pub async fn store(spec: &Spec, due: Vec<PendingEvent>, ports: &Ports, until: Instant, cut: &Cut) -> Stored {
    if due.is_empty() {
        return Stored::default();
    }
    let until = until.min(Instant::now() + STORE_WITHIN);
    let stored = cut.by(until, ports.history.store(&spec.name, &due)).await;
    match stored.unwrap_or_else(|| Err(too_late("storing events", &"the history"))) {
        Ok(()) => Stored { numbers: due.iter().map(|event| event.number).collect(), warning: None },
        Err(failure) => {
            let hint = failure.hint.as_deref();
            let hint = hint.map_or(String::new(), |hint| format!(" ({hint})"));
            let warning = format!("the history was not written, a later pass tries again: {failure}{hint}");
            Stored { numbers: Vec::new(), warning: Some(warning) }
        }
    }
}

/// One line of the log for each event.
pub fn log(events: &[HistoryEvent]) {
    for HistoryEvent { head, happened } in events {
        let (name, id) = (head.cluster.as_str(), head.id.as_str());
        match happened {
            Happened::Moved(moved) => {
                let MoveEvent { cause, from, to, timeline, took_ms, no_primary_since, .. } = moved;
                let timeline = timeline.map(|timeline| timeline.0);
                let without_primary_ms = no_primary_since.map(|since| head.at.0.since(since.0));
                let (from, to) = (from.as_deref(), to.as_deref());
                info!(
                    cluster.name = name,
                    event.id = id,
                    event.kind = "moved",
                    event.cause = cause.as_str(),
                    event.from = from,
                    event.to = to,
                    event.timeline = timeline,
                    event.took_ms = took_ms,
                    event.without_primary_ms = without_primary_ms,
                    "history event"
                );
            }
            Happened::Condition(condition) => {
                let ConditionEvent { condition, status, severity, subject, message, lasted_ms, .. } =
                    condition;
                info!(
                    cluster.name = name,
                    event.id = id,
                    event.kind = "condition",
                    event.condition = condition,
                    event.status = status,
                    event.severity = severity,
                    event.subject = subject.as_deref(),
                    event.lasted_ms = lasted_ms,
                    event.message = message,
                    "history event"
                );
            }
            Happened::Adopted(Adoption { to, system_id, timeline, .. }) => info!(
                cluster.name = name,
                event.id = id,
                event.kind = "adopted",
                event.to = to.as_deref(),
                event.system_id = system_id.as_str(),
                event.timeline = timeline.0,
                "history event"
            ),
            Happened::Unrecognized => {}
        }
    }
}

/// The event on one line, within its size. Nothing of it can fail to be JSON.
fn json(mut event: HistoryEvent) -> String {
    loop {
        let json = serde_json::to_string(&event).unwrap_or_default();
        if json.len() <= MOST_EVENT_BYTES || !event.shorten() {
            return json;
        }
    }
}
