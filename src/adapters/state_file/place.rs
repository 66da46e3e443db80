//! The path of the state file, and its owner.
//!
//! Every process that may save leaves the file readable for the others, whatever its user and umask: `sudo repoint
//! adopt` of an operator must not lock the daemon out.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat, statvfs};

/// Room for a file that has grown a little.
const SPARE_BYTES: u64 = 64 * 1024;
/// The kernel follows no more links than that (`path_resolution(7)`).
const MOST_LINKS: u32 = 40;
const ROOT: u32 = 0;
const WRITABLE_BY_ALL: u32 = 0o002;

/// The file itself if the path is a symbolic link: its replacement must be in the same folder.
///
/// # Errors
/// If the link leads nowhere. A missing folder behind a link is not created: its volume may not be mounted, and a new
/// state would begin without the old timeline.
pub(super) fn real(path: &Path) -> Result<PathBuf, String> {
    let mut real = path.to_owned();
    for links in 0..=MOST_LINKS {
        let Ok(target) = fs::read_link(&real) else {
            let folder = folder_of(&real);
            if links > 0 && !folder.exists() {
                return Err(format!(
                    "it is a symbolic link to {}, and the folder {} does not exist: mount the volume, or create the folder",
                    real.display(),
                    folder.display()
                ));
            }
            return Ok(real);
        };
        real = real.parent().unwrap_or(Path::new("")).join(target);
    }
    Err("its symbolic links form a loop: remove the link, or set `[state] file` to another path".to_owned())
}

/// The path beside the state file itself: processes that know it by different paths share it.
pub(super) fn beside(real: &Path, suffix: &str) -> PathBuf {
    let mut name = real.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Creates a new file at `path`. A symbolic link is not followed: in a folder that other users can write to, it may
/// lead anywhere.
pub(super) fn create(path: &Path) -> std::io::Result<File> {
    let flags = if is_for_all(folder_of(path))? { OFlags::NOFOLLOW } else { OFlags::empty() };
    let flags = flags.bits().cast_signed();
    OpenOptions::new().create(true).truncate(true).write(true).custom_flags(flags).open(path)
}

/// Whether every user may create files in a folder.
pub(super) fn is_for_all(folder: &Path) -> std::io::Result<bool> {
    Ok(fs::metadata(folder)?.mode() & WRITABLE_BY_ALL != 0)
}

/// Gives `file`, which is at `at`, the owner and group of the state file, and the mode that `mode` derives from the
/// state file's. If there is no state file yet, it gets those of the folder, as far as the process may change them,
/// as root may.
pub(super) fn own(file: &File, state: &Path, at: &Path, mode: impl Fn(u32) -> u32) {
    let Ok(own) = file.metadata() else { return };
    let model = fs::metadata(state).ok().filter(|model| model.is_file() && own.is_file());
    let mode = mode(model.as_ref().unwrap_or(&own).mode() & 0o777);
    if own.mode() & 0o777 != mode {
        // If this is not permitted, the file belongs to another user, and keeps that user's mode.
        drop(file.set_permissions(Permissions::from_mode(mode)));
    }
    let folder = || fs::metadata(folder_of(at)).ok().filter(|_| own.uid() == ROOT && own.is_file());
    if let Some(model) = model.or_else(folder) {
        give(file, &own, &model);
    }
}

/// Changes to the owner and group of `model`, or at least to its group, if more is not permitted.
fn give(file: &File, own: &Metadata, model: &Metadata) {
    if (own.uid(), own.gid()) == (model.uid(), model.gid()) {
        return;
    }
    if fchown(file, Some(model.uid()), Some(model.gid())).is_err() {
        drop(fchown(file, None, Some(model.gid())));
    }
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Why the state file could not be replaced, as far as that can be checked without writing.
///
/// # Errors
/// Names the path and what is wrong with it.
pub(super) fn is_writable(path: &Path, beside: &[PathBuf]) -> Result<(), (PathBuf, Error)> {
    let mut folder = folder_of(path);
    // A missing file or folder is created by the first save.
    while !folder.exists() {
        let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) else {
            return Ok(());
        };
        folder = above;
    }
    let of = |place: &Path, error: rustix::io::Errno| (place.to_owned(), Error::from(error));
    let may = |place: &Path, access| {
        accessat(CWD, place, access, AtFlags::EACCESS).map_err(|error| of(place, error))
    };
    may(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    for file in beside.iter().filter(|file| file.exists()) {
        may(file, Access::WRITE_OK)?;
    }
    let disk = statvfs(folder).map_err(|error| of(folder, error))?;
    let needed = fs::metadata(path).map_or(0, |file| file.len()) + SPARE_BYTES;
    // Some file systems report no free space.
    let is_full = (disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < needed)
        || (disk.f_files > 0 && disk.f_favail == 0);
    if is_full { Err((folder.to_owned(), Error::from(ErrorKind::StorageFull))) } else { Ok(()) }
}
