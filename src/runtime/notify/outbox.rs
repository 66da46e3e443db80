//! Which messages of the outbox this process takes on, and which ones have no topic any more.

use crate::ports::Ports;
use repoint_domain::alerts::AlertTopic;
use repoint_domain::state::{OutboxMessage, State};
use repoint_domain::values::timestamp::Timestamp;

/// A process that claimed a message that long ago has failed to publish it.
const CLAIMED_FOR_MS: u64 = 60 * 1000;
/// Where a process still has the topic of a message in its configuration, it has tried the message within this time.
const UNTRIED_FOR_MS: u64 = 60 * 60 * 1000;

/// The next state, in which this process claims the messages that no other process publishes any more and whose topics it
/// knows. `None` if there is nothing to save. The subjects of the messages that it gives up are put into `dropped`.
pub(super) fn with_claims(
    state: &State,
    updated: Option<State>,
    ports: &Ports,
    now: Timestamp,
    dropped: &mut Vec<String>,
) -> Option<State> {
    let claims = |message: &OutboxMessage| {
        let is_free = message.claimed_by.is_empty() || now.is_past(message.claimed_at, CLAIMED_FOR_MS);
        is_free && is_configured(message, ports)
    };
    let is_lost = |message: &OutboxMessage| {
        let is_named = message.topic.is_some();
        is_named && !is_configured(message, ports) && now.since(message.claimed_at) > UNTRIED_FOR_MS
    };
    dropped.clear();
    if updated.is_none() && !state.outbox.iter().any(|message| claims(message) || is_lost(message)) {
        return None;
    }
    let mut next = updated.unwrap_or_else(|| State { revision: state.revision + 1, ..state.clone() });
    let lost = next.outbox.iter().filter(|message| is_lost(message));
    dropped.extend(lost.map(|message| {
        let topic = message.topic.as_deref().unwrap_or_default();
        format!(
            "an alert was dropped, because its topic {topic} is no longer configured: {}",
            message.subject
        )
    }));
    next.outbox.retain(|message| !is_lost(message));
    for message in next.outbox.iter_mut().filter(|message| claims(message)) {
        message.claimed_by.clone_from(&ports.identity);
        message.claimed_at = now;
    }
    Some(next)
}

fn is_configured(message: &OutboxMessage, ports: &Ports) -> bool {
    AlertTopic::named(&ports.alert_topics, message.topic.as_deref()).is_some()
}
