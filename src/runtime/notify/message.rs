//! The messages of alerts, each in its topic's format and within its size.

use serde::Serialize;
use serde_json::json;

use repoint_domain::alerts::{Alarm, Alert, AlertTopic, CUTS, Format, Notification};
use repoint_domain::state::{MOST_MESSAGE_BYTES, OutboxMessage, clipped};
use repoint_domain::values::timestamp::Timestamp;

/// What all messages of one pass may take together, in bytes: the outbox has room for older ones beside them.
const MESSAGES_BYTES: usize = 96 * 1024;
/// The least that is left to each.
const LEAST_BYTES: usize = 3 * 1024;

/// A message for each alert and each topic that takes it, claimed by the process `identity`. `id` has the id of the event that
/// an alert is about.
#[must_use]
pub fn messages(
    alerts: &[Alert],
    topics: &[AlertTopic],
    id: impl Fn(usize) -> String,
    identity: &str,
    now: Timestamp,
) -> Vec<OutboxMessage> {
    let pairs = alerts
        .iter()
        .enumerate()
        .flat_map(|alert| topics.iter().enumerate().map(move |topic| (alert, topic)));
    let taken: Vec<_> = pairs.filter(|((_, alert), (_, topic))| topic.takes(alert)).collect();
    let bytes = MESSAGES_BYTES / taken.len().max(1);
    let message = |((index, alert), (place, topic)): ((usize, &Alert), (usize, &AlertTopic))| {
        let (id, name) = (id(index), topic.name_in(topics));
        OutboxMessage {
            id: if name.is_some() { format!("{id}-{place}") } else { id },
            topic: name,
            claimed_by: identity.to_owned(),
            claimed_at: now,
            ..message(alert, topic, bytes)
        }
    };
    taken.into_iter().map(message).collect()
}

/// The message of an alert in the format of a topic, not claimed yet; its body has no more than so many bytes, or
/// the least.
#[must_use]
pub fn message(alert: &Alert, topic: &AlertTopic, bytes: usize) -> OutboxMessage {
    let bytes = bytes.clamp(LEAST_BYTES, MOST_MESSAGE_BYTES);
    let (subject, body) = match topic.format {
        Format::Text => {
            (alert.subject.clone(), document(alert, bytes, |text, json| format!("{text}\n{json}\n")))
        }
        Format::Json => (alert.subject.clone(), document(alert, bytes, |_, json| json.to_owned())),
        Format::Chatbot => (alert.subject.clone(), notification(alert, bytes)),
        Format::Cloudwatch => {
            let alarm = Alarm::of(alert, &topic.arn);
            (alarm.subject(alert), json_of(&alarm))
        }
    };
    OutboxMessage {
        id: String::new(),
        topic: None,
        subject,
        body,
        attributes: alert.document.attributes(),
        claimed_by: String::new(),
        claimed_at: Timestamp(0),
    }
}

fn json_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string())
}

/// The body from text and document, with as much of the report as there is room for.
fn document(alert: &Alert, bytes: usize, body: fn(&str, &str) -> String) -> String {
    let whole = |alert: &Alert| body(&alert.text(), &json_of(&alert.document));
    let uncut = whole(alert);
    if uncut.len() <= bytes {
        return uncut;
    }
    let mut cut = CUTS.iter().map(|others| whole(&alert.cut_to(*others)));
    let fits = cut.find(|body| body.len() <= bytes).unwrap_or_else(|| whole(&alert.cut_to(0)));
    if fits.len() <= MOST_MESSAGE_BYTES {
        return fits;
    }
    // Only names can be so long.
    body(&clipped(&alert.text(), LEAST_BYTES), &json_of(&alert.document.attributes()))
}

fn notification(alert: &Alert, bytes: usize) -> String {
    let mut bodies = Notification::LIMITS.iter().map(|most| json_of(&Notification::of(alert, *most)));
    let least = Notification::LIMITS[Notification::LIMITS.len() - 1];
    bodies.find(|body| body.len() <= bytes).unwrap_or_else(|| json_of(&Notification::of(alert, least)))
}
