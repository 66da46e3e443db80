//! Hosted zones and health checks: set-up, and the switches that tests turn.
//!
//! A new zone has its NS and SOA records, as Route 53 makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::Account;
use super::super::error::AwsError;
use super::super::history::History;
use super::super::service::Operation;
use super::bare;
use super::name::Name;
use super::record::{RecordKey, RecordSet};
use crate::Millis;

const CREATE: Operation = Operation::route53("route53:CreateHostedZone");
const LIST: Operation = Operation::route53("route53:ListHostedZones");
const CREATE_CHECK: Operation = Operation::route53("route53:CreateHealthCheck");

/// Shared, since every change of a zone keeps the state before it.
pub(super) type Records = BTreeMap<RecordKey, Arc<RecordSet>>;

#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) id: String,
    pub(super) name: Name,
    pub(super) records: History<Records>,
    /// Name and type of record sets that may not be changed.
    pub(super) protected: BTreeSet<(Name, String)>,
}

impl Account {
    /// `CreateHostedZone`: its id.
    ///
    /// # Errors
    /// `InvalidDomainName`.
    pub fn create_hosted_zone(&mut self, now: Millis, name: &str) -> Result<String, AwsError> {
        self.call(now, CREATE, "*", |account| {
            if name.trim_end_matches('.').is_empty() {
                return Err(AwsError::new("InvalidDomainName", "The domain name is empty"));
            }
            let id = format!("Z{}", account.next_id().to_uppercase());
            let soa = "ns-1.awsdns-01.org. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400";
            let servers = ["ns-1.awsdns-01.org.", "ns-2.awsdns-02.com."];
            let records: Records = [
                RecordSet::simple(name, "NS", 172_800, &servers),
                RecordSet::simple(name, "SOA", 900, &[soa]),
            ]
            .into_iter()
            .map(|set| (set.key.clone(), Arc::new(set)))
            .collect();
            let zone = Zone {
                id: id.clone(),
                name: Name::new(name),
                records: History::new(now, records),
                protected: BTreeSet::new(),
            };
            account.dns.zones.insert(id.clone(), zone);
            Ok(id)
        })
    }

    /// `ListHostedZones`: id and name of each.
    ///
    /// # Errors
    /// Only calls by the wire.
    pub fn list_hosted_zones(&mut self, now: Millis) -> Result<Vec<(String, String)>, AwsError> {
        self.call(now, LIST, "*", |account| {
            let zones = account.dns.zones.iter();
            Ok(zones.map(|(id, zone)| (id.clone(), zone.name.to_string())).collect())
        })
    }

    /// `CreateHealthCheck`: its id. It begins healthy; what it checks is the test's to say.
    ///
    /// # Errors
    /// Only calls by the wire.
    pub fn create_health_check(&mut self, now: Millis) -> Result<String, AwsError> {
        self.call(now, CREATE_CHECK, "*", |account| {
            let id = account.next_id();
            let id = format!("{}-{}-4000-8000-{:0>12.12}", &id[..8], &id[8..12], id);
            account.dns.health_checks.insert(id.clone(), true);
            Ok(id)
        })
    }

    /// What the health checkers find from now on.
    pub fn set_health_check(&mut self, id: &str, healthy: bool) {
        self.dns.health_checks.insert(id.to_owned(), healthy);
    }

    /// Protects the record sets of a name and type, or no longer (Route 53, "record set protection").
    pub fn protect_records(&mut self, zone: &str, name: &str, record_type: &str, protected: bool) {
        if let Some(zone) = self.dns.zones.get_mut(bare(zone)) {
            let place = (Name::new(name), record_type.to_owned());
            if protected {
                zone.protected.insert(place)
            } else {
                zone.protected.remove(&place)
            };
        }
    }

    /// While set, changes of the zone are refused with `PriorRequestNotComplete`.
    pub fn set_prior_request_pending(&mut self, zone: &str, pending: bool) {
        let zone = bare(zone).to_owned();
        if pending {
            self.dns.busy.insert(zone)
        } else {
            self.dns.busy.remove(&zone)
        };
    }
}
