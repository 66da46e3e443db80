//! One narrow trait for each outside thing, over `domain`'s types.
//!
//! A port asks or does one thing and decides nothing. What it cannot read is a [`Failure`], which is data (invariant 2).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

pub use crate::limits::Clock;
use crate::limits::{Asked, Calls, LeaseGuard};
use crate::unsaved::Unsaved;
use repoint_domain::alerts::AlertTopic;
use repoint_domain::history::Reading;
use repoint_domain::observed::{InstancesByAddress, MemberAnswer, MemberStatus, Read, TimelineEnd};
use repoint_domain::spec::Discover;
use repoint_domain::state::{OutboxMessage, PendingEvent, State};
use repoint_domain::values::arn::{GroupArn, ListenerArn, TopicArn};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::{ApiUrl, EntryName};
use repoint_domain::values::failure::Failure;
use repoint_domain::values::haproxy::{Backend, BackendKey, ServerChange};
use repoint_domain::values::listener::{Forward, Listener};
use repoint_domain::values::record::{ChangeId, Listing, RecordChange, RecordPlace, ZoneId};
use repoint_domain::values::target::{Target, TargetGroup};

/// The REST API of Patroni's members.
#[async_trait]
pub trait Patroni: Send + Sync {
    /// Asks one member for `GET /primary` and `GET /cluster`, within the configured timeouts. They run from when the
    /// request is sent, which is noted in `asked`.
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer;

    /// Asks one member for `GET /primary` alone.
    async fn status(&self, url: &ApiUrl) -> Read<MemberStatus> {
        self.ask(url, &Asked::default()).await.status
    }

    /// Asks one member for `GET /history`. No pass does, so what only passes talk to has none.
    async fn history(&self, _url: &ApiUrl) -> Read<Vec<TimelineEnd>> {
        Ok(Vec::new())
    }
}

/// Where members may be that no configuration names.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// The REST APIs that members of a cluster may have, as of the last minute; never none: that is a failure.
    async fn seeds(&self, discover: &Discover) -> Read<BTreeSet<ApiUrl>>;
}

/// NLB target groups.
#[async_trait]
pub trait TargetGroups: Send + Sync {
    /// The group's targets and their type, and if asked for its health check.
    async fn read(&self, arn: &GroupArn, with_check: bool) -> Read<TargetGroup>;

    /// Adds targets; one that is registered already is no error.
    async fn register(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard) -> Result<(), Failure>;

    /// Deregisters targets; one that is not registered is no error.
    async fn deregister(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard)
    -> Result<(), Failure>;
}

/// Listeners of Network Load Balancers.
#[async_trait]
pub trait Listeners: Send + Sync {
    /// What the listener does with a new connection.
    async fn read(&self, arn: &ListenerArn) -> Read<Listener>;

    /// Changes how the listener forwards, and nothing else of it.
    async fn forward(&self, arn: &ListenerArn, forward: &Forward, guard: &LeaseGuard) -> Result<(), Failure>;
}

/// Hosted zones.
#[async_trait]
pub trait Zones: Send + Sync {
    /// The record sets of these names and types, all in `zone`.
    async fn read(&self, zone: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing>;

    /// Makes the changes; for each, in their order, with which batch it was accepted. Route 53 takes a batch whole or not
    /// at all.
    async fn change(
        &self,
        zone: &ZoneId,
        changes: &[RecordChange],
        guard: &LeaseGuard,
    ) -> Vec<Result<ChangeId, Failure>>;

    /// Whether all of Route 53's servers have a batch. One request, without a retry.
    async fn is_insync(&self, change: &ChangeId) -> Read<bool>;
}

/// Backends of HAProxy on this machine.
#[async_trait]
pub trait Backends: Send + Sync {
    /// The backend with its servers.
    async fn read(&self, key: &BackendKey) -> Read<Backend>;

    /// Changes a server, and makes sure that it is changed.
    async fn change(
        &self,
        key: &BackendKey,
        change: &ServerChange,
        guard: &LeaseGuard,
    ) -> Result<(), Failure>;
}

/// EC2 instances.
#[async_trait]
pub trait Instances: Send + Sync {
    /// Finds the running instances that have these private addresses, in the account of the role, or the process's own.
    async fn find(
        &self,
        region: &str,
        role: Option<&AssumedRole>,
        addresses: &BTreeSet<IpAddr>,
    ) -> Read<InstancesByAddress>;
}

/// Host names.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of a host.
    async fn resolve(&self, host: &str) -> Read<Vec<IpAddr>>;
}

/// Topics, where alerts go.
#[async_trait]
pub trait Topics: Send + Sync {
    /// Publishes a message to a topic.
    async fn publish(&self, topic: &TopicArn, message: &OutboxMessage) -> Result<(), Failure>;
}

/// Where the state is stored.
#[async_trait]
pub trait Store: Send + Sync {
    /// The state of an entry; the default, if none was ever saved.
    async fn load(&self, entry: &EntryName) -> Read<State>;

    /// Saves `state` if the revision just before its own is the one that is stored; else [`Kind::Conflict`].
    ///
    /// [`Kind::Conflict`]: repoint_domain::values::failure::Kind::Conflict
    async fn save(&self, entry: &EntryName, state: &State) -> Result<(), Failure>;

    /// Whether a save would fail, as far as that is known without one: what will block the next failover is reported now
    /// (invariant 12).
    async fn check(&self, _entry: &EntryName) -> Result<(), Failure> {
        Ok(())
    }
}

/// Where the history is stored: beside the state.
#[async_trait]
pub trait History: Send + Sync {
    /// Stores events of an entry. One that is stored already is no error, whichever process has stored it.
    async fn store(&self, entry: &EntryName, events: &[PendingEvent]) -> Result<(), Failure>;

    /// The stored events of entries, of which `last_events` has the numbers of the last ones; for each entry, what can be read
    /// of its newest `most`, or of all that are kept.
    async fn stored(
        &self,
        last_events: &BTreeMap<EntryName, u64>,
        most: Option<u64>,
    ) -> BTreeMap<EntryName, Read<Reading>>;
}

/// What tells of the members of clusters.
#[derive(Clone)]
pub struct MemberPorts {
    /// Their REST API.
    pub patroni: Arc<dyn Patroni>,
    /// Where they may be.
    pub discovery: Arc<dyn Discovery>,
}

/// Everything a pass over one cluster talks to.
#[derive(Clone)]
pub struct Ports {
    /// Members.
    pub members: MemberPorts,
    /// Target groups.
    pub groups: Arc<dyn TargetGroups>,
    /// Listeners.
    pub listeners: Arc<dyn Listeners>,
    /// Hosted zones.
    pub zones: Arc<dyn Zones>,
    /// HAProxy.
    pub backends: Arc<dyn Backends>,
    /// EC2; absent in a build without it.
    pub instances: Option<Arc<dyn Instances>>,
    /// Host names.
    pub resolver: Arc<dyn Resolver>,
    /// Topics.
    pub topics: Arc<dyn Topics>,
    /// The topics that get alerts; empty where none is configured.
    pub alert_topics: Arc<[AlertTopic]>,
    /// The state store.
    pub store: Arc<dyn Store>,
    /// The history.
    pub history: Arc<dyn History>,
    /// What this process knows while the state store is unavailable; it outlives passes.
    pub unsaved: Unsaved,
    /// The date.
    pub clock: Arc<dyn Clock>,
    /// The name of this pass in leases, which no other has: host, process and a number.
    pub identity: String,
    /// The requests that the ports above make to AWS.
    pub calls: Calls,
}
