//! A member's account of itself (`api.py`, `get_postgresql_status` and `_write_status_response`).
//!
//! What PostgreSQL would have to be asked for is absent while it cannot be asked.

use std::sync::Arc;

use crate::Millis;
use crate::patroni::cluster::Cluster;
use crate::patroni::member::{MemberId, Role, State, Tags};
use crate::patroni::settings::Version;

/// The JSON of `/primary` and its like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `running`, `starting`, `stopping`, `stopped`, …
    pub state: &'static str,
    /// `primary` (4.0 and later) or `master`, `promoted`, `replica`, `standby_leader`, `demoted`, `uninitialized`.
    pub role: &'static str,
    /// The timeline, while PostgreSQL can be queried.
    pub timeline: Option<u32>,
    /// `database_system_identifier`: once there are data.
    pub system_id: Option<u64>,
    /// `patroni.scope`.
    pub scope: Arc<str>,
    /// `patroni.name`, since 3.2.
    pub name: Option<Arc<str>>,
    /// `patroni.version`.
    pub version: Version,
    /// What only a query returns.
    pub postmaster: Option<Postmaster>,
    /// The cluster is in maintenance mode.
    pub paused: bool,
    /// No member holds the leader key, or the DCS cannot be read.
    pub cluster_unlocked: bool,
    /// Failsafe mode keeps the primary.
    pub failsafe_active: bool,
    /// When the DCS was last read.
    pub dcs_last_seen: Millis,
    /// The member's tags.
    pub tags: Tags,
}

/// What PostgreSQL says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postmaster {
    /// `pg_postmaster_start_time()`.
    pub started_at: Millis,
    /// `xlog`.
    pub wal: Wal,
    /// `replication_state: streaming`, since 3.0.4.
    pub streams: bool,
    /// `replication`: the members that stream from it.
    pub followers: Vec<Follower>,
}

/// `xlog`, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wal {
    /// Out of recovery: how far it has written.
    Primary(u64),
    /// In recovery: how far it has received and replayed, which the model takes for one.
    Replica(u64),
}

/// One entry of `replication`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    /// `application_name`.
    pub name: Arc<str>,
    /// `client_addr`.
    pub address: Arc<str>,
}

impl Cluster {
    pub(super) fn describe(&self, now: Millis, id: MemberId) -> Health {
        let member = &self.members[id];
        let postgres = &member.postgres;
        let version = self.settings.version;
        let queryable = postgres.state == State::Running;
        let timeline = if postgres.in_recovery { postgres.reported } else { postgres.timeline };
        Health {
            state: postgres.state.word(),
            role: match self.role(id) {
                Role::Primary => version.primary(),
                Role::Promoted => "promoted",
                Role::Replica => "replica",
                Role::StandbyLeader => "standby_leader",
                Role::Demoted => "demoted",
                Role::Uninitialized => "uninitialized",
            },
            timeline: queryable.then_some(timeline),
            system_id: (postgres.role != Role::Uninitialized).then_some(postgres.system_id),
            scope: Arc::clone(&self.scope),
            name: version.names_itself().then(|| Arc::clone(&member.spec.name)),
            version,
            postmaster: queryable.then(|| self.ask_postmaster(id)),
            paused: member.known.paused,
            cluster_unlocked: !member.cached || member.known.leader.is_none(),
            failsafe_active: version.has_failsafe() && member.failsafe_until > now,
            dcs_last_seen: member.dcs_last_seen,
            tags: member.spec.tags,
        }
    }

    /// `pg_is_in_recovery()` where it can be asked, else Patroni's memory. A standby cluster distinguishes its leader.
    pub(super) fn role(&self, id: MemberId) -> Role {
        let member = &self.members[id];
        match member.postgres.state {
            State::Running if !member.postgres.in_recovery => Role::Primary,
            State::Running if member.known.standby_cluster && member.postgres.role == Role::StandbyLeader => {
                Role::StandbyLeader
            }
            State::Running => Role::Replica,
            _ => member.postgres.role,
        }
    }

    fn ask_postmaster(&self, id: MemberId) -> Postmaster {
        let postgres = &self.members[id].postgres;
        let followers = self.ids().filter(|peer| {
            *peer != id && self.members[*peer].postgres.follows == Some(id) && self.streams(*peer)
        });
        let follower = |peer: MemberId| Follower {
            name: Arc::clone(&self.members[peer].spec.name),
            address: Arc::clone(&self.members[peer].spec.postgres.0),
        };
        // A position that was never published is still there for a query.
        let lsn = self.lsn(id).unwrap_or(self.wal);
        Postmaster {
            started_at: postgres.started_at,
            wal: if postgres.in_recovery { Wal::Replica(lsn) } else { Wal::Primary(lsn) },
            streams: self.settings.version.has_streaming() && self.streams(id),
            followers: followers.map(follower).collect(),
        }
    }
}
