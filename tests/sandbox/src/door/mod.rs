//! The door for `repoint`'s own ports: one thread, simulated time, every choice from one seed.
//!
//! Law: a call is three moments. It leaves (and may be lost, or its caller stopped for a while), it arrives and does its
//! work on the world at once, and its answer comes back (or is lost). Its caller may die at any of them; what has left
//! arrives all the same.

mod balancing;
mod dns;
mod failure;
mod line;
mod listening;
mod members;
mod resources;
mod state;
mod topic;
mod weather;

use std::sync::Arc;

use repoint::limits::Calls;
use repoint::ports::Ports;
use repoint::runtime::zone_batcher::ZoneBatcher;
use repoint::unsaved::Unsaved;

pub(crate) use dns::{ours, their_alias};
pub use line::{Line, Shared};
pub(crate) use listening::ours as forward_of;
pub use resources::{DEREGISTER_AFTER, MAX_LAG_BYTES, NAME, PORT, Resources, Shape, TTL, Weighted};
pub(crate) use resources::{urls, weights};
pub use state::Table;
pub use weather::Weather;

/// The ports of one reconciler for one pass, under a name that no other pass has.
#[must_use]
pub fn ports(line: &Line, identity: String) -> Ports {
    let line = Line { identity: identity.clone(), ..line.clone() };
    let calls = Calls::default();
    Ports {
        patroni: Arc::new(line.clone()),
        groups: Arc::new(line.clone()),
        listeners: Arc::new(line.clone()),
        zones: ZoneBatcher::default().zones(Arc::new(line.clone()), calls.clone()),
        instances: Some(Arc::new(line.clone())),
        resolver: Arc::new(line.clone()),
        topic: Some(Arc::new(line.clone())),
        store: Arc::new(line.clone()),
        unsaved: Unsaved::default(),
        clock: Arc::new(line),
        identity,
        calls,
    }
}
