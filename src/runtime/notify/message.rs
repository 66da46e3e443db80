//! The message of an alert, within its size.

use std::collections::BTreeMap;

use serde_json::json;

use repoint_domain::alerts::{Alert, CUTS};
use repoint_domain::state::{MOST_MESSAGE_BYTES, OutboxMessage, clipped};
use repoint_domain::values::timestamp::Timestamp;

/// What all messages of one pass may take together, in bytes: the outbox has room for older ones beside them.
pub(super) const MESSAGES_BYTES: usize = 96 * 1024;
/// The least that is left to each.
const LEAST_BYTES: usize = 3 * 1024;

/// The message of an alert, claimed by this process; its body has no more than so many bytes, or the least.
pub(super) fn message(
    alert: &Alert,
    id: String,
    bytes: usize,
    identity: &str,
    now: Timestamp,
) -> OutboxMessage {
    OutboxMessage {
        id,
        subject: alert.subject.clone(),
        body: body(alert, bytes.clamp(LEAST_BYTES, MOST_MESSAGE_BYTES)),
        attributes: alert.document.attributes(),
        claimed_by: identity.to_owned(),
        claimed_at: now,
    }
}

/// Text, and then the JSON document on the last line; cut until both fit.
fn body(alert: &Alert, bytes: usize) -> String {
    let whole = |alert: &Alert| {
        let json = serde_json::to_string(&alert.document);
        let json = json.unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string());
        format!("{}\n{json}\n", alert.text)
    };
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
    let document: BTreeMap<String, String> = alert.document.attributes();
    format!("{}\n{}\n", clipped(&alert.text, LEAST_BYTES), json!(document))
}
