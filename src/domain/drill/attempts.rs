//! One client's attempts: last good, first good, outage, errors by kind, answers from the wrong server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use crate::values::cluster::Timeline;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// Writes, each time over a new connection.
    NewConnections,
    /// Writes over one connection, for as long as that lasts.
    OneConnection,
    /// Reads, each time over a new connection.
    Reader,
}

impl ClientKind {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewConnections => "writer, new connections",
            Self::OneConnection => "writer, one connection",
            Self::Reader => "reader, new connections",
        }
    }

    /// Whether it needs a server that takes writes.
    #[must_use]
    pub fn writes(self) -> bool {
        self != Self::Reader
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The connection was refused.
    Refused,
    /// The connection was closed without an error of PostgreSQL.
    Closed,
    /// There was no answer in time.
    Timeout,
    /// The host or network is not there.
    Unreachable,
    /// The host name has no address.
    NoAddress,
    /// No TLS connection came about.
    Tls,
    /// A standby answered.
    Standby,
    /// An error of PostgreSQL, by its SQLSTATE.
    Sql(String),
    /// Anything else.
    Other,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "connection refused",
            Self::Closed => "connection closed",
            Self::Timeout => "no answer in time",
            Self::Unreachable => "host unreachable",
            Self::NoAddress => "host name not resolved",
            Self::Tls => "TLS failed",
            Self::Standby => "a standby answered",
            Self::Other => "other",
            Self::Sql(state) => return write!(f, "{state}{}", meaning(state)),
        })
    }
}

/// What a code means that is usual while a primary changes (PostgreSQL, appendix A).
fn meaning(state: &str) -> &'static str {
    match state {
        "25006" => " read-only transaction",
        "53300" => " too many connections",
        "57P01" => " terminated by an administrator",
        "57P02" => " another backend crashed",
        "57P03" => " starting up or shutting down",
        "28P01" => " wrong password",
        "28000" => " not authorized to log in",
        "3D000" => " no such database",
        _ => "",
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The server that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its own address and port, as PostgreSQL reports them.
    pub address: String,
    /// The timeline on which it takes writes; absent on a standby.
    pub timeline: Option<Timeline>,
}

/// One attempt to write or to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub began_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// The server that answered, if one did.
    pub server: Option<Server>,
    /// Why it failed, if it did.
    pub error: Option<ErrorKind>,
}

impl Attempt {
    fn is_good(&self) -> bool {
        self.error.is_none()
    }
}

/// The attempts of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// What it does.
    pub kind: ClientKind,
    /// Where it connects to, without a password.
    pub endpoint: String,
    /// In any order.
    pub attempts: Vec<Attempt>,
}

/// For how long a client has been good, and what it saw last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The client.
    pub client: String,
    /// Milliseconds since its first good attempt after the last bad one; `None` where it is not good.
    pub good_for_ms: Option<u64>,
    /// The error of its last bad attempt.
    pub last_error: Option<String>,
}

/// A time in which every attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// The end of the last good attempt before it; absent where there was none.
    pub last_good_ms: Option<u64>,
    /// The end of the first good attempt after it; absent where there was none.
    pub first_good_ms: Option<u64>,
    /// From the one to the other, in milliseconds; absent where one of them is.
    pub outage_ms: Option<u64>,
    /// What the attempts in it ended with, and how often.
    pub errors: BTreeMap<ErrorKind, u64>,
}

/// What one client saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientReport {
    /// What it does.
    pub client: ClientKind,
    /// Where it connects to.
    pub endpoint: String,
    /// How many attempts there were.
    pub attempts: usize,
    /// How many of them failed.
    pub failed: usize,
    /// The longest outage; 0 without one, absent where it has not ended.
    pub outage_ms: Option<u64>,
    /// All outages, in their order.
    pub outages: Vec<Outage>,
    /// The errors, and how often each came.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Of a writer: how often a standby answered.
    pub standby_answers: usize,
    /// Of a writer: writes that a server took on a timeline that was older than one already seen, as an old primary does that
    /// goes on.
    pub stale_writes: usize,
    /// The servers that answered, in the order of their first answers.
    pub servers: Vec<String>,
}

impl Client {
    /// What it is called.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} ({})", self.kind.as_str(), self.endpoint)
    }

    /// For how long it has been good.
    #[must_use]
    pub fn health(&self, now_ms: u64) -> Health {
        let by_start = self.by_start();
        let bad = by_start.iter().rposition(|attempt| !attempt.is_good());
        let since = by_start[bad.map_or(0, |bad| bad + 1)..].iter().map(|attempt| attempt.ended_ms).min();
        let last_error = bad.and_then(|bad| by_start[bad].error.as_ref()).map(ToString::to_string);
        let good_for_ms = since.map(|since| now_ms.saturating_sub(since));
        Health { client: self.label(), good_for_ms, last_error }
    }

    /// What it saw.
    #[must_use]
    pub fn report(&self) -> ClientReport {
        let by_start = self.by_start();
        let outages = outages(&by_start);
        let is_over = outages.iter().all(|outage| outage.first_good_ms.is_some());
        // Before its first good attempt a client has lost nothing.
        let longest = outages.iter().filter_map(|outage| outage.outage_ms).max();
        let outage_ms = is_over.then_some(longest.unwrap_or(0));
        let failed = by_start.iter().filter(|attempt| !attempt.is_good()).count();
        let is_of_standby = |attempt: &&&Attempt| attempt.error == Some(ErrorKind::Standby);
        ClientReport {
            client: self.kind,
            endpoint: self.endpoint.clone(),
            attempts: by_start.len(),
            failed,
            outage_ms,
            outages,
            errors: errors(&by_start),
            standby_answers: by_start.iter().filter(is_of_standby).count(),
            stale_writes: if self.kind.writes() { stale_writes(&by_start) } else { 0 },
            servers: servers(&by_start),
        }
    }

    /// Attempts overlap: one that hangs does not keep the next from beginning. Their starts are evenly spaced.
    fn by_start(&self) -> Vec<&Attempt> {
        let mut by_start: Vec<&Attempt> = self.attempts.iter().collect();
        by_start.sort_by_key(|attempt| (attempt.began_ms, attempt.ended_ms));
        by_start
    }
}

/// The runs of bad attempts.
fn outages(by_start: &[&Attempt]) -> Vec<Outage> {
    let runs: Vec<&[&Attempt]> = by_start.chunk_by(|one, next| one.is_good() == next.is_good()).collect();
    let mut outages = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let Some(first_bad) = run.first().filter(|attempt| !attempt.is_good()) else { continue };
        let before = at.checked_sub(1).and_then(|before| runs[before].last());
        // The last good attempt may have begun before the first bad one and have ended after it.
        let last_good_ms = before.map(|good| good.ended_ms.min(first_bad.began_ms));
        let after = runs.get(at + 1).copied().unwrap_or_default();
        let first_good_ms = after.iter().map(|attempt| attempt.ended_ms).min();
        let outage_ms = last_good_ms.zip(first_good_ms).map(|(last, first)| first.saturating_sub(last));
        outages.push(Outage { last_good_ms, first_good_ms, outage_ms, errors: errors(run) });
    }
    outages
}

fn errors(attempts: &[&Attempt]) -> BTreeMap<ErrorKind, u64> {
    let mut errors = BTreeMap::new();
    for error in attempts.iter().filter_map(|attempt| attempt.error.clone()) {
        *errors.entry(error).or_default() += 1;
    }
    errors
}

/// The good writes on a timeline below one that an attempt had seen before the write began.
fn stale_writes(by_start: &[&Attempt]) -> usize {
    let timeline = |attempt: &Attempt| attempt.server.as_ref().and_then(|server| server.timeline);
    let mut by_end: Vec<&&Attempt> = by_start.iter().filter(|attempt| attempt.is_good()).collect();
    by_end.sort_by_key(|attempt| attempt.ended_ms);
    let (mut highest, mut ended, mut stale) = (None, by_end.iter().peekable(), 0);
    for attempt in by_start.iter().filter(|attempt| attempt.is_good()) {
        while let Some(seen) = ended.next_if(|seen| seen.ended_ms <= attempt.began_ms) {
            highest = highest.max(timeline(seen));
        }
        stale +=
            usize::from(timeline(attempt).is_some_and(|own| highest.is_some_and(|highest| own < highest)));
    }
    stale
}

fn servers(by_start: &[&Attempt]) -> Vec<String> {
    let mut known = BTreeSet::new();
    let addresses = by_start.iter().filter_map(|attempt| Some(&attempt.server.as_ref()?.address));
    addresses.filter(|address| known.insert((*address).clone())).cloned().collect()
}
