//! The identity of a job on this machine, so that it is not done twice at the same time.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// The digest of a job with the configuration at `config`: the same in each process of this program.
pub fn digest(config: &Path, what: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(config).unwrap_or_else(|_| config.to_owned()).hash(&mut hasher);
    what.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
