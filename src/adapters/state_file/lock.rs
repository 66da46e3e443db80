//! Lock files beside the state file.
//!
//! Law: a lock is for those who may write the state. A process that may open a lock file can hold it for ever, so
//! no other user may open it. A link is not followed: in a folder that others write to, it leads anywhere.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::place;

/// Before anything is known of the state file's own mode.
const MODE: u32 = 0o660;

/// The lock of a job, held until it is dropped or its process ends, in whichever way.
#[derive(Debug)]
pub struct JobLock(#[expect(dead_code, reason = "it is held, not used")] File);

/// Takes the lock of a job beside the state file at `state`; `None` if another process has it. A job is called by its
/// digest.
///
/// # Errors
/// If the lock cannot be made or taken there, or if any user may write to the folder.
pub fn try_lock(state: &Path, job: &str) -> Result<Option<JobLock>, Error> {
    let real = place::real(state).map_err(|why| Error::new(ErrorKind::InvalidInput, why))?;
    let path = place::beside(&real, &suffix(job));
    let folder = place::folder_of(&path);
    fs::create_dir_all(folder)?;
    if place::is_for_all(folder)? {
        let message = format!("any user may write to {}", folder.display());
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let file = open(&path, &real)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(JobLock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Where the lock of a job lies.
#[must_use]
pub fn job_path(state: &Path, job: &str) -> PathBuf {
    let real = place::real(state).unwrap_or_else(|_| state.to_owned());
    place::beside(&real, &suffix(job))
}

fn suffix(job: &str) -> String {
    format!(".job-{job}.lock")
}

/// Opens the lock file at `path`, and makes it if there is none, for those who may write `state`.
pub(super) fn open(path: &Path, state: &Path) -> Result<File, Error> {
    // A named pipe would wait for its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(MODE)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(code) if code == Errno::LOOP.raw_os_error() => {
                Error::new(ErrorKind::InvalidInput, "it is a symbolic link, and locks are none: remove it")
            }
            _ => error,
        })?;
    if !file.metadata()?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is no regular file: remove it"));
    }
    place::own(&file, state, path, mode);
    Ok(file)
}

/// The mode of a lock: who may write the state reads and writes it, and nobody else.
fn mode(state: u32) -> u32 {
    let writers = state & 0o222;
    writers | writers << 1
}
