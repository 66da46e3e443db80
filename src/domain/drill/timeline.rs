//! What Patroni, repoint, the clients and the drill did, in one order.

use serde::Serialize;

use super::attempts::Client;
use crate::history::{Happened, HistoryEvent, MoveEvent};
use crate::report::describe_name;
use crate::values::units::duration;
use crate::values::utc::Utc;

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The drill itself.
    Drill,
    /// Patroni, as its members report it.
    Patroni,
    /// A repoint process, as it is in the history: by the clock of that process's machine.
    Repoint,
    /// A client of the drill.
    Client,
}

impl Source {
    /// In lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drill => "drill",
            Self::Patroni => "patroni",
            Self::Repoint => "repoint",
            Self::Client => "client",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, in milliseconds since the drill began.
    pub at_ms: u64,
    /// Who did it.
    pub source: Source,
    /// What.
    pub what: String,
}

impl Event {
    /// Something that happened then.
    #[must_use]
    pub fn new(at_ms: u64, source: Source, what: impl Into<String>) -> Self {
        Self { at_ms, source, what: what.into() }
    }
}

/// All of it, in one order. The history is of any time; `began` is when the drill did.
#[must_use]
pub fn timeline(
    mut events: Vec<Event>,
    history: &[HistoryEvent],
    clients: &[Client],
    began: Utc,
) -> Vec<Event> {
    events.extend(
        history.iter().filter(|event| event.head.at >= began).flat_map(|event| of_history(event, began)),
    );
    events.extend(clients.iter().flat_map(of_client));
    events.sort_by_key(|event| event.at_ms);
    events
}

fn of_client(client: &Client) -> Vec<Event> {
    let label = client.label();
    let outages = client.report().outages;
    let of_outage = |outage: &super::attempts::Outage| {
        let last = outage
            .last_good_ms
            .map(|at| Event::new(at, Source::Client, format!("{label}: last good attempt")));
        let first = outage.first_good_ms.map(|at| {
            let after = outage.outage_ms.map_or(String::new(), |ms| format!(", {} later", duration(ms)));
            Event::new(at, Source::Client, format!("{label}: first good attempt{after}"))
        });
        [last, first].into_iter().flatten().collect::<Vec<_>>()
    };
    outages.iter().flat_map(of_outage).collect()
}

fn of_history(event: &HistoryEvent, began: Utc) -> Vec<Event> {
    let at_ms = event.head.at.0.since(began.0);
    let one = |what: String| vec![Event::new(at_ms, Source::Repoint, what)];
    match &event.happened {
        Happened::Moved(moved) => of_move(moved, at_ms),
        Happened::Condition(condition) => one(format!("{} {}", condition.condition, condition.status)),
        Happened::Adopted(_) => one("adopted".to_owned()),
        Happened::Unrecognized => one("an event of a newer version".to_owned()),
    }
}

/// An event's time is that of its last change, which is where its pass took so long.
fn of_move(moved: &MoveEvent, last_ms: u64) -> Vec<Event> {
    let began_ms = last_ms.saturating_sub(moved.took_ms.unwrap_or_default());
    let steps = moved.steps.iter().map(|step| {
        let at_ms = step.at_ms.map_or(last_ms, |at_ms| began_ms + at_ms);
        let (action, endpoint) = (step.action.replace('_', " "), describe_name(&step.endpoint));
        let error = step.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
        let what = format!("{}: {action} {} in {endpoint}{error}", step.result, step.target);
        Event::new(at_ms, Source::Repoint, what)
    });
    let left = moved.left.iter().map(|endpoint| {
        Event::new(last_ms, Source::Repoint, format!("left behind: {}", describe_name(endpoint)))
    });
    steps.chain(left).collect()
}
