//! State in a file, for one machine.
//!
//! The file is always complete. A save takes the lock, reads, checks the revision, writes a new file beside the old
//! one, syncs it, and renames it over the old one. An unreadable file is never replaced: it may hold the only record
//! of the highest timeline; nor is the state of an entry that cannot be read, whatever else the file has. Cached contents are
//! used only while the file on disk is the one that was read.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{BufWriter, ErrorKind, Read as _, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, sleep};

use crate::ports::Store;
use repoint_domain::observed::Read;
use repoint_domain::state::{State, Unknown};
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::failure::{Failure, Kind};

mod history;
pub mod lock;
mod place;

/// The version of the file's format. It rises when something is added; an older repoint keeps what it does not know.
const VERSION: u32 = 1;
/// The oldest version that can read this format. It rises when the meaning of something changes.
const MIN_READER: u32 = 1;
const READ: &str = "reading the state file";
const WRITE: &str = "writing the state file";
/// What a line of a state begins with, two levels deep in the file.
const INDENT: &str = "\n    ";
/// The lock is held for milliseconds, unless its holder is stopped. A save gives up later than this, so that it
/// reports the lock and not a timeout: a pass has 2 s for the first save of its alerts.
const LOCKED_FOR: Duration = Duration::from_millis(1500);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A file with the state of every cluster of this machine.
#[derive(Clone)]
pub struct StateFile {
    path: PathBuf,
    shared: Arc<Shared>,
}

/// What the clusters of this process share.
#[derive(Default)]
struct Shared {
    /// Held by the writer of this process; the lock on the file is between processes.
    turn: Mutex<()>,
    /// Held by the reader: a thousand clusters that load at once would take a thread each, to wait for one another.
    reading: Mutex<()>,
    /// The file as last read or written. The holder may wait for the disk, and for nothing else.
    known: std::sync::Mutex<Option<Known>>,
    /// Pending saves. Saves that are pending together are written together, since a sync takes time.
    waiting: std::sync::Mutex<Vec<Draft>>,
    /// Held by the writer of the history in this process.
    history_turn: Mutex<()>,
}

/// A file whose contents are known.
struct Known {
    /// Kept open, so that the kernel reuses its inode number for no other file.
    _file: File,
    mark: Mark,
    contents: Arc<Contents>,
}

/// Distinguishes a file from a replacement, and from itself before an edit.
#[derive(PartialEq, Eq)]
struct Mark {
    device: u64,
    number: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The path of a state file that is locked against other processes, wherever its symbolic link leads meanwhile.
struct Locked {
    real: PathBuf,
    _lock: File,
}

/// A pending save.
struct Draft {
    entry: EntryName,
    state: State,
    reply: oneshot::Sender<Result<(), Failure>>,
}

/// The contents of the file. The versions are read first, since the rest may have another meaning in a later version.
#[derive(Deserialize)]
struct Version {
    version: u32,
    /// The lowest version that may read it; absent in the first files.
    min_reader: Option<u32>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Contents {
    version: u32,
    #[serde(default = "first")]
    min_reader: u32,
    /// Each as it is written: a thousand take a quarter of the memory so, and what is not read need not be understood.
    clusters: BTreeMap<EntryName, Box<RawValue>>,
    /// Keys of a newer repoint, which are written back.
    #[serde(flatten)]
    unknown: Unknown,
}

fn first() -> u32 {
    1
}

impl Default for Contents {
    fn default() -> Self {
        let clusters = BTreeMap::new();
        Self { version: VERSION, min_reader: MIN_READER, clusters, unknown: Unknown::new() }
    }
}

impl StateFile {
    /// Keeps the state at `path`, whose folder is created if it is missing. Nothing is accessed yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, shared: Arc::default() }
    }

    /// The file itself, symbolic links followed: processes that know it by different paths share it and its lock.
    fn real(&self, call: &str) -> Result<PathBuf, Failure> {
        place::real(&self.path).map_err(|why| failure(Kind::Invalid, call, &self.path, why))
    }

    /// The lock is a separate file, since the state file itself is replaced at each save. Returns it with the file
    /// that it protects.
    async fn lock(&self) -> Result<Locked, Failure> {
        let real = self.real(WRITE)?;
        let path = place::beside(&real, ".lock");
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| io(WRITE, folder, &error))?;
        }
        let file = lock::open(&path, &real);
        let file = file.map_err(|error| io(WRITE, &path, &error))?;
        locked(&file, WRITE, &path, LOCKED_FOR).await?;
        Ok(Locked { real, _lock: file })
    }
}

/// Takes the lock of a file that is opened for it.
async fn locked(file: &File, call: &str, path: &Path, within: Duration) -> Result<(), Failure> {
    let until = Instant::now() + within;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(unlockable(path, &error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                let message = format!(
                    "another process has held the lock for {} s: it hangs or is stopped; find it with `fuser {}`",
                    within.as_secs_f32(),
                    path.display()
                );
                return Err(failure(Kind::Unavailable, call, path, message));
            }
            Err(TryLockError::WouldBlock) => sleep(LOOK_EVERY).await,
        }
    }
}

#[async_trait]
impl Store for StateFile {
    async fn load(&self, entry: &EntryName) -> Read<State> {
        let (this, entry) = (self.clone(), entry.clone());
        let _turn = self.shared.reading.lock().await;
        let load = move || {
            let contents = this.contents(&this.real(READ)?)?;
            Ok(contents.state(&entry, &this.path)?.unwrap_or_default())
        };
        blocking(READ, &self.path, load).await
    }

    async fn save(&self, entry: &EntryName, state: &State) -> Result<(), Failure> {
        let (reply, answer) = oneshot::channel();
        held(&self.shared.waiting).push(Draft { entry: entry.clone(), state: state.clone(), reply });
        // A task of its own: if this caller gives up, the other saves are written all the same. And a new one each
        // time: no save depends on an earlier task, which may have died.
        tokio::spawn(self.clone().save_waiting());
        let lost =
            |_| Err(failure(Kind::Unavailable, WRITE, &self.path, "the save was abandoned".to_owned()));
        answer.await.unwrap_or_else(lost)
    }

    async fn check(&self, _entry: &EntryName) -> Result<(), Failure> {
        let path = self.real("checking the state file")?;
        let beside = [place::beside(&path, ".lock"), place::beside(&path, ".new")];
        let check = move || {
            place::is_writable(&path, &beside)
                .map_err(|(place, error)| io("checking the state file", &place, &error))
        };
        blocking(WRITE, &self.path, check).await
    }
}

impl StateFile {
    /// Writes all pending saves when its turn comes, unless an earlier turn has written them.
    async fn save_waiting(self) {
        let _turn = self.shared.turn.lock().await;
        if held(&self.shared.waiting).is_empty() {
            return;
        }
        let lock = self.lock().await;
        let drafts = std::mem::take(&mut *held(&self.shared.waiting));
        let this = self.clone();
        let save = move || {
            match lock {
                Ok(locked) => this.save_all(drafts, &locked),
                Err(failure) => drafts.into_iter().for_each(|draft| draft.answer(Err(failure.clone()))),
            }
            Ok(())
        };
        // A caller that is left without an answer sees the closed channel.
        drop(blocking(WRITE, &self.path, save).await);
    }

    /// Writes once what can be saved of the pending saves.
    fn save_all(&self, drafts: Vec<Draft>, locked: &Locked) {
        let contents = match self.contents(&locked.real) {
            Ok(contents) => contents,
            Err(failure) => return drafts.into_iter().for_each(|draft| draft.answer(Err(failure.clone()))),
        };
        let mut contents = Contents::clone(&contents);
        let mut accepted = Vec::new();
        // A caller that has given up has not saved.
        for draft in drafts.into_iter().filter(|draft| !draft.reply.is_closed()) {
            match contents.put(&draft, &self.path) {
                Ok(()) => accepted.push(draft),
                Err(failure) => draft.answer(Err(failure)),
            }
        }
        if accepted.is_empty() {
            return;
        }
        contents.version = contents.version.max(VERSION);
        contents.min_reader = contents.min_reader.max(MIN_READER);
        let written = write(&locked.real, &place::beside(&locked.real, ".new"), &contents).map(|written| {
            let known = written.map(|(file, mark)| Known { _file: file, mark, contents: Arc::new(contents) });
            *held(&self.shared.known) = known;
        });
        for draft in accepted {
            draft.answer(written.clone());
        }
    }

    /// The contents of the file, which are read again only if the file has changed.
    fn contents(&self, real: &Path) -> Result<Arc<Contents>, Failure> {
        let mut known = held(&self.shared.known);
        if let (Some(known), Ok(found)) = (&*known, fs::metadata(real))
            && known.mark == Mark::of(&found)
        {
            return Ok(known.contents.clone());
        }
        *known = None;
        let (file, contents) = read(real)?;
        let contents = Arc::new(contents);
        if let Some((file, mark)) = file {
            *known = Some(Known { _file: file, mark, contents: contents.clone() });
        }
        Ok(contents)
    }
}

impl Contents {
    /// The state of an entry, if it has one.
    fn state(&self, entry: &EntryName, path: &Path) -> Read<Option<State>> {
        let Some(stored) = self.clusters.get(entry) else { return Ok(None) };
        let state = serde_json::from_str(stored.get());
        state.map(Some).map_err(|error| damaged(path, format!("the state of {entry}: {error} of it")))
    }

    /// Replaces the state of an entry, unless another process has done so meanwhile.
    fn put(&mut self, draft: &Draft, path: &Path) -> Result<(), Failure> {
        let Draft { entry, state, .. } = draft;
        let stored = self.state(entry, path)?.map_or(0, |stored| stored.revision);
        if stored + 1 != state.revision {
            let message = format!("the stored revision is {stored}, expected {}", state.revision);
            return Err(failure(Kind::Conflict, WRITE, path, message));
        }
        let text = serde_json::to_string_pretty(state).map(|text| text.replace('\n', INDENT));
        let text = text.and_then(RawValue::from_string);
        let text = text.map_err(|error| failure(Kind::Invalid, WRITE, path, error.to_string()))?;
        self.clusters.insert(entry.clone(), text);
        Ok(())
    }
}

impl Draft {
    /// A caller that has given up does not receive it.
    fn answer(self, result: Result<(), Failure>) {
        drop(self.reply.send(result));
    }
}

impl Mark {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            number: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

/// Values are only replaced, so a panic leaves no partial change.
fn held<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs disk I/O on a thread where it blocks no other task.
async fn blocking<T: Send + 'static>(
    call: &'static str,
    path: &Path,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(failure(Kind::Unavailable, call, path, error.to_string())))
}

/// A file, and its identity at some moment.
type Marked = Option<(File, Mark)>;

/// The contents of the file; a missing file is an empty one.
fn read(path: &Path) -> Result<(Marked, Contents), Failure> {
    let opened = || -> std::io::Result<_> {
        let mut file = File::open(path)?;
        // Taken before the file is read, so that a later change is noticed.
        let mark = Mark::of(&file.metadata()?);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((file, mark, bytes))
    };
    let (file, mark, bytes) = match opened() {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok((None, Contents::default()));
        }
        Err(error) => return Err(io(READ, path, &error)),
    };
    let unreadable = |error: serde_json::Error| damaged(path, error);
    let Version { version, min_reader } = serde_json::from_slice(&bytes).map_err(unreadable)?;
    if min_reader.unwrap_or(version) > VERSION {
        let message = format!(
            "it has version {version}, and this repoint supports version {VERSION}: use the newer repoint that wrote it; it was \
             not changed; do not delete it, it holds the highest timelines"
        );
        return Err(failure(Kind::Invalid, READ, path, message));
    }
    Ok((Some((file, mark)), serde_json::from_slice(&bytes).map_err(unreadable)?))
}

fn damaged(path: &Path, what: impl Display) -> Failure {
    let message = format!(
        "it is damaged ({what}), and was not changed; restore it from a backup, or move it away: repoint then starts with empty \
         state, so check first with `patronictl list` that the right primary leads"
    );
    failure(Kind::Invalid, READ, path, message)
}

/// Writes a draft, syncs it, renames it, and syncs the folder: after a crash at any point there is the old file or
/// the new one.
fn write(path: &Path, draft: &Path, contents: &Contents) -> Result<Marked, Failure> {
    let put = || {
        let file = place::create(draft)?;
        // Before the file has contents.
        place::own(&file, path, draft, |mode| mode);
        let mut text = BufWriter::new(&file);
        serde_json::to_writer_pretty(&mut text, contents)?;
        text.write_all(b"\n")?;
        text.flush()?;
        drop(text);
        file.sync_all()?;
        fs::rename(draft, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(file)
    };
    let file = put().map_err(|error| io(WRITE, path, &error))?;
    // The file is written in any case; at worst it is read again.
    let mark = file.metadata().ok().map(|found| Mark::of(&found));
    Ok(mark.map(|mark| (file, mark)))
}

fn io(call: &str, path: &Path, error: &std::io::Error) -> Failure {
    let kind = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            let message = format!(
                "{error}: run repoint as a user that may write there, or set `[state] file` to another path"
            );
            return failure(Kind::Invalid, call, path, message);
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            let message = format!("{error}: free some space there, or set `[state] file` to another path");
            return failure(Kind::Unavailable, call, path, message);
        }
        _ => Kind::Unavailable,
    };
    failure(kind, call, path, error.to_string())
}

/// A file system without locks cannot exclude other processes.
fn unlockable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!(
        "it cannot be locked ({error}): keep the state file on a local disk, or use `[state] dynamodb_table`"
    );
    failure(Kind::Invalid, WRITE, path, message)
}

fn failure(kind: Kind, call: &str, path: &Path, message: String) -> Failure {
    Failure::new(kind, call, path.display().to_string(), message)
}
