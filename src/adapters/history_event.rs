//! Reading a stored event, of whichever version.

use repoint_domain::history::{Head, HistoryEvent, VERSION};

/// An event, of which this version may know no more than its head.
///
/// # Errors
/// If it is damaged.
pub fn parse(json: &str) -> Result<HistoryEvent, serde_json::Error> {
    let head: Head = serde_json::from_str(json)?;
    if head.version > VERSION {
        return Ok(HistoryEvent::unrecognized(head));
    }
    serde_json::from_str(json)
}
