//! `ListResourceRecordSets`.
//!
//! Pages in the order of reversed names, then type, then identifier; PENDING changes are shown.

use std::ops::Bound;

use super::super::Account;
use super::super::error::AwsError;
use super::super::service::{Operation, Service};
use super::name::Name;
use super::record::{RecordKey, RecordSet};
use super::{bare, no_zone};
use crate::Millis;

const LIST: Operation = Operation::route53("route53:ListResourceRecordSets");
/// Asking for more is allowed, and gives no more (Route 53 API, `MaxItems`).
const PAGE: usize = 300;

/// Where a page starts. A type without a name is refused, and so is an identifier without a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFrom {
    /// The first name.
    pub name: Option<String>,
    /// The first type of that name.
    pub record_type: Option<String>,
    /// The first identifier of that type.
    pub set_identifier: Option<String>,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPage {
    /// In order.
    pub sets: Vec<RecordSet>,
    /// Where the next page starts; `None` if this is the last.
    pub next: Option<RecordKey>,
    /// How many a page may hold.
    pub max_items: usize,
}

impl Account {
    /// The record sets of a zone as they were last changed; none of an unknown zone. No call, no failure, no lag.
    #[must_use]
    pub fn record_sets(&self, zone_id: &str) -> Vec<RecordSet> {
        let zone = self.dns.zones.get(bare(zone_id));
        zone.into_iter().flat_map(|zone| zone.records.latest().values()).map(|set| (**set).clone()).collect()
    }

    /// One record set as it was last changed. No call, no failure, no lag.
    #[must_use]
    pub fn record_set(&self, zone_id: &str, key: &RecordKey) -> Option<&RecordSet> {
        self.dns.zones.get(bare(zone_id))?.records.latest().get(key).map(AsRef::as_ref)
    }

    /// `ListResourceRecordSets`. May lag.
    ///
    /// # Errors
    /// `NoSuchHostedZone`, `InvalidInput`.
    pub fn list_resource_record_sets(
        &mut self,
        now: Millis,
        zone_id: &str,
        from: &ListFrom,
        max_items: Option<usize>,
    ) -> Result<RecordPage, AwsError> {
        self.call(now, LIST, &self.zone_arn(zone_id), |account| {
            account.has_zone(zone_id)?;
            let start = start(from)?;
            let size = max_items.unwrap_or(PAGE).min(PAGE);
            if size == 0 {
                return Err(AwsError::new(
                    "InvalidInput",
                    "The maximum number of items must be greater than 0",
                ));
            }
            let seen = now.saturating_sub(account.lag(Service::Route53));
            let records = account.zone(zone_id)?.records.at(seen).ok_or_else(|| no_zone(zone_id))?;
            let bound = start.map_or(Bound::Unbounded, Bound::Included);
            let mut found = records.range((bound, Bound::Unbounded));
            let sets = found.by_ref().take(size).map(|(_, set)| set.as_ref().clone()).collect();
            let next = found.next().map(|(key, _)| key.clone());
            Ok(RecordPage { sets, next, max_items: size })
        })
    }
}

fn start(from: &ListFrom) -> Result<Option<RecordKey>, AwsError> {
    match (&from.name, &from.record_type, &from.set_identifier) {
        (None, None, None) => Ok(None),
        (None, _, _) => Err(AwsError::new("InvalidInput", "The input is not valid: a type needs a name")),
        (Some(_), None, Some(_)) => {
            Err(AwsError::new("InvalidInput", "The input is not valid: an identifier needs a type"))
        }
        (Some(name), record_type, set_identifier) => Ok(Some(RecordKey {
            name: Name::new(name),
            record_type: record_type.clone().unwrap_or_default(),
            set_identifier: set_identifier.clone(),
        })),
    }
}
