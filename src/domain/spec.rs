//! What the configuration asks for.
//!
//! Invariant 7: only what is configured here is ever written.

mod discover;
pub mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::values::arn::{GroupArn, ListenerArn, RoleArn};
use crate::values::assume::AssumedRole;
use crate::values::cluster::{Address, ApiUrl, EntryName, MemberName, Scope, SiteName, SystemId};
use crate::values::endpoint::Endpoint;
use crate::values::haproxy::BackendKey;
use crate::values::record::{Alias, Failover, RecordKey};
pub use discover::{Discover, Source, Tag};

/// How far readers may be behind where nothing else is configured: one WAL segment, the unit in which PostgreSQL ships WAL.
pub const MAX_LAG_BYTES: u64 = 16 * 1024 * 1024;

/// One cluster and its endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spec {
    /// What this entry is called: unique in a configuration, and the key of its state.
    pub name: EntryName,
    /// What the cluster is called: Patroni's scope.
    pub scope: Scope,
    /// Where it runs, in the order of preference: one unnamed site, or several with names.
    #[serde(rename = "site")]
    pub sites: Vec<Site>,
    /// The system identifier that every member must have, where the operator has pinned one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_id: Option<SystemId>,
    /// The target groups, by ARN.
    #[serde(rename = "target_group", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupSpec>,
    /// The record sets, by key.
    #[serde(rename = "record", skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordSpec>,
    /// The backends of HAProxy, by key.
    #[serde(rename = "haproxy", skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<BackendSpec>,
}

impl Spec {
    /// Whether a callback of that scope is about this entry: its own scope, or that of one of its sites.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|its| its == scope)
    }

    /// Its scope, and those of its sites.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let sites = self.sites.iter().map(|site| site.scope.as_str());
        std::iter::once(self.scope.as_str()).chain(sites)
    }

    /// Everything that may be written: target groups, listeners, records and backends.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        let groups = self.groups.iter().map(|group| Endpoint::Group(group.arn.clone()));
        let listeners = self.listeners().into_iter().map(|arn| Endpoint::Listener(arn.clone()));
        let records = self.records.iter().map(|record| Endpoint::Record(record.key.clone()));
        let backends = self.backends.iter().map(|backend| Endpoint::Backend(backend.key.clone()));
        groups.chain(listeners.collect::<Vec<_>>()).chain(records).chain(backends)
    }

    /// How far each kind of readers may be behind.
    pub fn reader_limits(&self) -> impl Iterator<Item = u64> {
        self.readers().map(|(max_lag_bytes, _)| max_lag_bytes)
    }

    /// How far each kind of readers may be behind, and whether the primary takes their place while there is none.
    pub fn readers(&self) -> impl Iterator<Item = (u64, bool)> {
        let backends = self.backends.iter().map(|backend| backend.role);
        let roles = self.groups.iter().map(|group| group.role).chain(backends);
        let groups = roles.filter_map(|role| match role {
            GroupRole::Reader { max_lag_bytes, primary_fallback } => Some((max_lag_bytes, primary_fallback)),
            GroupRole::Writer => None,
        });
        let records = self.records.iter().filter_map(|record| match record.points_to {
            PointsTo::Readers { max_lag_bytes, primary_fallback } => Some((max_lag_bytes, primary_fallback)),
            PointsTo::Primary | PointsTo::Standby | PointsTo::Site => None,
        });
        groups.chain(records)
    }

    /// The listeners whose weights follow the primary.
    #[must_use]
    pub fn listeners(&self) -> BTreeSet<&ListenerArn> {
        self.weighted_sets().into_keys().flatten().collect()
    }

    /// The groups that stand behind the same listeners, with their members.
    #[must_use]
    pub fn weighted_sets(&self) -> BTreeMap<&[ListenerArn], Vec<(&MemberName, &GroupSpec)>> {
        let mut sets: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for group in &self.groups {
            if let Strategy::Weighted { listeners, member } = &group.strategy {
                sets.entry(&listeners[..]).or_default().push((member, group));
            }
        }
        sets
    }

    /// The same without its endpoints.
    #[must_use]
    pub fn without_endpoints(&self) -> Self {
        // Every field has its name here: a new kind of endpoint has to be decided about.
        let Self { name, scope, sites, system_id, groups: _, records: _, backends: _ } = self.clone();
        Self { name, scope, sites, system_id, groups: Vec::new(), records: Vec::new(), backends: Vec::new() }
    }

    /// The same with a part of the groups.
    #[must_use]
    pub fn with_groups(&self, which: impl Fn(&GroupSpec) -> bool) -> Self {
        let groups = self.groups.iter().filter(|group| which(group)).cloned().collect();
        Self { groups, ..self.clone() }
    }

    /// The same with the endpoints and the discovery whose calls are made under that role alone; `None`: the process's own credentials.
    #[must_use]
    pub fn under_role(&self, role: Option<&RoleArn>) -> Self {
        let is_under = |assume: &Option<AssumedRole>| assume.as_ref().map(|role| &role.arn) == role;
        let groups = self.groups.iter().filter(|group| is_under(&group.assume)).cloned().collect();
        let records = self.records.iter().filter(|record| is_under(&record.assume)).cloned().collect();
        let mut sites = self.sites.clone();
        for site in &mut sites {
            site.discover.take_if(|discover| !is_under(&discover.source.role().cloned()));
        }
        Self { sites, groups, records, ..self.without_endpoints() }
    }

    /// The same with its backends of HAProxy alone, which cost nothing to read.
    #[must_use]
    pub fn of_backends(&self) -> Self {
        Self { backends: self.backends.clone(), ..self.without_endpoints() }
    }

    /// The site of that name.
    #[must_use]
    pub fn site(&self, name: Option<&SiteName>) -> Option<&Site> {
        self.sites.iter().find(|site| site.name.as_ref() == name)
    }

    /// The first site other than that one. The order is the operator's, and nothing that comes and goes changes it, so that
    /// a record which points there rests.
    #[must_use]
    pub fn site_beside(&self, name: Option<&SiteName>) -> Option<&Site> {
        self.sites.iter().find(|site| site.name.as_ref() != name)
    }
}

/// One Patroni cluster: the whole, or one of those of which all but one replicate from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Site {
    /// What it is called; absent where the cluster is in one place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<SiteName>,
    /// The Region of its target groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Patroni's scope there, which every member that reports one must report.
    pub scope: Scope,
    /// The members to ask first; `/cluster` names the rest. Members of two sites may have the same names.
    pub members: Vec<ApiUrl>,
    /// Where others may be found that can be asked first.
    #[serde(skip)]
    pub discover: Option<Discover>,
    /// Where clients reach members that they do not reach where Patroni says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: BTreeMap<MemberName, Reached>,
    /// Where records lead that point at the site: its load balancer.
    #[serde(skip)]
    pub alias: Option<Alias>,
}

impl Site {
    /// Where clients reach a member's PostgreSQL, given where Patroni says that it listens.
    #[must_use]
    pub fn reached(&self, member: &MemberName, reported: Option<Address>) -> Option<Address> {
        let Some(Reached { host, port }) = self.addresses.get(member) else { return reported };
        let port = port.or(reported.map(|address| address.port))?;
        Some(Address { host: host.clone(), port })
    }
}

/// Where clients reach a member, where they are in another network than the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// An address, or a host name.
    pub host: String,
    /// The port; absent where it is the one that Patroni reports.
    pub port: Option<u16>,
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => Address { host: self.host.clone(), port }.fmt(f),
            None => f.write_str(&self.host),
        }
    }
}

impl Serialize for Reached {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A target group, which holds the members that belong to it and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupSpec {
    /// Which group.
    pub arn: GroupArn,
    /// The site whose primary it follows; while another site holds the primary it is left alone. Absent for one that
    /// follows the primary wherever it is.
    #[serde(skip)]
    pub site: Option<SiteName>,
    /// Which members belong to it.
    #[serde(flatten)]
    pub role: GroupRole,
    /// How it follows them.
    #[serde(flatten)]
    pub strategy: Strategy,
    /// The port to register, where it is not the one Patroni reports (a pooler in front of PostgreSQL, say).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The Availability Zone of its targets, or `all`, where AWS cannot derive it from their addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// The role that is assumed for its calls, its listener's and its instances'; absent: the process's own credentials.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub assume: Option<AssumedRole>,
}

impl GroupSpec {
    /// Whether it holds the primary and nothing else.
    #[must_use]
    pub fn holds_primary_alone(&self) -> bool {
        self.role == GroupRole::Writer && self.strategy == Strategy::Exclusive
    }
}

/// Which members belong to a target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum GroupRole {
    /// The primary.
    Writer,
    /// The replicas that may be read from.
    Reader {
        /// How far they may be behind.
        max_lag_bytes: u64,
        /// Whether the primary belongs to it while no replica does.
        primary_fallback: bool,
    },
}

/// How a target group follows the members that belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "strategy", rename_all = "snake_case")]
pub enum Strategy {
    /// It holds them alone: repoint chooses.
    Exclusive,
    /// It holds every member, and its health check on Patroni chooses: a failover then waits for no registration.
    Warm {
        /// How long a target stays that belongs to no member, in milliseconds.
        #[serde(rename = "deregister_after_seconds", serialize_with = "seconds")]
        deregister_after_ms: u64,
    },
    /// It holds one member, and stands behind a listener beside the groups of the others: repoint chooses, by weight.
    Weighted {
        /// Which listeners, in order, at least one. The groups of a set stand behind the same ones.
        #[serde(rename = "listener", serialize_with = "one_or_several")]
        listeners: Vec<ListenerArn>,
        /// Which member.
        member: MemberName,
    },
}

impl Strategy {
    /// The listeners that a group stands behind.
    #[must_use]
    pub fn listeners(&self) -> &[ListenerArn] {
        match self {
            Self::Weighted { listeners, .. } => listeners,
            Self::Exclusive | Self::Warm { .. } => &[],
        }
    }

    /// The one member that a group is for, if it is for one.
    #[must_use]
    pub fn member(&self) -> Option<&MemberName> {
        match self {
            Self::Weighted { member, .. } => Some(member),
            Self::Exclusive | Self::Warm { .. } => None,
        }
    }
}

/// As the configuration has it: a list only where there are several.
fn one_or_several<S: serde::Serializer>(listeners: &[ListenerArn], serializer: S) -> Result<S::Ok, S::Error> {
    match listeners {
        [only] => only.serialize(serializer),
        several => several.serialize(serializer),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn seconds<S: serde::Serializer>(milliseconds: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(f64::from(u32::try_from(*milliseconds).unwrap_or(u32::MAX)) / 1000.0)
}

/// Where a record points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "points_to", rename_all = "snake_case")]
pub enum PointsTo {
    /// The primary.
    Primary,
    /// The best standby.
    Standby,
    /// All replicas that may be read from: a value for each.
    Readers {
        /// How far they may be behind.
        max_lag_bytes: u64,
        /// Whether the primary takes their place while there is none.
        primary_fallback: bool,
    },
    /// The load balancer of the site that holds the primary; as SECONDARY, that of the first other site.
    Site,
}

impl PointsTo {
    /// Whether the record is an alias, which has neither values nor a TTL.
    #[must_use]
    pub fn is_alias(self) -> bool {
        match self {
            Self::Primary | Self::Standby | Self::Readers { .. } => false,
            Self::Site => true,
        }
    }
}

/// A record set that points at nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordSpec {
    /// Which record set.
    pub key: RecordKey,
    /// Its end of a failover pair; absent for a simple record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    /// Where it points.
    #[serde(flatten)]
    pub points_to: PointsTo,
    /// Time to live in seconds; unset: what the record has, [`DEFAULT_TTL_SECONDS`](crate::plan::DEFAULT_TTL_SECONDS)
    /// for a new one.
    #[serde(rename = "ttl", skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// Its health check; unset: what the record has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
    /// The role that is assumed for its calls; absent: the process's own credentials.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub assume: Option<AssumedRole>,
}

/// A backend of HAProxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackendSpec {
    /// Which one.
    #[serde(flatten)]
    pub key: BackendKey,
    /// Which members get its connections.
    #[serde(flatten)]
    pub role: GroupRole,
    /// How it follows them.
    #[serde(flatten)]
    pub strategy: BackendStrategy,
    /// The port of its servers, where it is not the one that Patroni reports (a pooler in front of PostgreSQL, say).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// How a backend follows the members that get its connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "strategy", rename_all = "snake_case")]
pub enum BackendStrategy {
    /// It has a server for each member, which HAProxy checks; what repoint knows sooner, it says.
    Warm {
        /// The options of a server that is added for a member that has none; absent: none is added.
        #[serde(skip_serializing_if = "Option::is_none")]
        server_options: Option<String>,
    },
    /// It has one server, unchecked, which repoint points at the primary.
    Exclusive {
        /// The server's name.
        server: String,
    },
}
