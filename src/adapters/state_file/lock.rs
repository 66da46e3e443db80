//! Lock files beside the state file.
//!
//! Only users that may write the state may open a lock: a process that can open a lock file can hold it for ever. A
//! symbolic link is not followed: in a folder that other users can write to, it may lead anywhere.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::place;

/// Used until the state file's own mode is known.
const MODE: u32 = 0o660;

/// The lock of a job, held until it is dropped or its process ends.
#[derive(Debug)]
pub struct JobLock(#[expect(dead_code, reason = "held for its lifetime")] File);

/// Takes the lock of a job beside the state file at `state`; `None` if another process has it. `job` is the digest of
/// the job.
///
/// # Errors
/// If the lock cannot be created or taken, or if every user may write to the folder.
pub fn try_lock(state: &Path, job: &str) -> Result<Option<JobLock>, Error> {
    let real = place::real(state).map_err(|why| Error::new(ErrorKind::InvalidInput, why))?;
    let path = place::beside(&real, &suffix(job));
    let folder = place::folder_of(&path);
    fs::create_dir_all(folder)?;
    if place::is_for_all(folder)? {
        let message = format!("every user may write to {}", folder.display());
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let file = open(&path, &real)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(JobLock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The path of a job's lock.
#[must_use]
pub fn job_path(state: &Path, job: &str) -> PathBuf {
    let real = place::real(state).unwrap_or_else(|_| state.to_owned());
    place::beside(&real, &suffix(job))
}

fn suffix(job: &str) -> String {
    format!(".job-{job}.lock")
}

/// Opens or creates the lock file at `path`, for the users that may write `state`.
pub(super) fn open(path: &Path, state: &Path) -> Result<File, Error> {
    // Opening a named pipe would block until its other end is opened.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(MODE)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(code) if code == Errno::LOOP.raw_os_error() => Error::new(
                ErrorKind::InvalidInput,
                "it is a symbolic link, which a lock must not be: remove it",
            ),
            _ => error,
        })?;
    if !file.metadata()?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file: remove it"));
    }
    place::own(&file, state, path, mode);
    Ok(file)
}

/// The mode of a lock: readable and writable for the users that may write the state, and for no other.
fn mode(state: u32) -> u32 {
    let writers = state & 0o222;
    writers | writers << 1
}
