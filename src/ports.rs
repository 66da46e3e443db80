//! One narrow trait for each outside thing, over `domain`'s types.
//!
//! Law: a port asks or does one thing and does not think; what it cannot read it says, as a [`Failure`].

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

pub use crate::limits::Clock;
use crate::limits::{Asked, Calls, LeaseGuard};
use crate::unsaved::Unsaved;
use repoint_domain::observed::{InstancesByAddress, MemberAnswer, Read};
use repoint_domain::state::{OutboxMessage, State};
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::{ApiUrl, EntryName};
use repoint_domain::values::failure::Failure;
use repoint_domain::values::listener::{Forward, Listener};
use repoint_domain::values::record::{ChangeId, Listing, RecordChange, RecordPlace, ZoneId};
use repoint_domain::values::target::{Target, TargetGroup};

/// The REST API of Patroni's members.
#[async_trait]
pub trait Patroni: Send + Sync {
    /// Asks one member for `GET /primary` and `GET /cluster`, within the configured timeouts. They run from when the
    /// question is sent, which `asked` is told.
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer;
}

/// NLB target groups.
#[async_trait]
pub trait TargetGroups: Send + Sync {
    /// The group's targets and their type, and if asked for its health check.
    async fn read(&self, arn: &GroupArn, with_check: bool) -> Read<TargetGroup>;

    /// Adds targets; one that is registered already is no error.
    async fn register(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard) -> Result<(), Failure>;

    /// Takes targets out; one that is not registered is no error.
    async fn deregister(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard)
    -> Result<(), Failure>;
}

/// Listeners of Network Load Balancers.
#[async_trait]
pub trait Listeners: Send + Sync {
    /// What the listener does with a new connection.
    async fn read(&self, arn: &ListenerArn) -> Read<Listener>;

    /// Lets the listener forward so, and leaves everything else of it as it is.
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

    /// Whether all of Route 53's servers have a batch. Asked once, without a retry.
    async fn is_insync(&self, change: &ChangeId) -> Read<bool>;
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

/// Where alerts go.
#[async_trait]
pub trait Topic: Send + Sync {
    /// Tells people.
    async fn publish(&self, message: &OutboxMessage) -> Result<(), Failure>;
}

/// Where memory is kept.
#[async_trait]
pub trait Store: Send + Sync {
    /// What is remembered of an entry; nothing, if it was never saved.
    async fn load(&self, entry: &EntryName) -> Read<State>;

    /// Saves `state` if the revision just before its own is the one that is stored; else [`Kind::Conflict`].
    ///
    /// [`Kind::Conflict`]: repoint_domain::values::failure::Kind::Conflict
    async fn save(&self, entry: &EntryName, state: &State) -> Result<(), Failure>;

    /// Whether a save would fail, as far as that can be told without one: what will block the next failover is to be told
    /// now, not then.
    async fn check(&self, _entry: &EntryName) -> Result<(), Failure> {
        Ok(())
    }
}

/// Everything a pass over one cluster talks to.
#[derive(Clone)]
pub struct Ports {
    /// Patroni.
    pub patroni: Arc<dyn Patroni>,
    /// Target groups.
    pub groups: Arc<dyn TargetGroups>,
    /// Listeners.
    pub listeners: Arc<dyn Listeners>,
    /// Hosted zones.
    pub zones: Arc<dyn Zones>,
    /// EC2; absent in a build without it.
    pub instances: Option<Arc<dyn Instances>>,
    /// Host names.
    pub resolver: Arc<dyn Resolver>,
    /// Alerts; absent where none are configured.
    pub topic: Option<Arc<dyn Topic>>,
    /// Memory.
    pub store: Arc<dyn Store>,
    /// What this process knows while memory is out of reach; it outlives passes.
    pub unsaved: Unsaved,
    /// The date.
    pub clock: Arc<dyn Clock>,
    /// Who we are, for the others: host and process.
    pub identity: String,
    /// The requests that the ports above make to AWS.
    pub calls: Calls,
}
