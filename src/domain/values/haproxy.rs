//! HAProxy: a backend with its servers, and what is changed of them.
//!
//! A change says how a server is and how it is to be. Which commands that takes is the socket's matter.
//!
//! Source: HAProxy's Management Guide, 9.3 ("Unix Socket commands").

use std::fmt;

use serde::Serialize;

use super::target::Target;

/// Which backend: HAProxy has names of its own in each process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BackendKey {
    /// The path of the Unix socket on which the process takes commands.
    pub socket: String,
    /// The backend's name.
    pub backend: String,
}

impl fmt::Display for BackendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.backend, self.socket)
    }
}

/// A backend, as read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    /// The worker that answered (`show info`, `Pid`): another one after a reload.
    pub pid: u32,
    /// Its servers, in the order of its configuration.
    pub servers: Vec<Server>,
}

/// A server of a backend (`show servers state`, `show stat`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Where it is; absent while HAProxy has not resolved its name.
    pub target: Option<Target>,
    /// Whether it gets connections.
    pub state: ServerState,
    /// Whether HAProxy checks it.
    pub is_checked: bool,
    /// The sessions that it has now.
    pub sessions: u32,
}

/// Whether a server gets connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// It does.
    Up,
    /// It does not, until its check says otherwise, or `health up`.
    Down,
    /// It does not, whatever its check says.
    Maintenance,
    /// It keeps its sessions and gets no others.
    Drain,
    /// It is there no more.
    Gone,
}

impl ServerState {
    /// In lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Maintenance => "maintenance",
            Self::Drain => "drain",
            Self::Gone => "gone",
        }
    }
}

/// How one server is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerChange {
    /// The server's name.
    pub server: String,
    /// How it is; absent where it is added.
    pub before: Option<Setting>,
    /// The options of a server that is added.
    pub options: Option<String>,
    /// How it is to be. One that gets no connections keeps none either: they are cut.
    pub after: Setting,
}

/// How a server is, as far as that is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where it is; absent while HAProxy has not resolved its name.
    pub target: Option<Target>,
    /// Whether it gets connections.
    pub state: ServerState,
    /// The sessions that it has.
    pub sessions: u32,
}

impl Setting {
    /// A server that is to be there, without sessions to be kept.
    #[must_use]
    pub fn new(target: &Target, state: ServerState) -> Self {
        Self { target: Some(target.clone()), state, sessions: 0 }
    }
}

impl ServerChange {
    /// A change of a server that is there.
    #[must_use]
    pub fn of(server: &Server, after: Setting) -> Self {
        Self { server: server.name.clone(), before: Some(server.setting()), options: None, after }
    }
}

/// Whether HAProxy takes a name as one of its own (Configuration Manual, 2.2, of proxies and servers), and the socket as one
/// word.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

impl Server {
    /// How it is.
    #[must_use]
    pub fn setting(&self) -> Setting {
        Setting { target: self.target.clone(), state: self.state, sessions: self.sessions }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Some(target) => target.fmt(f)?,
            None => f.write_str("unresolved")?,
        }
        write!(f, " ({}", self.state.as_str())?;
        match (self.state, self.sessions) {
            (ServerState::Up, _) | (_, 0) => f.write_str(")"),
            (_, 1) => f.write_str(", 1 session)"),
            (_, sessions) => write!(f, ", {sessions} sessions)"),
        }
    }
}
