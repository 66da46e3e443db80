//! Where the daemons of one machine listen, each of which may watch only some clusters of the configuration.
//!
//! Every daemon has a socket of its own. The daemon of all clusters listens at the configured path, and that of a
//! shard beside it, at a path derived from its clusters.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The length of a shard's digest, in digits.
const DIGITS: usize = 16;

/// The socket of the daemon of these clusters, if that of all clusters listens at `socket`.
#[must_use]
pub fn shard(socket: &Path, clusters: &[String]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    clusters.hash(&mut hasher);
    let (before, after) = parts(socket);
    socket.with_file_name(format!("{before}{:0DIGITS$x}{after}", hasher.finish()))
}

/// The sockets that daemons may listen on if that of all clusters listens at `socket`: this one, and then the sockets
/// of all shards.
#[must_use]
pub fn sockets(socket: &Path) -> Vec<PathBuf> {
    let folder = socket.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (before, after) = parts(socket);
    let is_of_shard = |name: &str| {
        let digest = name.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&after));
        digest.is_some_and(|digest| {
            digest.len() == DIGITS && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    let names = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| file.file_name().into_string().ok());
    let mut shards: Vec<PathBuf> =
        names.filter(|name| is_of_shard(name)).map(|name| socket.with_file_name(name)).collect();
    shards.sort();
    shards.insert(0, socket.to_owned());
    shards
}

/// The text before and after the digest in the name of a shard's socket.
fn parts(socket: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let end = socket.extension().map_or_else(String::new, |end| format!(".{}", end.to_string_lossy()));
    (format!("{}.", text(socket.file_stem())), end)
}
