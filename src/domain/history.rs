//! What has happened to a cluster, for a reader: moves, conditions that were alerted, adoptions.
//!
//! It is written after the fact, and nothing is ever decided by it. It is stored beside the state and never in it; only the
//! events that are not stored yet wait there, as alerts do, so that a process that dies loses none (invariant 9).

mod event;
mod of_pass;
mod view;

pub use event::{Adoption, ConditionEvent, Happened, Head, HistoryEvent, MoveEvent, Step, VERSION};
pub use of_pass::{of_adoption, of_pass};
pub use view::{ClusterHistory, EventView, History, Promotions, Reading};
