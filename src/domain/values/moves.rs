//! A move of endpoints, and why: values that are stored, reported and alerted.

use serde::{Deserialize, Serialize};

use super::cluster::SiteName;

/// Why endpoints move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveCause {
    /// The first time that repoint sees this cluster.
    Adoption,
    /// Another member was promoted, and the one before it lives on as a replica.
    Switchover,
    /// Another member was promoted after the one before it was lost.
    Failover,
    /// The primary is the one it was: an endpoint was changed by another program or by hand.
    Correction,
    /// The primary is the one it was: endpoints that were held, or whose change failed, follow it now.
    Late,
    /// The primary is the one it was: another standby is pointed at.
    Standby,
    /// The primary is the one it was: members have come into an endpoint that does not follow it alone, or left it.
    Members,
    /// The state could not be read, so what was before is unknown; or a newer version wrote another cause.
    #[serde(other)]
    Unknown,
}

impl MoveCause {
    /// In snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adoption => "adoption",
            Self::Switchover => "switchover",
            Self::Failover => "failover",
            Self::Correction => "correction",
            Self::Late => "late",
            Self::Standby => "standby",
            Self::Members => "members",
            Self::Unknown => "unknown",
        }
    }
}

/// A move of endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Why.
    pub cause: MoveCause,
    /// What the endpoints followed before: a member's name, or an address that no member has.
    pub previous: Option<String>,
    /// The site that the endpoints followed before, if it was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_site: Option<SiteName>,
}
