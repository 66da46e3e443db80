//! What one pass has observed.
//!
//! Invariant 2: unknown is not absent. What could not be read is here as a [`Failure`], never as an empty list.

pub mod member;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::values::arn::{GroupArn, InstanceId, ListenerArn, VpcId};
use crate::values::cluster::{
    Address, ApiUrl, ClusterRole, MemberName, PostgresState, Role, Scope, SiteName, SystemId, Timeline,
};
use crate::values::failure::Failure;
use crate::values::haproxy::{Backend, BackendKey};
use crate::values::listener::Listener;
use crate::values::record::{RecordPlace, RecordSet};
use crate::values::target::TargetGroup;
use crate::values::utc::Utc;

/// What a read gave: the thing, or why it could not be read.
pub type Read<T> = Result<T, Failure>;

/// The running instances that have each address, on any of their interfaces. Two VPCs may use the same address.
pub type InstancesByAddress = BTreeMap<IpAddr, BTreeSet<Instance>>;

/// An instance, by the interface that has the address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The VPC of the interface.
    pub vpc: Option<VpcId>,
}

impl Instance {
    /// Whether it may be in that VPC: not knowing one of the two is no contradiction (invariant 2).
    #[must_use]
    pub fn may_be_in(&self, vpc: Option<&VpcId>) -> bool {
        self.vpc.is_none() || vpc.is_none() || self.vpc.as_ref() == vpc
    }
}

/// What each asked URL of one site answered, by URL.
pub type Answers = BTreeMap<ApiUrl, MemberAnswer>;

/// What the members of each site answered. A member's name says who it is within its site alone.
pub type Sites = BTreeMap<Option<SiteName>, Answers>;

/// Where discovery found members, or why it found none, by site.
pub type Discovered = BTreeMap<Option<SiteName>, Read<BTreeSet<ApiUrl>>>;

static NO_ANSWERS: Answers = BTreeMap::new();

/// Everything one pass has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// What the members answered, site by site.
    pub sites: Sites,
    /// Where discovery found that members may be; a site is missing of which it has not answered yet.
    pub discovered: Discovered,
    /// The sites in which no known member answers, and all that discovery found counts.
    pub found_alone: BTreeSet<Option<SiteName>>,
    /// The configured target groups.
    pub groups: BTreeMap<GroupArn, Read<TargetGroup>>,
    /// The listeners whose weights follow the primary.
    pub listeners: BTreeMap<ListenerArn, Read<Listener>>,
    /// For each name and type that is configured, every record set there is of that name and type.
    pub records: BTreeMap<RecordPlace, Read<Vec<RecordSet>>>,
    /// The configured backends of HAProxy.
    pub backends: BTreeMap<BackendKey, Read<Backend>>,
    /// The addresses of the members' host names; addresses themselves are not looked up.
    pub names: BTreeMap<String, Read<Vec<IpAddr>>>,
    /// The running EC2 instances that have the members' addresses, by Region; asked only where a group wants instances.
    pub instances: BTreeMap<String, Read<InstancesByAddress>>,
}

impl Observed {
    /// Adds what was seen of some endpoints. Of instances that were looked up twice, all that were found count.
    pub fn add(&mut self, seen: Self) {
        // Every field has its name here: a new kind of endpoint has to be decided about. Members are not seen by parts.
        let Self {
            sites: _,
            discovered: _,
            found_alone: _,
            groups,
            listeners,
            records,
            backends,
            names,
            instances,
        } = seen;
        self.groups.extend(groups);
        self.listeners.extend(listeners);
        self.records.extend(records);
        self.backends.extend(backends);
        self.names.extend(names);
        for (region, found) in instances {
            match (self.instances.get_mut(&region), found) {
                (Some(Ok(known)), Ok(found)) => {
                    for (address, instances) in found {
                        known.entry(address).or_default().extend(instances);
                    }
                }
                (Some(Ok(_)), Err(_)) => {}
                (_, found) => drop(self.instances.insert(region, found)),
            }
        }
    }

    /// What the members of one site answered.
    #[must_use]
    pub fn answers_of(&self, site: Option<&SiteName>) -> &Answers {
        self.sites.iter().find(|(name, _)| name.as_ref() == site).map_or(&NO_ANSWERS, |(_, answers)| answers)
    }
}

/// What one member answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberAnswer {
    /// The address that answered: it shows whether two names are one member or two.
    pub peer: Option<SocketAddr>,
    /// `GET /primary`.
    pub status: Read<MemberStatus>,
    /// `GET /cluster`.
    pub view: Read<ClusterView>,
}

/// The end of a timeline by a promotion: one line of `GET /history`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEnd {
    /// The timeline that ended.
    pub timeline: Timeline,
    /// When, by the clock of the member that was promoted; unknown until it has written that down.
    pub at: Option<Utc>,
    /// Who was promoted; unknown before Patroni 2.1.1.
    pub new_leader: Option<MemberName>,
}

/// A member's account of itself: the status and the JSON of `GET /primary`, which come with 200 and with 503.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberStatus {
    /// Whether the status was 200: the member holds the leader key, or believes so until its TTL has run out. Role and
    /// state are not checked by Patroni for this (`api.py`, `do_GET`).
    pub answers_primary: bool,
    /// Its own role.
    pub role: Role,
    /// The state of its PostgreSQL.
    pub state: PostgresState,
    /// Its timeline; absent while PostgreSQL cannot be queried.
    pub timeline: Option<Timeline>,
    /// Its system identifier; absent while PostgreSQL cannot be queried.
    pub system_id: Option<SystemId>,
    /// `patroni.scope`.
    pub scope: Option<Scope>,
    /// `patroni.name`, since 3.2.
    pub name: Option<MemberName>,
    /// The members that stream from it: `replication` lists them by their `application_name`, which Patroni sets to the
    /// member's name (`patroni/postgresql/config.py`, `primary_conninfo_params`).
    pub feeds: BTreeSet<MemberName>,
    /// Where it is in the WAL; nothing while PostgreSQL cannot be queried.
    pub wal: Wal,
    /// Maintenance mode, as it last read it from the DCS.
    pub paused: bool,
    /// Failsafe mode keeps the primary while the DCS is down: `failsafe_mode_is_active`, since 3.0. The primary says so, and each
    /// member that it has asked.
    pub failsafe: bool,
}

/// Where a member is in the WAL: `xlog` of its own JSON, in bytes from the beginning (`api.py`, `get_postgresql_status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wal {
    /// `location`: how far it has written; only out of recovery.
    pub written: Option<u64>,
    /// `received_location`: how far it has received from another member; only in recovery.
    pub received: Option<u64>,
    /// `replayed_location`: how far it has replayed; only in recovery.
    pub replayed: Option<u64>,
}

impl Wal {
    /// How far its WAL goes, written or received; a member that replays from the archive has received nothing for long.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.written.or(self.received.max(self.replayed))
    }
}

/// A member's account of its cluster: `GET /cluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClusterView {
    /// Since 3.2.
    pub scope: Option<Scope>,
    /// The members as listed.
    pub members: Vec<ClusterMember>,
    /// Maintenance mode.
    pub paused: bool,
    /// When a switchover is scheduled: `scheduled_switchover.at`, in Patroni's words.
    pub scheduled_switchover: Option<String>,
}

impl ClusterView {
    /// The entry of that name.
    #[must_use]
    pub fn member(&self, name: &MemberName) -> Option<&ClusterMember> {
        self.members.iter().find(|member| member.name == *name)
    }
}

/// One member as `GET /cluster` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterMember {
    /// Its name.
    pub name: MemberName,
    /// Its role by the leader key.
    pub role: ClusterRole,
    /// Its state when it last wrote its key.
    pub state: PostgresState,
    /// Where its REST API is; null for a member that has not published one, or not one that can be read.
    pub api_url: Option<ApiUrl>,
    /// Where Patroni says that its PostgreSQL listens.
    pub reported: Option<Address>,
    /// Where clients reach its PostgreSQL: what Patroni says, unless the configuration says otherwise.
    pub address: Option<Address>,
    /// Its timeline when it last wrote its key.
    pub timeline: Option<Timeline>,
    /// How much of the leader's WAL it has neither received nor replayed, in bytes: `lag`. `None` for the leader and where
    /// Patroni says `unknown`.
    pub lag_bytes: Option<u64>,
    /// How much of it it has not replayed, in bytes: `replay_lag`, since 4.1.0.
    pub replay_lag_bytes: Option<u64>,
    /// The tag that keeps clients away.
    pub noloadbalance: bool,
    /// The tag that keeps it from being promoted.
    pub nofailover: bool,
}
