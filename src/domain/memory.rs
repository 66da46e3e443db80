//! What earlier passes knew of a cluster.
//!
//! Law: memory only ever makes repoint more careful. Nothing is moved because of it.

use serde::{Deserialize, Serialize};

use super::cluster::{SystemId, Timeline};

/// What is remembered of one cluster; the default is to know nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The highest timeline that was ever applied.
    pub highest_timeline: Option<Timeline>,
    /// The system identifier that timeline belongs to.
    pub system_id: Option<SystemId>,
}
