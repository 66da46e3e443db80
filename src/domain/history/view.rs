//! The history as it is read: in order, each event once, with what Patroni knows of the promotions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::event::{Happened, HistoryEvent, MoveEvent};
use crate::observed::{Read, TimelineEnd};
use crate::values::cluster::{EntryName, Scope, SiteName};
use crate::values::moves::MoveCause;
use crate::values::utc::Utc;

/// The history of several clusters. The names here are a contract: scripts read the JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// The report's version.
    pub version: u32,
    /// In the order of the configuration.
    pub clusters: Vec<ClusterHistory>,
}

impl History {
    /// Whether all that is stored could be read.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.clusters.iter().all(|cluster| cluster.error.is_none())
    }
}

/// The history of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterHistory {
    /// Patroni's scope.
    pub scope: Scope,
    /// Which entry of the configuration.
    pub name: EntryName,
    /// The oldest first.
    pub events: Vec<EventView>,
    /// What is missing, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why the stored events could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An event, and what follows from others or from Patroni.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventView {
    /// As it was stored.
    #[serde(flatten)]
    pub event: HistoryEvent,
    /// When the primary was promoted, by Patroni's `/history`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promoted_at: Option<Utc>,
    /// From the promotion until the endpoints had moved, in milliseconds; the two clocks are those of two machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promoted_to_moved_ms: Option<u64>,
    /// From when a pass first found no primary until the endpoints had moved, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_primary_ms: Option<u64>,
}

/// What was read of one cluster's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The events, in any order, perhaps twice.
    pub events: Vec<HistoryEvent>,
    /// What could not be read of it, a sentence for each.
    pub damaged: Vec<String>,
}

impl Reading {
    /// Leaves the newest events alone, in their order.
    pub fn keep_newest(&mut self, most: u64) {
        self.events.sort_by_key(|event| (event.head.at, event.head.number));
        let surplus = self.events.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
        self.events.drain(..surplus);
    }
}

/// What Patroni's members say of earlier timelines, by site.
pub type Promotions = BTreeMap<Option<SiteName>, Read<Vec<TimelineEnd>>>;

impl ClusterHistory {
    /// The events since then.
    #[must_use]
    pub fn new(scope: &Scope, name: &EntryName, reading: Reading, since: Option<Utc>) -> Self {
        let Reading { mut events, damaged: mut warnings } = reading;
        events.sort_by_key(|event| (event.head.at, event.head.number));
        events.dedup();
        warnings.extend(missing(&events));
        let newer = events.iter().filter(|event| event.happened == Happened::Unrecognized).count();
        if newer > 0 {
            warnings.push(format!("events of a newer repoint: {newer}; read them with that version"));
        }
        let is_asked = |event: &HistoryEvent| since.is_none_or(|since| event.head.at >= since);
        let events = events.into_iter().filter(is_asked).map(view).collect();
        Self { scope: scope.clone(), name: name.clone(), events, warnings, error: None }
    }

    /// The sites whose promotions Patroni may know: those to whose primary endpoints have moved after a promotion.
    #[must_use]
    pub fn promoted_sites(&self) -> BTreeSet<Option<SiteName>> {
        self.events.iter().filter_map(|view| promoted(&view.event)).map(|moved| moved.site.clone()).collect()
    }

    /// Adds when the primaries were promoted.
    pub fn join(&mut self, promotions: &Promotions) {
        for (site, unknown) in promotions.iter().filter_map(|(site, ends)| Some((site, ends.as_ref().err()?)))
        {
            let site = site.as_ref().map_or(String::new(), |site| format!(" of site {site}"));
            self.warnings.push(format!("when primaries{site} were promoted is not known: {unknown}"));
        }
        for view in &mut self.events {
            let Some(moved) = promoted(&view.event) else { continue };
            let Some(Ok(ends)) = promotions.get(&moved.site) else { continue };
            view.promoted_at = ends.iter().rev().find(|end| is_promotion(end, moved)).and_then(|end| end.at);
            let until = view.promoted_at.filter(|promoted| *promoted <= view.event.head.at);
            view.promoted_to_moved_ms = until.map(|promoted| view.event.head.at.0.since(promoted.0));
        }
    }
}

fn view(event: HistoryEvent) -> EventView {
    let since = match &event.happened {
        Happened::Moved(moved) => moved.no_primary_since,
        _ => None,
    };
    let without_primary_ms = since.map(|since| event.head.at.0.since(since.0));
    EventView { event, promoted_at: None, promoted_to_moved_ms: None, without_primary_ms }
}

/// The move, if endpoints have followed a promotion.
fn promoted(event: &HistoryEvent) -> Option<&MoveEvent> {
    match &event.happened {
        Happened::Moved(moved) => {
            let follows =
                matches!(moved.cause, MoveCause::Failover | MoveCause::Switchover | MoveCause::Late);
            follows.then_some(moved)
        }
        _ => None,
    }
}

/// Whether the end of that timeline was the promotion of the primary that endpoints were moved to. After a restore two
/// timelines may have one number, but hardly one leader.
fn is_promotion(end: &TimelineEnd, moved: &MoveEvent) -> bool {
    let is_next = moved.timeline.is_some_and(|timeline| Some(timeline.0) == end.timeline.0.checked_add(1));
    let is_same = end.new_leader.is_none() || moved.member.is_none() || end.new_leader == moved.member;
    is_next && is_same
}

/// The gaps in the numbers since the counting began: events that waited too long to be stored, and made room for others.
fn missing(events: &[HistoryEvent]) -> Option<String> {
    let begun = events.iter().rposition(|event| event.head.number == 1).unwrap_or(0);
    let numbers: BTreeSet<u64> = events[begun..].iter().map(|event| event.head.number).collect();
    let span = numbers.last()?.saturating_sub(*numbers.first()?) + 1;
    let missing = span.saturating_sub(u64::try_from(numbers.len()).unwrap_or(u64::MAX));
    (missing > 0).then(|| format!("events that could not be stored: {missing}; the log has them"))
}
