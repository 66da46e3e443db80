//! How large the state may become.
//!
//! Invariant 10 (bounded): `DynamoDB` takes no item above 400 KB, and then nothing is saved any more, not even a commit: the next
//! failover would be held. So everything that grows is kept far below that, whatever happens. Sizes are those in JSON.

use std::collections::BTreeMap;

use super::changes::bound_changes;
use super::{
    Condition, KnownMember, KnownMembers, OutboxMessage, PendingEvent, Raw, Severity, State, SurplusTarget,
    Unknown,
};
use crate::values::target::GroupKind;

/// The most that the state of one cluster takes, in bytes of JSON.
pub const MOST_BYTES: usize = 288 * 1024;
/// The most messages that wait.
pub const MOST_MESSAGES: usize = 64;
/// The most that all of them take.
const MOST_OUTBOX_BYTES: usize = 128 * 1024;
/// The most that one message's subject and body take: SNS takes 256 KiB, with the attributes.
pub const MOST_MESSAGE_BYTES: usize = 32 * 1024;
/// The most events that wait to be stored, and the most that all of them take; the oldest go first. A pass rarely makes more
/// than three, and they wait longer than a second only while the history's store is unavailable.
const MOST_PENDING_EVENTS: usize = 32;
const MOST_PENDING_BYTES: usize = 32 * 1024;
/// The most that one event takes: the changes of some ten endpoints.
pub const MOST_EVENT_BYTES: usize = 4 * 1024;
/// The most that all conditions take.
const MOST_CONDITION_BYTES: usize = 64 * 1024;
/// The most that the members of all sites take, and one of them.
const MOST_MEMBER_BYTES: usize = 32 * 1024;
const ONE_MEMBER_BYTES: usize = 2 * 1024;
/// The most that all targets take that belong to no member.
const MOST_SURPLUS_BYTES: usize = 16 * 1024;
/// The most that the kinds of all target groups take: some ten groups.
const MOST_KIND_BYTES: usize = 4 * 1024;
/// The most that the message of a condition takes.
pub const MOST_SENTENCE_BYTES: usize = 700;
/// The most that a name takes by which conditions are distinguished.
pub const MOST_SUBJECT_BYTES: usize = 400;
/// The most causes of moves that are counted, and the longest name of one. There are eight.
const MOST_CAUSES: usize = 32;
const CAUSE_BYTES: usize = 64;
/// Braces, names of fields and numbers.
const FRAME: usize = 200;

impl State {
    /// The same, within its bounds.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.bound_outbox();
        bound_conditions(&mut self.conditions);
        bound_surplus(&mut self.surplus);
        bound_changes(&mut self.changes);
        bound_kinds(&mut self.group_kinds);
        self.retargets.counts.retain(|cause, _| cause.len() <= CAUSE_BYTES);
        while self.retargets.counts.len() > MOST_CAUSES {
            self.retargets.counts.pop_last();
        }
        self.retargets.bound_last();
        let mut left = MOST_MEMBER_BYTES;
        bound_members(&mut self.members, &mut left);
        for members in self.members_of_sites.values_mut() {
            bound_members(members, &mut left);
        }
        if let Some(primary) = &mut self.primary {
            primary.member.take_if(|member| weight(member.as_str()) > ONE_MEMBER_BYTES);
            primary.address.take_if(|address| weight(&address.host) > ONE_MEMBER_BYTES);
        }
        if let Some(moves) = self.lease.as_mut().and_then(|lease| lease.moves.as_mut()) {
            moves.previous = moves.previous.take().map(|previous| clipped(&previous, MOST_SUBJECT_BYTES));
        }
        self
    }

    /// Puts a message into the outbox.
    pub fn post(&mut self, message: OutboxMessage) {
        self.outbox.push(message);
        self.bound_outbox();
    }

    /// Puts an event where it waits to be stored.
    pub fn keep_event(&mut self, event: PendingEvent) {
        self.last_event = event.number;
        self.pending_events.push(event);
        let mut left = MOST_PENDING_BYTES;
        let fits = |event: &&PendingEvent| {
            left = left.saturating_sub(weight(&event.json) + FRAME);
            left > 0
        };
        let kept = self.pending_events.iter().rev().take(MOST_PENDING_EVENTS).take_while(fits).count();
        self.pending_events.drain(..self.pending_events.len() - kept);
    }

    /// The oldest go first, of the topic that has the most bytes: a topic that refuses its messages for days takes no room
    /// from the others.
    fn bound_outbox(&mut self) {
        let mut by_topic: BTreeMap<Option<String>, usize> = BTreeMap::new();
        for message in &self.outbox {
            *by_topic.entry(message.topic.clone()).or_default() += weight_of_message(message);
        }
        while self.outbox.len() > MOST_MESSAGES || by_topic.values().sum::<usize>() >= MOST_OUTBOX_BYTES {
            let Some((topic, bytes)) = by_topic.iter_mut().max_by_key(|(_, bytes)| **bytes) else { return };
            let Some(oldest) = self.outbox.iter().position(|message| message.topic == *topic) else { return };
            *bytes -= weight_of_message(&self.outbox.remove(oldest));
        }
    }
}

/// What was alerted is kept longest, since its end is to be alerted too; then what is critical.
fn bound_conditions(conditions: &mut Vec<Condition>) {
    let mut total: usize = conditions.iter().map(weight_of_condition).sum();
    while total > MOST_CONDITION_BYTES {
        let worth = |condition: &Condition| {
            (condition.notified.is_some(), condition.kind.severity() == Severity::Critical)
        };
        let least = conditions.iter().map(worth).min();
        let place = conditions.iter().rposition(|condition| Some(worth(condition)) == least);
        let Some(place) = place else { return };
        total -= weight_of_condition(&conditions.remove(place));
    }
}

/// The newest go first: what counts is how long the others have been there.
fn bound_surplus(surplus: &mut Vec<SurplusTarget>) {
    let weight_of = |known: &SurplusTarget| weight(&known.group) + weight(&known.target.id) + FRAME;
    let mut total: usize = surplus.iter().map(weight_of).sum();
    while total > MOST_SURPLUS_BYTES {
        let newest = (0..surplus.len()).max_by_key(|at| surplus[*at].since);
        let Some(newest) = newest else { return };
        total -= weight_of(&surplus.remove(newest));
    }
}

/// What is left out is read before it is changed.
fn bound_kinds(kinds: &mut BTreeMap<String, GroupKind>) {
    let mut left = MOST_KIND_BYTES;
    kinds.retain(|arn, kind| {
        let vpc = kind.vpc.as_ref().map_or(0, |vpc| weight(vpc.as_str()));
        let weight = weight(arn) + vpc + FRAME;
        let fits = weight <= left;
        left -= if fits { weight } else { 0 };
        fits
    });
}

fn bound_members(members: &mut KnownMembers, left: &mut usize) {
    members.retain(|name, known| {
        let KnownMember { api_url, address } = known;
        let url = api_url.as_ref().map_or(0, |url| weight(&url.to_string()));
        let host = address.as_ref().map_or(0, |address| weight(&address.host));
        let weight = weight(name.as_str()) + url + host + FRAME;
        let fits = weight <= ONE_MEMBER_BYTES && weight <= *left;
        *left -= if fits { weight } else { 0 };
        fits
    });
}

/// A text of no more than so many bytes; what was cut is said.
#[must_use]
pub fn clipped(text: &str, most: usize) -> String {
    const CUT: &str = "... (cut)";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = most.saturating_sub(CUT.len());
    let end = (0..=end).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{CUT}", &text[..end])
}

/// The bytes of a string in JSON.
fn weight(text: &str) -> usize {
    let of_byte = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(of_byte).sum::<usize>() + 4
}

fn weight_of_message(message: &OutboxMessage) -> usize {
    let attributes: usize =
        message.attributes.iter().map(|(name, value)| weight(name) + weight(value) + 4).sum();
    let OutboxMessage { id, topic, subject, body, claimed_by, .. } = message;
    let topic = topic.as_deref().map_or(0, weight);
    weight(id) + topic + weight(subject) + weight(body) + weight(claimed_by) + attributes + FRAME
}

fn weight_of_condition(condition: &Condition) -> usize {
    let site = condition.site.as_ref().map_or(0, |site| weight(site.as_str()));
    let names = [&condition.subject, &condition.endpoint]
        .into_iter()
        .flatten()
        .chain([&condition.title, &condition.message]);
    names.map(|text| weight(text)).sum::<usize>() + site + weight_of_unknown(&condition.unknown) + FRAME
}

fn weight_of_unknown(unknown: &Unknown) -> usize {
    unknown.iter().map(|(name, raw)| weight(name) + weight_of_raw(raw) + 2).sum()
}

fn weight_of_raw(raw: &Raw) -> usize {
    match raw {
        Raw::Null(()) | Raw::Bool(_) | Raw::Unsigned(_) | Raw::Signed(_) | Raw::Float(_) => 24,
        Raw::Text(text) => weight(text),
        Raw::List(list) => list.iter().map(|raw| weight_of_raw(raw) + 2).sum::<usize>() + 2,
        Raw::Map(map) => weight_of_unknown(map) + 2,
    }
}
