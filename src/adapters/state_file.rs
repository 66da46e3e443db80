//! Memory in a file, for one machine.
//!
//! Law: the file is always whole. A save takes the lock, reads, checks the revision, writes a new file beside the old
//! one, syncs it, and renames it over the old one. A file that cannot be read is never replaced: it may hold the only
//! record of the highest timeline.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::domain::cluster::Scope;
use crate::domain::failure::{Failure, Kind};
use crate::domain::memory::Memory;
use crate::domain::world::Read;
use crate::ports::Store;

/// The version of the file's shape; it rises when an older repoint could not read it.
const VERSION: u32 = 1;
const READ: &str = "reading the state file";
const WRITE: &str = "writing the state file";
/// The lock is held for milliseconds, unless its holder was stopped.
const LOCKED_FOR: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A file with the memory of every cluster that this machine looks after.
#[derive(Clone)]
pub struct StateFile {
    path: PathBuf,
    /// Clusters of this process take their turns here; the lock on the file is between processes.
    turn: Arc<Mutex<()>>,
}

/// What the file holds. The version is read first, since the rest may mean something else in another one.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    clusters: BTreeMap<Scope, Memory>,
}

impl StateFile {
    /// Keeps memory at `path`, whose folder is made if it is missing. Nothing is touched yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, turn: Arc::default() }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }

    /// The lock, on a file of its own: the state file itself is replaced at each save.
    async fn lock(&self) -> Result<File, Failure> {
        let path = self.beside(".lock");
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| io(WRITE, folder, &error))?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| io(WRITE, &path, &error))?;
        let until = Instant::now() + LOCKED_FOR;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(io(WRITE, &path, &error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    let message = format!(
                        "another process has held the lock for {} s: it hangs or was stopped; find it with `fuser {}`",
                        LOCKED_FOR.as_secs(),
                        path.display()
                    );
                    return Err(failure(Kind::Unavailable, WRITE, &path, message));
                }
                Err(TryLockError::WouldBlock) => sleep(LOOK_EVERY).await,
            }
        }
    }
}

#[async_trait]
impl Store for StateFile {
    async fn load(&self, scope: &Scope) -> Read<Memory> {
        let (path, scope) = (self.path.clone(), scope.clone());
        blocking(READ, &self.path, move || Ok(read(&path)?.clusters.remove(&scope).unwrap_or_default())).await
    }

    async fn save(&self, scope: &Scope, memory: &Memory) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        let lock = self.lock().await?;
        let (path, draft) = (self.path.clone(), self.beside(".new"));
        let (scope, memory) = (scope.clone(), memory.clone());
        blocking(WRITE, &self.path, move || {
            let mut contents = read(&path)?;
            let stored = contents.clusters.get(&scope).map_or(0, |stored| stored.revision);
            if stored + 1 != memory.revision {
                let message = format!("revision {stored} is stored, and {} was to follow", memory.revision);
                return Err(failure(Kind::Conflict, WRITE, &path, message));
            }
            contents.clusters.insert(scope, memory);
            write(&path, &draft, &contents)?;
            drop(lock);
            Ok(())
        })
        .await
    }
}

/// Runs what may wait for a disk where it stops nobody else.
async fn blocking<T: Send + 'static>(
    call: &'static str,
    path: &Path,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(failure(Kind::Unavailable, call, path, error.to_string())))
}

fn read(path: &Path) -> Result<Contents, Failure> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Contents { version: VERSION, ..Contents::default() });
        }
        Err(error) => return Err(io(READ, path, &error)),
    };
    let damaged = |error: serde_json::Error| {
        let message = format!(
            "it is damaged ({error}), and was left as it is; restore it from a backup, or move it away: repoint then begins \
             anew and takes each cluster as it finds it, so check first with `patronictl list` that the right primary leads"
        );
        failure(Kind::Invalid, READ, path, message)
    };
    let Version { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version != VERSION {
        let message = format!(
            "it has version {version}, and this repoint knows version {VERSION}: a newer repoint wrote it, so run that one"
        );
        return Err(failure(Kind::Invalid, READ, path, message));
    }
    serde_json::from_slice(&bytes).map_err(damaged)
}

/// Writes a draft, syncs it, renames it, and syncs the folder: after a crash at any point there is the old file or the
/// new one.
fn write(path: &Path, draft: &Path, contents: &Contents) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec_pretty(contents)
        .map_err(|error| failure(Kind::Invalid, WRITE, path, error.to_string()))?;
    bytes.push(b'\n');
    let put = || {
        let mut file = File::create(draft)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(draft, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    put().map_err(|error| io(WRITE, path, &error))
}

fn io(call: &str, path: &Path, error: &std::io::Error) -> Failure {
    let kind = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            let message = format!(
                "{error}: run repoint as the user that may write there, or name another place with `[state] file`"
            );
            return failure(Kind::Invalid, call, path, message);
        }
        _ => Kind::Unavailable,
    };
    failure(kind, call, path, error.to_string())
}

fn failure(kind: Kind, call: &str, path: &Path, message: String) -> Failure {
    Failure { kind, call: call.to_owned(), resource: path.display().to_string(), message }
}
