//! What the user of Patroni may do with a file, by its owner and mode.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use repoint_domain::observed::Read;
use repoint_domain::values::failure::{Failure, Kind};

use super::failure;
use crate::adapters::control;

const WRITE: u32 = 0o2;
const ENTER: u32 = 0o1;

/// A user, by numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    id: u32,
    groups: BTreeSet<u32>,
}

impl User {
    /// The effective user and the groups of a process, from `/proc/PID/status`.
    pub fn of_status(status: &str) -> Option<Self> {
        let numbers = |field: &str| -> Option<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.split_whitespace().map(|number| number.parse().ok()).collect()
        };
        // Real, effective, saved, of the file system.
        let id = *numbers("Uid:")?.get(1)?;
        let group = *numbers("Gid:")?.get(1)?;
        Some(Self { id, groups: numbers("Groups:")?.into_iter().chain([group]).collect() })
    }

    /// Whether this process runs as the same user.
    fn is_own(&self) -> bool {
        rustix::process::geteuid().as_raw() == self.id
    }

    fn may(&self, file: &Metadata, right: u32) -> bool {
        let shift = match () {
            () if self.id == 0 => return true,
            () if self.id == file.uid() => 6,
            () if self.groups.contains(&file.gid()) => 3,
            () => 0,
        };
        file.mode() >> shift & right == right
    }
}

/// Whether the user may write a file. An access control list is not read: where a file has one, its mode has the most that it grants.
pub fn may_write(path: &Path, user: Option<&User>) -> Read<bool> {
    let file = fs::metadata(path).map_err(|error| failure("stat", path, &error))?;
    let unknown = || {
        let message = "Patroni does not run on this machine, so its user is not known";
        Failure::new(Kind::Unavailable, "stat", path.display().to_string(), message)
    };
    Ok(user.ok_or_else(unknown)?.may(&file, WRITE))
}

/// Whether a daemon answers at its control socket, or at that of a shard, and the user may write there.
pub fn reaches_daemon(path: &Path, user: Option<&User>) -> Read<()> {
    let mut why = Failure::new(Kind::NotFound, "connect", path.display().to_string(), "no socket");
    for socket in control::sockets(path) {
        match UnixStream::connect(&socket) {
            Ok(_) => match user.map(|user| may_connect(&socket, user)) {
                None | Some(true) => return Ok(()),
                Some(false) => {
                    let message = "a daemon answers, and the user of Patroni may not write there";
                    why = Failure::new(Kind::Denied, "connect", socket.display().to_string(), message);
                }
            },
            Err(error) if why.kind == Kind::NotFound => {
                why = failure("connect", &socket, &error);
                // What this process may not do, Patroni's user may, unless they are one.
                if why.kind == Kind::Unauthenticated && user.is_some_and(User::is_own) {
                    why.kind = Kind::Denied;
                }
            }
            Err(_) => {}
        }
    }
    Err(why)
}

fn may_connect(socket: &Path, user: &User) -> bool {
    let may = |path: &Path, right| fs::metadata(path).is_ok_and(|file| user.may(&file, right));
    may(socket, WRITE)
        && socket
            .ancestors()
            .skip(1)
            .filter(|folder| !folder.as_os_str().is_empty())
            .all(|folder| may(folder, ENTER))
}
