//! libpq's service file, which clients read while it is written.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::Path;

/// A new file is for every user's clients, as far as the process's umask allows that.
const MODE: u32 = 0o644;

/// Replaces the text of the file with what `change` makes of it, unless that is the same: a reader sees the old file or the
/// new one. A file that does not exist is empty. Its mode and owner stay, since it may have passwords, and a symbolic link to it
/// stays a link.
///
/// # Errors
/// Which step failed, and why.
pub fn update(path: &Path, change: impl Fn(&str) -> String) -> io::Result<()> {
    let real = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        real => real?,
    };
    let folder = real.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Two processes may each write a section of the file at the same time, as cron starts them. Not every file system can lock a
    // folder; one of two sections is then written the next time.
    let folder = File::open(folder)?;
    drop(folder.lock());
    let (text, model) = match fs::read_to_string(&real) {
        Ok(text) => (text, Some(fs::metadata(&real)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => (String::new(), None),
        Err(error) => return Err(error),
    };
    let changed = change(&text);
    if model.is_some() && changed == text {
        return Ok(());
    }
    let mut temporary = real.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = write(temporary, &changed, model.as_ref()).and_then(|()| fs::rename(temporary, &real));
    if written.is_err() {
        drop(fs::remove_file(temporary));
    }
    written
}

/// A link that another user has put there is not followed.
fn write(path: &Path, text: &str, model: Option<&Metadata>) -> io::Result<()> {
    let mode = model.map_or(MODE, |model| model.mode() & 0o777);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    if let Some(model) = model {
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (model.uid(), model.gid()) {
            fchown(&file, Some(model.uid()), Some(model.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
