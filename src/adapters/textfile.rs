//! A file of metrics for `node_exporter`'s textfile collector.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// `node_exporter` runs as another user, and repoint's units have `UMask=0077`.
const MODE: u32 = 0o644;

/// Replaces the file as a whole: a reader sees the old one or the new one. The temporary file is beside it, under a name that
/// `node_exporter` does not read.
///
/// # Errors
/// Which step failed, and why.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = write(temporary, text).and_then(|()| fs::rename(temporary, path));
    if written.is_err() {
        drop(fs::remove_file(temporary));
    }
    written
}

/// A link that another user has put there is not followed.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(text.as_bytes())
}
