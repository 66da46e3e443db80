//! The report of a drill. The names here are a contract: scripts read the JSON.

use serde::Serialize;

use super::attempts::{Client, ClientReport};
use super::gates::Gate;
use super::rows::Rows;
use super::timeline::Event;
use crate::values::cluster::{EntryName, MemberName, Scope};
use crate::values::utc::Utc;

/// The version of the JSON report; it rises when a name changes its meaning or goes.
pub const VERSION: u32 = 1;

/// How a drill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The primary changed, and every client is good again.
    Done,
    /// A gate refused, or Patroni did: nothing was changed.
    Refused,
    /// The primary did not change, or a client is not good again.
    Failed,
    /// A signal ended it.
    Interrupted,
}

impl Outcome {
    /// In lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A switchover that the drill asked Patroni for.
    Switchover,
    /// Whatever happened while it observed.
    Observe,
}

/// The whole of a drill.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DrillReport {
    /// [`VERSION`].
    pub version: u32,
    /// Patroni's scope.
    pub scope: Scope,
    /// Which entry of the configuration.
    pub name: EntryName,
    /// What began it.
    pub mode: Mode,
    /// How it ended.
    pub outcome: Outcome,
    /// The same in a sentence, with what state things are in.
    pub message: String,
    /// When it began; all other times are milliseconds from then on.
    pub began: Utc,
    /// The primary before.
    pub from: Option<MemberName>,
    /// The primary after, or the member that was to take over.
    pub to: Option<MemberName>,
    /// The gates, as they were judged last.
    pub gates: Vec<Gate>,
    /// When the switchover was requested.
    pub requested_ms: Option<u64>,
    /// When another primary was first seen.
    pub promoted_ms: Option<u64>,
    /// When the old primary was first seen to stream again.
    pub rejoined_ms: Option<u64>,
    /// What each client saw.
    pub clients: Vec<ClientReport>,
    /// What became of the rows, with a table.
    pub rows: Option<Rows>,
    /// What happened, in its order.
    pub timeline: Vec<Event>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The command that switches back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_back: Option<String>,
    /// The attempts, for charts.
    #[serde(skip)]
    pub attempts: Vec<Client>,
}

impl DrillReport {
    /// Whether it did what it was to do, and no row was lost.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.outcome == Outcome::Done && self.rows.as_ref().is_none_or(|rows| rows.lost == 0)
    }

    /// The time that is charted, in milliseconds: from a second before the first change to a second after the last client was
    /// good again. `None` where no client had an outage and the primary did not change.
    #[must_use]
    pub fn window(&self) -> Option<(u64, u64)> {
        const MARGIN_MS: u64 = 1000;
        let all = || self.clients.iter().flat_map(|client| &client.outages);
        let outages = || all().filter(|outage| outage.last_good_ms.is_some());
        let ended = |client: &Client| client.attempts.iter().map(|attempt| attempt.ended_ms).max();
        let end_of_all = self.attempts.iter().filter_map(ended).max().unwrap_or_default();
        let begin = outages()
            .map(|outage| outage.last_good_ms.unwrap_or_default())
            .chain(self.requested_ms)
            .chain(self.promoted_ms)
            .min()?;
        let end = outages()
            .map(|outage| outage.first_good_ms.unwrap_or(end_of_all))
            .chain(self.promoted_ms)
            .chain(self.requested_ms)
            .max()?;
        Some((begin.saturating_sub(MARGIN_MS), end + MARGIN_MS))
    }
}

/// What a part of a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// No attempt ended in it, and the last one before it was good.
    Good,
    /// An attempt failed in it.
    Bad,
    /// Nothing is known.
    Empty,
}

/// A client's attempts in so many equal parts of a time. An attempt fails when it ends.
#[must_use]
pub fn cells(client: &Client, (begin, end): (u64, u64), count: usize) -> Vec<Cell> {
    let width = (end.saturating_sub(begin)).max(1);
    let part = |ms: u64| {
        let at = ms.checked_sub(begin)?.saturating_mul(count as u64) / width;
        usize::try_from(at).ok().filter(|at| *at < count)
    };
    let mut cells = vec![Cell::Empty; count];
    let report = client.report();
    for attempt in client.attempts.iter().filter(|attempt| attempt.error.is_none()) {
        if let Some(at) = part(attempt.ended_ms) {
            cells[at] = Cell::Good;
        }
    }
    for outage in &report.outages {
        let from = outage.last_good_ms.unwrap_or(begin).max(begin);
        let until = outage.first_good_ms.unwrap_or(end).min(end);
        let first = part(from).map_or(0, |at| at + usize::from(cells[at] == Cell::Good));
        let last = part(until).unwrap_or(count);
        // A short outage takes one cell at least.
        let last = last.max(first + 1).min(count);
        for cell in cells.iter_mut().take(last).skip(first) {
            *cell = Cell::Bad;
        }
    }
    // Between two attempts nothing changes.
    for at in 1..count {
        if cells[at] == Cell::Empty && cells[at..].iter().any(|cell| *cell != Cell::Empty) {
            cells[at] = cells[at - 1];
        }
    }
    cells
}
