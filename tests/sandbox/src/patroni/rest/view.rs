//! A member's account of the cluster (`utils.py`, `cluster_as_json`).
//!
//! Roles come from the leader key alone and states from the members' own keys, so both may be out of date.

use std::sync::Arc;

use crate::Millis;
use crate::patroni::cluster::Cluster;
use crate::patroni::dcs::{Contents, Key};
use crate::patroni::member::{Lag, MemberId, Tags};
use crate::patroni::settings::Version;

/// The JSON of `/cluster`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Since 3.2.
    pub scope: Option<Arc<str>>,
    /// Sorted by name.
    pub members: Vec<Listed>,
    /// Maintenance mode.
    pub paused: bool,
    /// The member that answers.
    pub version: Version,
}

/// One member as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: Arc<str>,
    /// `leader`, `standby_leader` or `replica`.
    pub role: &'static str,
    /// `streaming` (since 3.0.4) or the state it last wrote.
    pub state: &'static str,
    /// Ends in `/patroni`.
    pub api_url: Arc<str>,
    /// Where PostgreSQL listens.
    pub host: Arc<str>,
    /// Where PostgreSQL listens.
    pub port: u16,
    /// As it last wrote it.
    pub timeline: Option<u32>,
    /// None for the leader.
    pub location: Option<Location>,
    /// Its tags.
    pub tags: Tags,
}

/// How far a member is that does not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// `lag`.
    pub lag: Lag,
    /// `lsn`, in bytes, 0 where unknown; since 4.1.
    pub lsn: u64,
    /// Whether `receive_lsn` and `replay_lsn` are known too; since 4.1.
    pub receives: bool,
}

impl Cluster {
    /// None where the DCS cannot be read.
    pub(super) fn list(&self, now: Millis, asked: MemberId) -> Option<View> {
        let contents = self.seen_by(now, asked)?;
        let version = self.settings.version;
        let mut members: Vec<Listed> =
            contents.members.iter().map(|(id, key)| self.entry(contents, *id, key)).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        let scope = version.names_itself().then(|| Arc::clone(&self.scope));
        Some(View { scope, members, paused: contents.paused, version })
    }

    fn entry(&self, contents: &Contents, id: MemberId, key: &Key) -> Listed {
        let member = &self.members[id];
        let role = match (contents.leader == Some(id), contents.standby_cluster) {
            (true, true) => "standby_leader",
            (true, false) => "leader",
            (false, _) => "replica",
        };
        let streams = key.streams && role != "leader" && self.settings.version.has_streaming();
        let location = Location {
            lag: key.lsn.map_or(Lag::Unknown, |lsn| Lag::Bytes(contents.last_lsn.saturating_sub(lsn))),
            lsn: key.lsn.unwrap_or(0),
            receives: key.receives && key.lsn.is_some(),
        };
        Listed {
            name: Arc::clone(&member.spec.name),
            role,
            state: if streams { "streaming" } else { key.state.word() },
            api_url: Arc::clone(&member.api_url),
            host: Arc::clone(&member.spec.postgres.0),
            port: member.spec.postgres.1,
            timeline: key.timeline,
            location: (contents.leader != Some(id)).then_some(location),
            tags: member.spec.tags,
        }
    }
}
