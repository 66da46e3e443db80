//! Events that the lab's other programs record, in lines of `TIME WHAT HOST`, all by this machine's clock.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use crate::wait::wait_until;

/// A failover takes 20 s (`ttl`) and a little.
const TIMEOUT: Duration = Duration::from_mins(1);

pub struct LogEntry {
    /// In seconds since the epoch.
    pub at: f64,
    /// What has happened.
    pub what: String,
    /// To which host.
    pub host: String,
}

impl LogEntry {
    fn from(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let at = words.next()?.parse().ok()?;
        let note = Self { at, what: words.next()?.to_owned(), host: words.next()?.to_owned() };
        Some(note)
    }
}

pub fn now() -> anyhow::Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}

/// Waits for the first entry in `file` of `what` after the time `since`.
pub async fn first(file: &Path, since: f64, what: &str) -> anyhow::Result<LogEntry> {
    wait_until(&format!("{} has an entry {what}", file.display()), TIMEOUT, async || {
        let text = fs::read_to_string(file)?;
        let mut event_log = text.lines().filter_map(LogEntry::from);
        event_log.find(|note| note.at > since && note.what == what).context("no such entry")
    })
    .await
}

/// How many entries of `what` there are in `file` after the time `since`.
pub fn count(file: &Path, since: f64, what: &str) -> anyhow::Result<u32> {
    let text = fs::read_to_string(file)?;
    let noted = text.lines().filter_map(LogEntry::from).filter(|note| note.at > since && note.what == what);
    Ok(u32::try_from(noted.count())?)
}
