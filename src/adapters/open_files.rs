//! How many files this process may have open, connections included.
//!
//! Law: it takes what it is given: the soft limit of 1,024 is there for programs that use `select(2)`
//! (systemd, `LimitNOFILE`), which this one does not.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one; what it then is.
#[must_use]
pub fn raise_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    // None is no limit.
    limit.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}
