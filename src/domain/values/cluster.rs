//! The names and values of a Patroni cluster, as its members spell them.
//!
//! A word that Patroni may add later is kept as it was reported, never an error (`Role::Other`, `PostgresState::Other`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::values::text::is_control;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the name as it was given.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use name;

name! {
    /// The name of a Patroni cluster, its `scope`.
    Scope
}
name! {
    /// The name of a configured entry: what its state, alerts and reports go by. Several entries may have one scope.
    EntryName
}
/// What follows an entry's name in the keys of its events, where a table has them; no name contains it.
pub const HISTORY: &str = "/history/";

name! {
    /// The name of one member of a cluster, unique within its scope.
    MemberName
}
name! {
    /// The name of a site of a cluster that spans several: often its Region.
    SiteName
}
name! {
    /// PostgreSQL's `system_identifier`, which `initdb` makes once for a cluster: Patroni's
    /// `database_system_identifier`. Digits, kept as text since they do not fit every JSON reader's numbers.
    SystemId
}

/// A PostgreSQL timeline: it rises by one with each promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline(pub u32);

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a member says of itself in the JSON of `GET /primary` (Patroni's `api.py`, `get_postgresql_status`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// `master` until Patroni 3.x, `primary` since 4.0.
    Primary,
    /// A replica, or a leader whose promotion is not finished.
    Replica,
    /// The leader of a standby cluster: it replicates from another site and takes no writes.
    StandbyLeader,
    /// `uninitialized`, `demoted`, and whatever comes.
    Other(String),
}

impl From<&str> for Role {
    fn from(word: &str) -> Self {
        match word {
            "primary" | "master" => Self::Primary,
            "replica" => Self::Replica,
            "standby_leader" => Self::StandbyLeader,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::StandbyLeader => "standby leader",
            Self::Other(word) => word,
        })
    }
}

/// What `GET /cluster` says of a member; it comes from the leader key and the member's own key in the DCS, so it may
/// be as old as their TTL (Patroni's `utils.py`, `cluster_as_json`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterRole {
    /// Holds the leader key.
    Leader,
    /// Holds the leader key of a standby cluster.
    StandbyLeader,
    /// A synchronous standby.
    SyncStandby,
    /// A standby that takes part in quorum commit (since 4.0).
    QuorumStandby,
    /// Any other standby.
    Replica,
    /// Whatever comes.
    Other(String),
}

impl From<&str> for ClusterRole {
    fn from(word: &str) -> Self {
        match word {
            "leader" | "master" | "primary" => Self::Leader,
            "standby_leader" => Self::StandbyLeader,
            "sync_standby" => Self::SyncStandby,
            "quorum_standby" => Self::QuorumStandby,
            "replica" => Self::Replica,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl ClusterRole {
    /// Whether the member is said to hold the leader key, of whichever kind of cluster.
    #[must_use]
    pub fn leads(&self) -> bool {
        matches!(self, Self::Leader | Self::StandbyLeader)
    }
}

impl fmt::Display for ClusterRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leader => "leader",
            Self::StandbyLeader => "standby leader",
            Self::SyncStandby => "sync standby",
            Self::QuorumStandby => "quorum standby",
            Self::Replica => "replica",
            Self::Other(word) => word,
        })
    }
}

/// The state of a member's PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PostgresState {
    /// `running`.
    Running,
    /// A replica that streams (`/cluster` only, since 3.0.4).
    Streaming,
    /// A replica that replays from the archive (`/cluster` only, since 3.0.4).
    ArchiveRecovery,
    /// `starting`, `stopping`, `stopped`, `crashed`, `creating replica`, and whatever comes.
    Other(String),
}

impl From<&str> for PostgresState {
    fn from(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "streaming" => Self::Streaming,
            "in archive recovery" => Self::ArchiveRecovery,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl PostgresState {
    /// Whether PostgreSQL answers, whatever its role.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

impl fmt::Display for PostgresState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Streaming => "streaming",
            Self::ArchiveRecovery => "in archive recovery",
            Self::Other(word) => word,
        })
    }
}

/// Where a member's PostgreSQL listens, as Patroni reports it. The host may be a DNS name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// An IP address or a DNS name.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The base of a member's REST API: scheme, host and port, in one canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ApiUrl {
    https: bool,
    host: String,
    port: u16,
}

/// Why a text is no [`ApiUrl`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiUrlError {
    /// Neither `http://` nor `https://`.
    #[error("it must begin with http:// or https://")]
    Scheme,
    /// No host between the scheme and the port.
    #[error("it names no host")]
    Host,
    /// Patroni has no default port, so none is guessed.
    #[error("it needs a port, as in http://10.0.1.11:8008")]
    NoPort,
    /// Not a number from 1 to 65535.
    #[error("`{0}` is not a port")]
    Port(String),
    /// Patroni's `GET` endpoints need no password, and one would end up in reports.
    #[error("it must not carry a user name or password")]
    UserInfo,
    /// Something after the port, which would not be asked for.
    #[error(
        "`{0}` is not allowed: repoint requests /primary and /cluster itself, so the URL must end after the port"
    )]
    Path(String),
}

impl ApiUrl {
    /// Reads the base of a URL; a path (`/patroni` in Patroni's own `api_url`) is passed over.
    ///
    /// # Errors
    /// Says what is missing or too much.
    pub fn parse(text: &str) -> Result<Self, ApiUrlError> {
        Self::parts(text).map(|(url, _)| url)
    }

    /// Reads a URL of the configuration: a path after the port must not be dropped silently. A single
    /// slash says nothing.
    ///
    /// # Errors
    /// Says what is missing or too much.
    pub fn parse_base(text: &str) -> Result<Self, ApiUrlError> {
        match Self::parts(text)? {
            (url, "" | "/") => Ok(url),
            (_, path) => Err(ApiUrlError::Path(path.to_owned())),
        }
    }

    /// The base of a URL, and what stands after it.
    fn parts(text: &str) -> Result<(Self, &str), ApiUrlError> {
        let (https, rest) = if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else {
            return Err(ApiUrlError::Scheme);
        };
        // Wherever it stands: in a password that is not encoded, a `/` would end the host of the URL too early.
        if rest.contains('@') {
            return Err(ApiUrlError::UserInfo);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => {
                let (host, after) = v6.split_once(']').ok_or(ApiUrlError::Host)?;
                (host, after.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() || host.contains(|one: char| one.is_whitespace() || is_control(one)) {
            return Err(ApiUrlError::Host);
        }
        let port = port.ok_or(ApiUrlError::NoPort)?;
        let number = port.parse::<u16>().ok().filter(|port| *port > 0);
        let port = number.ok_or_else(|| ApiUrlError::Port(port.to_owned()))?;
        Ok((Self { https, host: host.to_ascii_lowercase(), port }, path))
    }

    /// The host: an IP address or a DNS name, in lower case.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is asked over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The TCP port of the REST API.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        let address = Address { host: self.host.clone(), port: self.port };
        write!(f, "{scheme}://{address}")
    }
}

impl From<ApiUrl> for String {
    fn from(url: ApiUrl) -> Self {
        url.to_string()
    }
}

impl TryFrom<String> for ApiUrl {
    type Error = ApiUrlError;

    fn try_from(text: String) -> Result<Self, ApiUrlError> {
        Self::parse(&text)
    }
}
