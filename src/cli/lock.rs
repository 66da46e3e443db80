//! One run at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Holds the lock until it is dropped, or its process ends in whichever way.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "it is held, not used")] File);

/// Takes the lock that runs with this configuration share: one on the configuration itself, so that there is no file to
/// be made or left. `None` if another run has it.
pub fn try_lock(config: &Path) -> io::Result<Option<Lock>> {
    let file = File::open(config)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
