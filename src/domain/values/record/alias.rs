//! Aliases: a record set that answers with what another AWS resource answers.
//!
//! It is kept as it was read, and two spellings of one target are one target.

use std::fmt;

use super::{RecordName, ZoneId};

/// Where an alias leads (Route 53 API, `AliasTarget`). It has no TTL of its own: the target's is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The hosted zone of the target, and not the record's own: a load balancer's `CanonicalHostedZoneId`, say.
    pub zone: ZoneId,
    /// The target's name as read or as given; `dualstack.` in front is part of it.
    pub dns_name: String,
    /// Whether the record set counts as healthy only while the target is. A failover alias must say so.
    pub evaluate_target_health: bool,
}

impl Alias {
    /// Whether both are the same to Route 53, which knows a name in one spelling.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let name = |alias: &Self| RecordName::new(&alias.dns_name);
        self.zone == other.zone
            && name(self) == name(other)
            && self.evaluate_target_health == other.evaluate_target_health
    }
}

/// The target's name, without the dot at its end.
impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.dns_name.strip_suffix('.').unwrap_or(&self.dns_name))
    }
}
