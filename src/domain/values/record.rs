//! Record sets of Route 53.
//!
//! Invariant 7: a record set is rewritten as a whole, so what repoint does not manage is carried over; a record set with
//! something that cannot be carried over is not changed.

mod alias;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::values::cluster::name;
pub use alias::Alias;

name! {
    /// The id of a hosted zone, without `/hostedzone/`.
    ZoneId
}
name! {
    /// What distinguishes record sets of one name and type.
    SetIdentifier
}
name! {
    /// The id that Route 53 gave to a batch of changes, without `/change/`.
    ChangeId
}

/// The name of a record as Route 53 stores it: lower case, a trailing dot, and every byte outside `a-z 0-9 - _ .` as
/// a backslash and three octal digits (Route 53 Developer Guide, "DNS domain name format").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RecordName(String);

impl RecordName {
    /// Brings a name into Route 53's spelling.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut name = String::with_capacity(text.len() + 1);
        let mut rest = text.as_bytes();
        while let [byte, tail @ ..] = rest {
            rest = tail;
            let (byte, escaped) = match (byte, tail) {
                (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                    rest = after;
                    ((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'), true)
                }
                _ => (*byte, false),
            };
            match byte.to_ascii_lowercase() {
                // A dot that was escaped is part of a label, not a border between two.
                b'.' if escaped => name.push_str("\\056"),
                plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.') => name.push(char::from(plain)),
                other => {
                    let _ = write!(name, "\\{other:03o}");
                }
            }
        }
        if !name.ends_with('.') {
            name.push('.');
        }
        Self(name)
    }

    /// The name as Route 53 stores it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the name stands in a zone's listing: Route 53 sorts by the labels in reverse, each followed by its dot
    /// (`ListResourceRecordSets`, "Sort order").
    #[must_use]
    pub fn listing_key(&self) -> String {
        let mut key = String::with_capacity(self.0.len());
        for label in self.0.trim_end_matches('.').rsplit('.') {
            key.push_str(label);
            key.push('.');
        }
        key
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.strip_suffix('.').unwrap_or(&self.0))
    }
}

/// The record types that can point at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// A host name.
    Cname,
}

impl RecordType {
    /// As DNS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name and type in a zone: the place where one simple record set, or several with identifiers, can stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RecordPlace {
    /// The hosted zone.
    pub zone: ZoneId,
    /// The name.
    pub name: RecordName,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: RecordType,
}

impl RecordPlace {
    /// The places of this name that must be empty: nothing stands beside a CNAME (RFC 1034, section 3.6.2).
    pub fn excluded(&self) -> impl Iterator<Item = Self> + '_ {
        let types: &[RecordType] = match self.record_type {
            RecordType::A | RecordType::Aaaa => &[RecordType::Cname],
            RecordType::Cname => &[RecordType::A, RecordType::Aaaa],
        };
        types.iter().map(|record_type| Self { record_type: *record_type, ..self.clone() })
    }
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.zone, self.name, self.record_type)
    }
}

/// One record set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RecordKey {
    /// Zone, name and type.
    pub place: RecordPlace,
    /// Absent for a simple record.
    pub set_identifier: Option<SetIdentifier>,
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)?;
        match &self.set_identifier {
            Some(identifier) => write!(f, "/{identifier}"),
            None => Ok(()),
        }
    }
}

/// The two ends of a failover pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Failover {
    /// Answers while its health check is healthy.
    Primary,
    /// Answers while the other one's is not.
    Secondary,
}

impl Failover {
    /// As Route 53 spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
        }
    }
}

/// How Route 53 chooses among record sets of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routing {
    /// There is only one.
    Simple,
    /// One of a failover pair.
    Failover(Failover),
    /// Weighted, latency, geolocation, multivalue, a traffic policy: named, and not touched.
    Other(String),
}

impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple => f.write_str("simple"),
            Self::Failover(role) => write!(f, "failover {}", role.as_str()),
            Self::Other(word) => f.write_str(word),
        }
    }
}

/// What a record set answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Values, for so many seconds.
    Values {
        /// Time to live, in seconds.
        ttl_seconds: u32,
        /// As read: their order is kept.
        values: Vec<String>,
    },
    /// What another AWS resource answers with.
    Alias(Alias),
}

impl Answer {
    /// Whether both say the same, whatever the spelling and the order of values and whatever the TTL.
    #[must_use]
    pub fn is_same(&self, other: &Self, record_type: RecordType) -> bool {
        let spelled = |values: &[String]| -> BTreeSet<String> {
            values.iter().map(|value| spelled(value, record_type)).collect()
        };
        match (self, other) {
            (Self::Values { values, .. }, Self::Values { values: others, .. }) => {
                spelled(values) == spelled(others)
            }
            (Self::Alias(alias), Self::Alias(other)) => alias.is_same(other),
            (Self::Values { .. }, Self::Alias(_)) | (Self::Alias(_), Self::Values { .. }) => false,
        }
    }

    /// Whether it has the value, whatever the spelling.
    #[must_use]
    pub fn has(&self, value: &str, record_type: RecordType) -> bool {
        match self {
            Self::Values { values, .. } => {
                let wanted = spelled(value, record_type);
                values.iter().any(|value| spelled(value, record_type) == wanted)
            }
            Self::Alias(_) => false,
        }
    }

    /// The TTL in seconds; an alias has none.
    #[must_use]
    pub fn ttl_seconds(&self) -> Option<u32> {
        match self {
            Self::Values { ttl_seconds, .. } => Some(*ttl_seconds),
            Self::Alias(_) => None,
        }
    }
}

/// A value in the one spelling that two equal values share.
fn spelled(value: &str, record_type: RecordType) -> String {
    match record_type {
        RecordType::A | RecordType::Aaaa => {
            value.parse().map_or_else(|_| value.to_owned(), |address: IpAddr| address.to_string())
        }
        RecordType::Cname => RecordName::new(value).as_str().to_owned(),
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values { values, .. } => f.write_str(&values.join(",")),
            Self::Alias(alias) => alias.fmt(f),
        }
    }
}

/// A record set as read, or as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Which one.
    pub key: RecordKey,
    /// How it is chosen.
    pub routing: Routing,
    /// What it answers with.
    pub answer: Answer,
    /// The health check that decides whether it is chosen.
    pub health_check_id: Option<String>,
}

/// Every record set of some names and types; a place without one has an empty list.
pub type Listing = BTreeMap<RecordPlace, Vec<RecordSet>>;

/// A change of one record set: DELETE of exactly what was read, CREATE of what is wanted, in one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// What was read; nothing for a new record set.
    pub before: Option<RecordSet>,
    /// What is wanted.
    pub after: RecordSet,
}
