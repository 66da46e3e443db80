//! What others may read of repoint.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The daemon's HTTP server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// Where it listens; `None` means that there is none.
    pub listen: Option<SocketAddr>,
}

impl Http {
    /// What is risky about it.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let listen = self.listen.filter(|listen| !listen.ip().is_loopback())?;
        Some(format!(
            "`http.listen`: {listen} is not a loopback address: what repoint knows of the clusters can be read there by other \
             machines, without encryption or a password"
        ))
    }
}

/// Metrics for others than the daemon's HTTP server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The file that `repoint run` writes for `node_exporter`; `None` means that there is none.
    pub textfile: Option<PathBuf>,
}
