//! How far replicas are behind.
//!
//! What Patroni lists comes from what each member last wrote into the DCS, once per `loop_wait`: of a primary that writes
//! 10 MB/s it may be 100 MB off, and once the leader is dead it does not change any more. So the members' own accounts of this
//! pass come first. A standby leader has no lag in Patroni's list: its own account is measured against the primary's.

use std::collections::BTreeMap;

use crate::observed::member::{Member, members};
use crate::observed::{ClusterMember, MemberStatus, Observed};
use crate::values::cluster::{Role, SiteName, SystemId};

/// How far a member is behind its leader, in bytes of WAL; `None` where that is unknown, and for a primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// What it has neither received nor replayed: Patroni's `lag`.
    pub receive_bytes: Option<u64>,
    /// What it has not replayed: Patroni's `replay_lag`.
    pub replay_bytes: Option<u64>,
}

/// How far the WAL of each site's leader goes, by the leader's own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads<'a>(BTreeMap<Option<&'a SiteName>, Head<'a>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head<'a> {
    status: &'a MemberStatus,
    wal_bytes: u64,
    is_primary: bool,
}

impl<'a> Heads<'a> {
    /// Of each site that has one member that leads by its own account; where several do, no position counts.
    #[must_use]
    pub fn of(observed: &'a Observed) -> Self {
        let head = |(site, answers): (&'a Option<SiteName>, _)| {
            let members = members(answers);
            let mut heads = members.iter().filter_map(head);
            let head = heads.next()?.filter(|_| heads.next().is_none())?;
            Some((site.as_ref(), head))
        };
        Self(observed.sites.iter().filter_map(head).collect())
    }

    /// How far a member of a site is behind: a replica behind its leader, a standby leader behind the primary. `listed` is its
    /// entry in a `/cluster`, for what it does not say itself.
    #[must_use]
    pub fn lag(&self, site: Option<&SiteName>, member: &Member, listed: Option<&ClusterMember>) -> Lag {
        let Some(own) = member.status() else { return Lag::listed(listed) };
        if own.role == Role::Primary {
            return Lag::default();
        }
        let own_site = self.0.get(&site).copied();
        let head = if own.role == Role::StandbyLeader { self.primary() } else { own_site };
        let head = head.filter(|head| may_be_same(own.system_id.as_ref(), head.status.system_id.as_ref()));
        let measured = head.map_or_else(Lag::default, |head| {
            let behind = |at: u64| head.wal_bytes.saturating_sub(at);
            Lag { receive_bytes: own.wal.end().map(behind), replay_bytes: own.wal.replayed.map(behind) }
        });
        measured.or(Lag::listed(listed))
    }

    /// The one primary of all sites.
    fn primary(&self) -> Option<Head<'a>> {
        let mut primaries = self.0.values().filter(|head| head.is_primary);
        primaries.next().copied().filter(|_| primaries.next().is_none())
    }
}

/// A member that leads by its own account; `Some(None)` for one whose position is unknown.
#[expect(clippy::option_option, reason = "a leader without a position is still one of several leaders")]
fn head<'a>(member: &Member<'a>) -> Option<Option<Head<'a>>> {
    let status = member.status().filter(|_| member.leads())?;
    let is_primary = member.claim().is_some();
    Some(status.wal.end().map(|wal_bytes| Head { status, wal_bytes, is_primary }))
}

/// Not knowing an identifier is not having another one (invariant 2).
fn may_be_same(own: Option<&SystemId>, of_leader: Option<&SystemId>) -> bool {
    own.is_none() || of_leader.is_none() || own == of_leader
}

impl Lag {
    /// What it is behind: replay never overtakes what was received.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.receive_bytes.max(self.replay_bytes)
    }

    fn listed(listed: Option<&ClusterMember>) -> Self {
        listed.map_or_else(Self::default, |listed| Self {
            receive_bytes: listed.lag_bytes,
            replay_bytes: listed.replay_lag_bytes,
        })
    }

    fn or(self, other: Self) -> Self {
        Self {
            receive_bytes: self.receive_bytes.or(other.receive_bytes),
            replay_bytes: self.replay_bytes.or(other.replay_bytes),
        }
    }
}
