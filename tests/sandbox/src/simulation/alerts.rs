//! Invariant 12, alert once, and what the history has of it.

use std::collections::BTreeSet;

use repoint_domain::history::{Happened, HistoryEvent};
use repoint_domain::state::{ConditionKind, OutboxMessage};

use super::invariants::{Invariant, Invariants};
use super::world::World;
use crate::Millis;

/// A save has put messages into the outbox: each is in its turn, and each topic has those that it takes.
pub(super) fn check_outbox(world: &mut World, now: Millis, after: &[OutboxMessage]) {
    let known: BTreeSet<&str> = world.state.outbox.iter().map(|message| message.id.as_str()).collect();
    let new: Vec<OutboxMessage> =
        after.iter().filter(|message| !known.contains(message.id.as_str())).cloned().collect();
    for message in &new {
        posted(&mut world.invariants, now, message);
    }
    let [of_first, of_pages] = [true, false].map(|is_first| {
        let of_topic = new.iter().filter(move |message| message.topic.is_none() == is_first);
        let pages = of_topic.filter(|message| word(message, "severity") != "info");
        pages.map(|message| [word(message, "dedup_key"), word(message, "status")]).collect::<BTreeSet<_>>()
    });
    if of_first != of_pages {
        let how = format!("one topic is to get {of_first:?}, and the other {of_pages:?}");
        world.invariants.violated(now, Invariant::AlertOnce, how);
    }
}

fn word(message: &OutboxMessage, name: &str) -> String {
    message.attributes.get(name).cloned().unwrap_or_default()
}

/// The id of the event that a message is about: that of a topic with a name has the topic's number after it.
fn event_id(message: &OutboxMessage) -> String {
    let of_event = message.id.rsplit_once('-').filter(|_| message.topic.is_some());
    of_event.map_or_else(|| message.id.clone(), |(id, _)| id.to_owned())
}

/// A condition's messages go triggered, perhaps reminders, resolved, and again from the start.
fn posted(invariants: &mut Invariants, now: Millis, message: &OutboxMessage) {
    if word(message, "status") != "reminder" {
        invariants.alerted.insert(event_id(message));
    }
    if word(message, "event") == "retargeted" {
        if message.topic.is_some() {
            invariants.violated(now, Invariant::AlertOnce, "an alarm was made of a move, which has no end");
        }
        return;
    }
    let status = word(message, "status");
    let last = invariants.posted.insert((message.topic.clone(), word(message, "dedup_key")), status.clone());
    let is_open = last.is_some_and(|last| last != "resolved");
    if is_open == (status == "triggered") {
        invariants.violated(now, Invariant::AlertOnce, format!("`{}` is out of turn", message.subject));
    }
}

/// What was alerted is in the history once. What else is there are adoptions, and what another entry of the same name has
/// alerted of that.
pub(super) fn check_history(world: &mut World, now: Millis) {
    if !world.state.pending_events.is_empty() {
        let how = format!("events still wait to be stored: {:?}", world.state.pending_events);
        return world.invariants.violated(now, Invariant::Recorded, how);
    }
    let is_alerted = |event: &HistoryEvent| match &event.happened {
        Happened::Adopted(_) => false,
        Happened::Condition(condition) => {
            condition.condition != ConditionKind::StateOfOtherEndpoints.as_str()
        }
        Happened::Moved(_) | Happened::Unrecognized => true,
    };
    let events = world.table.history(&world.resources.spec.name);
    let events = events.values().filter_map(|json| serde_json::from_str::<HistoryEvent>(json).ok());
    let mut ids: Vec<String> = events.filter(is_alerted).map(|event| event.head.id).collect();
    ids.sort();
    if ids != world.invariants.alerted.iter().cloned().collect::<Vec<_>>() {
        let how = format!("alerted: {:?}, in the history: {ids:?}", world.invariants.alerted);
        world.invariants.violated(now, Invariant::Recorded, how);
    }
}
