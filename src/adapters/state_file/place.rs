//! Where the state file is, and whose it is.
//!
//! Law: whoever saves, under whatever rights and mask, the others read it afterwards: an operator's `sudo repoint adopt`
//! must not shut the daemon out.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat, statvfs};

/// Room for a file that has grown a little.
const SPARE_BYTES: u64 = 64 * 1024;
/// The kernel follows no more than that (`path_resolution(7)`).
const MOST_LINKS: u32 = 40;
const ROOT: u32 = 0;
const WRITABLE_BY_ALL: u32 = 0o002;

/// The file itself, where the path is a link to it: what replaces it must be in its folder.
///
/// # Errors
/// If the link leads nowhere. A folder that is missing behind a link is not made: the volume may not be mounted, and a new
/// state would begin without the old timeline.
pub(super) fn real(path: &Path) -> Result<PathBuf, String> {
    let mut real = path.to_owned();
    for links in 0..=MOST_LINKS {
        let Ok(target) = fs::read_link(&real) else {
            let folder = folder_of(&real);
            if links > 0 && !folder.exists() {
                return Err(format!(
                    "it is a symbolic link to {}, and the folder {} does not exist: mount the volume, or make the folder",
                    real.display(),
                    folder.display()
                ));
            }
            return Ok(real);
        };
        real = real.parent().unwrap_or(Path::new("")).join(target);
    }
    Err("its symbolic links lead in a circle: remove the link, or name another file with `[state] file`"
        .to_owned())
}

/// What lies beside the state file itself: processes that know it by different names share it.
pub(super) fn beside(real: &Path, suffix: &str) -> PathBuf {
    let mut name = real.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the file at `path` anew. In a folder that others write to a link leads anywhere, and is not followed.
pub(super) fn create(path: &Path) -> std::io::Result<File> {
    let flags = if is_for_all(folder_of(path))? { OFlags::NOFOLLOW } else { OFlags::empty() };
    let flags = flags.bits().cast_signed();
    OpenOptions::new().create(true).truncate(true).write(true).custom_flags(flags).open(path)
}

/// Whether any user may put files into a folder.
pub(super) fn is_for_all(folder: &Path) -> std::io::Result<bool> {
    Ok(fs::metadata(folder)?.mode() & WRITABLE_BY_ALL != 0)
}

/// Gives `file`, which lies at `at`, the owner and group of the state file, and the mode that `mode` makes of the state
/// file's. If that is not there yet, it is of whom the folder is, as far as the process may give it away: root may.
pub(super) fn own(file: &File, state: &Path, at: &Path, mode: impl Fn(u32) -> u32) {
    let Ok(own) = file.metadata() else { return };
    let model = fs::metadata(state).ok().filter(|model| model.is_file() && own.is_file());
    let mode = mode(model.as_ref().unwrap_or(&own).mode() & 0o777);
    if own.mode() & 0o777 != mode {
        // Where this may not be done, the file belongs to another user, who has chosen.
        drop(file.set_permissions(Permissions::from_mode(mode)));
    }
    let folder = || fs::metadata(folder_of(at)).ok().filter(|_| own.uid() == ROOT && own.is_file());
    if let Some(model) = model.or_else(folder) {
        give(file, &own, &model);
    }
}

/// To the owner and group of `model`; or at least to its group, if no more is permitted.
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

/// Whether the state file could be replaced, as far as that can be told without writing; what is in the way.
///
/// # Errors
/// Names the place and what is wrong with it.
pub(super) fn is_writable(path: &Path, beside: &[PathBuf]) -> Result<(), (PathBuf, Error)> {
    let mut folder = folder_of(path);
    // What is missing is made by the first save.
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
    // Some file systems do not count.
    let is_full = (disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < needed)
        || (disk.f_files > 0 && disk.f_favail == 0);
    if is_full { Err((folder.to_owned(), Error::from(ErrorKind::StorageFull))) } else { Ok(()) }
}
