//! The history beside the state file: one event a line, the newest last.
//!
//! Events are appended, and not synced: a process that dies loses none, a machine that loses power the last ones. A line that
//! a dying process has left half written is closed by the next one, skipped by readers, and named. When the file has grown, a
//! new one replaces it that has the newest events of each cluster. The state file and its lock are not touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::OFlags;

use super::{StateFile, blocking, io, lock, locked, place};
use crate::adapters::history_event::parse;
use crate::ports::History;
use repoint_domain::history::{HistoryEvent, Reading};
use repoint_domain::observed::Read;
use repoint_domain::state::PendingEvent;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::Failure;

const READ: &str = "reading the history";
const WRITE: &str = "writing the history";
/// The events that are kept of each cluster: a year of one that fails over every third day.
const MOST_OF_A_CLUSTER: usize = 128;
/// A file that has grown beyond this is rewritten.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// What it has at most afterwards: some 16,000 events, or ten for each of 1,600 clusters.
const KEPT_BYTES: usize = 16 * 1024 * 1024;
/// The lock is held for as long as a few lines take, or a rewrite. A pass has a second for all of it.
const LOCKED_FOR: Duration = Duration::from_millis(500);

#[async_trait]
impl History for StateFile {
    async fn store(&self, _entry: &EntryName, events: &[PendingEvent]) -> Result<(), Failure> {
        let lines: String = events.iter().flat_map(|event| [event.json.as_str(), "\n"]).collect();
        let _turn = self.shared.history_turn.lock().await;
        let real = self.real(WRITE)?;
        let (path, lock_path) = (path(&real), place::beside(&real, ".history.lock"));
        let lock = lock::open(&lock_path, &real).map_err(|error| io(WRITE, &lock_path, &error))?;
        locked(&lock, WRITE, &lock_path, LOCKED_FOR).await?;
        let write = move || {
            let _lock = lock;
            append(&real, &path, &lines).map_err(|error| io(WRITE, &path, &error))
        };
        blocking(WRITE, &self.path, write).await
    }

    async fn stored(
        &self,
        last_events: &BTreeMap<EntryName, u64>,
        most: Option<u64>,
    ) -> BTreeMap<EntryName, Read<Reading>> {
        let entries: BTreeSet<EntryName> = last_events.keys().cloned().collect();
        let all = match self.real(READ) {
            Ok(real) => {
                let path = path(&real);
                let wanted = entries.clone();
                let reading = move || read(&path, &wanted).map_err(|error| io(READ, &path, &error));
                blocking(READ, &self.path, reading).await
            }
            Err(failure) => Err(failure),
        };
        let of = |entry: EntryName| {
            let reading = all.as_ref().map(|all| all.get(&entry).cloned().unwrap_or_default());
            let newest = reading.map(|mut reading| {
                if let Some(most) = most {
                    reading.keep_newest(most);
                }
                reading
            });
            (entry, newest.map_err(Clone::clone))
        };
        entries.into_iter().map(of).collect()
    }
}

fn path(state: &Path) -> PathBuf {
    place::beside(state, ".history")
}

/// Appends lines, and rewrites the file if it has grown too large.
fn append(state: &Path, path: &Path, lines: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)?;
    place::own(&file, state, path, |mode| mode);
    let length = file.metadata()?.len();
    let mut text = String::new();
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        text.push_str(if last == *b"\n" { "" } else { "\n" });
    }
    text.push_str(lines);
    // One call, so that a process that dies leaves at most the last line half written.
    file.write_all(text.as_bytes())?;
    if file.metadata()?.len() > MOST_BYTES { rewrite(state, path) } else { Ok(()) }
}

/// Replaces the file by one that has the newest events of each cluster. After a crash at any point there is the old file or
/// the new one.
fn rewrite(state: &Path, path: &Path) -> std::io::Result<()> {
    let bytes = fs::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut of_cluster: BTreeMap<EntryName, usize> = BTreeMap::new();
    let (mut seen, mut kept, mut left) = (BTreeSet::new(), Vec::new(), KEPT_BYTES);
    for line in text.lines().rev() {
        let Ok(event) = parse(line) else { continue };
        let count = of_cluster.entry(event.head.cluster).or_default();
        if *count < MOST_OF_A_CLUSTER && line.len() < left && seen.insert(line) {
            (*count, left) = (*count + 1, left - line.len() - 1);
            kept.push(line);
        }
    }
    let draft = place::beside(path, ".new");
    let mut file = place::create(&draft)?;
    place::own(&file, state, &draft, |mode| mode);
    for line in kept.into_iter().rev() {
        writeln!(file, "{line}")?;
    }
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// The events of these entries. A line that cannot be read may be of any of them, and is named for each.
fn read(path: &Path, entries: &BTreeSet<EntryName>) -> std::io::Result<BTreeMap<EntryName, Reading>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => {
            file.read_to_end(&mut bytes)?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    }
    let mut readings: BTreeMap<EntryName, Reading> = BTreeMap::new();
    for (index, line) in
        String::from_utf8_lossy(&bytes).lines().enumerate().filter(|(_, line)| !line.is_empty())
    {
        match parse(line) {
            Ok(event) => note(&mut readings, entries, event),
            Err(error) => {
                let damage = format!("line {} of {} is damaged ({error})", index + 1, path.display());
                for entry in entries {
                    readings.entry(entry.clone()).or_default().damaged.push(damage.clone());
                }
            }
        }
    }
    Ok(readings)
}

fn note(readings: &mut BTreeMap<EntryName, Reading>, entries: &BTreeSet<EntryName>, event: HistoryEvent) {
    if let Some(entry) = entries.get(&event.head.cluster) {
        readings.entry(entry.clone()).or_default().events.push(event);
    }
}
