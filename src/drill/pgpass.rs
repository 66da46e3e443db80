//! The password file (PostgreSQL, "The Password File"): `host:port:database:user:password`, first match counts.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tracing::warn;

/// What an entry is searched for.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The host name, as it was given.
    pub host: &'a str,
    /// The port.
    pub port: &'a str,
    /// The database.
    pub database: &'a str,
    /// The user.
    pub user: &'a str,
}

/// The password in the file; `None` where the file does not exist or has no entry. A file that others may read is ignored
/// with a warning, as libpq does.
#[must_use]
pub fn password(path: &Path, login: Login) -> Option<String> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            warn!("the password file {} cannot be read: {error}", path.display());
            return None;
        }
    };
    if !metadata.is_file() {
        warn!("the password file {} is not a plain file: ignored", path.display());
        return None;
    }
    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0 {
        warn!(
            "the password file {} has the mode {:04o}: ignored, since its group or others have access; `chmod 0600` it",
            path.display(),
            mode & 0o7777
        );
        return None;
    }
    match fs::read_to_string(path) {
        Ok(text) => text.lines().find_map(|line| of_line(line, login)),
        Err(error) => {
            warn!("the password file {} cannot be read: {error}", path.display());
            None
        }
    }
}

fn of_line(line: &str, login: Login) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let (fields, password) = fields(line)?;
    let wanted = [login.host, login.port, login.database, login.user];
    let fits = |(field, wanted): (&String, &str)| field == "*" || field == wanted;
    fields.iter().zip(wanted).all(fits).then_some(password)
}

/// The four fields and the password, without their escapes: `\:` and `\\`.
fn fields(line: &str) -> Option<([String; 4], String)> {
    let (mut fields, mut field, mut is_escaped) = (Vec::new(), String::new(), false);
    for one in line.chars() {
        match one {
            _ if is_escaped => {
                field.push(one);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            // The password may have colons.
            ':' if fields.len() < 4 => fields.push(std::mem::take(&mut field)),
            one => field.push(one),
        }
    }
    let fields: [String; 4] = fields.try_into().ok()?;
    Some((fields, field))
}
