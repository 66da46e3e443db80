//! The transport for `repoint`'s own ports: one thread, simulated time, every choice from one seed.
//!
//! A call has three steps. It leaves (and may be lost, or its caller stopped for a while), it arrives and does its
//! work on the world at once, and its answer comes back (or is lost). Its caller may die at any of them; what has left
//! arrives all the same.

mod backends;
mod discovery;
mod failure;
mod fault_rates;
mod history;
mod link;
mod listeners;
mod members;
mod resources;
mod state;
mod target_groups;
mod topic;
mod zones;

use std::sync::Arc;

use repoint::limits::Calls;
use repoint::ports::{MemberPorts, Ports};
use repoint::runtime::zone_batcher::ZoneBatcher;
use repoint::unsaved::Unsaved;

pub use fault_rates::FaultRates;
pub use link::{Link, Shared};
pub(crate) use listeners::ours as forward_of;
pub use resources::{DEREGISTER_AFTER, MAX_LAG_BYTES, NAME, PORT, Resources, Shape, TTL, Weighted};
pub(crate) use resources::{ip_group, tag, urls, weights};
pub use state::Table;
pub(crate) use zones::{ours, their_alias};

/// The ports of one reconciler for one pass, under a name that no other pass has.
#[must_use]
pub fn ports(link: &Link, identity: String) -> Ports {
    let link = Link { identity: identity.clone(), ..link.clone() };
    let calls = Calls::default();
    let alert_topics = link.world().resources.alert_topics.clone().into();
    Ports {
        members: MemberPorts { patroni: Arc::new(link.clone()), discovery: Arc::new(link.clone()) },
        groups: Arc::new(link.clone()),
        listeners: Arc::new(link.clone()),
        zones: ZoneBatcher::default().zones(Arc::new(link.clone()), calls.clone()),
        backends: Arc::new(link.clone()),
        instances: Some(Arc::new(link.clone())),
        resolver: Arc::new(link.clone()),
        topics: Arc::new(link.clone()),
        alert_topics,
        store: Arc::new(link.clone()),
        history: Arc::new(link.clone()),
        unsaved: Unsaved::default(),
        clock: Arc::new(link),
        identity,
        calls,
    }
}
