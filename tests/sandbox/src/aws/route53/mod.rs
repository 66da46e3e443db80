//! Route 53: hosted zones, record sets, changes, and what DNS answers.
//!
//! A batch is applied whole or not at all; the API shows it at once, DNS only when it is INSYNC.
//! Source: the Route 53 API reference (version 2013-04-01).

pub mod batch;
pub mod list;
pub mod name;
pub mod record;
pub mod resolve;
mod rules;
pub mod zone;

use std::collections::{BTreeMap, BTreeSet};

use self::zone::Zone;
use super::Account;
use super::error::AwsError;
use crate::Millis;

/// What the account has of Route 53.
#[derive(Clone, Debug, Default)]
pub(super) struct Dns {
    /// By id.
    zones: BTreeMap<String, Zone>,
    /// Healthy or not, by id.
    health_checks: BTreeMap<String, bool>,
    /// When they were submitted, by id.
    changes: BTreeMap<String, Millis>,
    /// Zones that have a change in the works that never ends.
    busy: BTreeSet<String>,
}

impl Account {
    /// As IAM names it.
    fn zone_arn(&self, id: &str) -> String {
        format!("arn:{}:route53:::hostedzone/{}", self.partition(), bare(id))
    }

    /// Whether the account has that zone.
    #[must_use]
    pub fn owns_zone(&self, id: &str) -> bool {
        self.dns.zones.contains_key(bare(id))
    }

    /// The ids of its zones.
    #[must_use]
    pub fn zone_ids(&self) -> Vec<String> {
        self.dns.zones.keys().cloned().collect()
    }

    fn zone(&self, id: &str) -> Result<&Zone, AwsError> {
        self.dns.zones.get(bare(id)).ok_or_else(|| no_zone(id))
    }

    fn zone_mut(&mut self, id: &str) -> Result<&mut Zone, AwsError> {
        self.dns.zones.get_mut(bare(id)).ok_or_else(|| no_zone(id))
    }
}

/// What Route 53 says of a zone that is another account's.
pub(super) fn foreign(user: &str) -> AwsError {
    AwsError::new("AccessDenied", format!("User: {user} is not authorized to access this resource"))
        .with_status(403)
}

/// Ids are accepted with the path that answers have in front of them.
fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn no_zone(id: &str) -> AwsError {
    AwsError::new("NoSuchHostedZone", format!("No hosted zone found with ID: {}", bare(id))).with_status(404)
}
