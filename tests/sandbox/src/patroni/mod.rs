//! Patroni clusters: members, their PostgreSQL, the DCS between them, and the REST API that they show.
//!
//! A member knows only what it has read from the DCS in its own HA loop; what it answers comes from that and from its
//! own PostgreSQL, never from the true state of the world. The [`Cluster`] says which members really take writes.
//!
//! The rules are those of Patroni 4.1 (`ha.py`, `api.py`, `utils.py`); what older versions say differently is in
//! [`Version`].

mod clock;
mod cluster;
mod dcs;
mod event;
mod faults;
mod ha;
mod member;
mod operator;
mod race;
pub mod rest;
mod settings;
mod tasks;
mod truth;

pub use cluster::Cluster;
pub use event::{Event, EventKind};
pub use faults::Wire;
pub use member::{Lag, MemberId, Spec, Tags};
pub use operator::Refusal;
pub use rest::Silence;
pub use settings::{DcsFailure, DcsOutage, Settings, Version};
