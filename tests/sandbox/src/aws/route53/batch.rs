//! `ChangeResourceRecordSets` and `GetChange`.
//!
//! The changes of a batch are tried in order on a copy; the copy replaces the zone only if all went well. That the
//! order counts was seen where an A record was to become a CNAME (cookpad/roadworker#89).

use std::sync::Arc;

use super::super::Account;
use super::super::error::AwsError;
use super::super::policy::Says;
use super::super::service::{Operation, Service};
use super::name::Name;
use super::record::{Alias, Answer, RecordSet};
use super::rules;
use super::zone::{Records, Zone};
use super::{bare, no_zone};
use crate::Millis;

const CHANGE: Operation = Operation::route53("route53:ChangeResourceRecordSets");
const GET_CHANGE: Operation = Operation::route53("route53:GetChange");

/// Route 53 guide, "Quotas": both count twice for UPSERT.
const MOST_RECORDS: usize = 1000;
const MOST_CHARACTERS: usize = 32_000;

/// What to do with a record set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeAction {
    /// It must not be there.
    Create,
    /// It must be there, with exactly these values.
    Delete,
    /// Whatever is there, this replaces it.
    Upsert,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What to do.
    pub action: ChangeAction,
    /// With which record set.
    pub set: RecordSet,
}

/// Where a change is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeInfo {
    /// Without `/change/`.
    pub id: String,
    /// Whether all name servers have it.
    pub in_sync: bool,
    /// When it was submitted.
    pub submitted_at: Millis,
}

/// What IAM's conditions see of a batch (Route 53 Developer Guide, "Using IAM policy conditions for fine-grained access control").
fn said(changes: &[Change]) -> Says {
    let each = |what: fn(&Change) -> String| changes.iter().map(what).collect();
    Says::from([
        (
            "route53:ChangeResourceRecordSetsNormalizedRecordNames",
            each(|change| change.set.key.name.as_str().trim_end_matches('.').to_owned()),
        ),
        ("route53:ChangeResourceRecordSetsRecordTypes", each(|change| change.set.key.record_type.clone())),
        (
            "route53:ChangeResourceRecordSetsActions",
            each(|change| match change.action {
                ChangeAction::Create => "CREATE".to_owned(),
                ChangeAction::Delete => "DELETE".to_owned(),
                ChangeAction::Upsert => "UPSERT".to_owned(),
            }),
        ),
    ])
}

impl Account {
    /// `ChangeResourceRecordSets`.
    ///
    /// # Errors
    /// `NoSuchHostedZone`, `NoSuchHealthCheck`, `InvalidChangeBatch` with one line for each thing that is wrong,
    /// `PriorRequestNotComplete`, `InvalidInput`.
    pub fn change_resource_record_sets(
        &mut self,
        now: Millis,
        zone_id: &str,
        changes: &[Change],
    ) -> Result<ChangeInfo, AwsError> {
        self.call_saying(now, CHANGE, &self.zone_arn(zone_id), &said(changes), |account| {
            let zone = account.zone(zone_id)?;
            if account.dns.busy.contains(bare(zone_id)) {
                let words = "The request was rejected because Route 53 was still processing a prior request.";
                return Err(AwsError::new("PriorRequestNotComplete", words));
            }
            check_size(changes)?;
            let checks = changes.iter().filter(|change| change.action != ChangeAction::Delete);
            for id in checks.filter_map(|change| change.set.health_check.as_ref()) {
                if !account.dns.health_checks.contains_key(id) {
                    let words = format!("No health check exists with the specified ID: {id}");
                    return Err(AwsError::new("NoSuchHealthCheck", words).with_status(404));
                }
            }
            let records = applied(zone, changes)?;
            let keep = account.lag(Service::Route53).max(account.settings.dns_propagation);
            *account.zone_mut(zone_id)?.records.change(now, keep) = records;
            let id = format!("C{}", account.next_id().to_uppercase());
            account.dns.changes.insert(id.clone(), now);
            Ok(account.change_info(now, &id, now))
        })
    }

    /// `GetChange`.
    ///
    /// # Errors
    /// `NoSuchChange`.
    pub fn get_change(&mut self, now: Millis, id: &str) -> Result<ChangeInfo, AwsError> {
        self.call(
            now,
            GET_CHANGE,
            &format!("arn:{}:route53:::change/{}", self.partition(), bare(id)),
            |account| {
                let Some(submitted_at) = account.dns.changes.get(bare(id)) else {
                    let words = format!("Could not find resource with ID: {}", bare(id));
                    return Err(AwsError::new("NoSuchChange", words).with_status(404));
                };
                Ok(account.change_info(now, bare(id), *submitted_at))
            },
        )
    }

    fn change_info(&self, now: Millis, id: &str, submitted_at: Millis) -> ChangeInfo {
        let in_sync = submitted_at + self.settings.dns_propagation <= now;
        ChangeInfo { id: id.to_owned(), in_sync, submitted_at }
    }

    /// Whether the zone is there; for reads that need no more of it.
    pub(super) fn has_zone(&self, id: &str) -> Result<(), AwsError> {
        if self.dns.zones.contains_key(bare(id)) { Ok(()) } else { Err(no_zone(id)) }
    }
}

/// Several problems are returned at once, a line for each.
fn applied(zone: &Zone, changes: &[Change]) -> Result<Records, AwsError> {
    let mut records = zone.records.latest().clone();
    let mut problems = Vec::new();
    for change in changes {
        if let Err(problem) = apply(zone, &mut records, change) {
            problems.push(problem);
        }
    }
    if problems.is_empty() {
        Ok(records)
    } else {
        Err(AwsError::new("InvalidChangeBatch", problems.join("\n")))
    }
}

fn apply(zone: &Zone, records: &mut Records, change: &Change) -> Result<(), String> {
    let set = &change.set;
    let place = (set.key.name.clone(), set.key.record_type.clone());
    if zone.protected.contains(&place) {
        return Err(format!("Resource record set {} is protected and cannot be changed", set.key.in_words()));
    }
    let standing = records.get(&set.key);
    match change.action {
        ChangeAction::Create if standing.is_some() => {
            Err(format!("Tried to create resource record set {} but it already exists", set.key.in_words()))
        }
        ChangeAction::Create | ChangeAction::Upsert => {
            rules::allow(zone, records, set)?;
            records.insert(set.key.clone(), Arc::new(set.clone()));
            Ok(())
        }
        ChangeAction::Delete => {
            let tried = format!("Tried to delete resource record set {} but", set.key.in_words());
            match standing {
                None => Err(format!("{tried} it was not found")),
                Some(standing) if !same(standing, set) => {
                    Err(format!("{tried} the values provided do not match the current values"))
                }
                Some(_)
                    if set.key.name == zone.name && ["NS", "SOA"].contains(&set.key.record_type.as_str()) =>
                {
                    Err(format!(
                        "A HostedZone must contain at least one {} record for the zone itself.",
                        set.key.record_type
                    ))
                }
                Some(_) => {
                    records.remove(&set.key);
                    Ok(())
                }
            }
        }
    }
}

/// The values of a record set have no order, and the name of an alias's target several spellings.
fn same(a: &RecordSet, b: &RecordSet) -> bool {
    let rest = |set: &RecordSet| (set.failover, set.weight, set.health_check.clone());
    let is_same_answer = match (&a.answer, &b.answer) {
        (Answer::Values { ttl, values }, Answer::Values { ttl: other_ttl, values: others }) => {
            let sorted = |values: &[String]| {
                let mut values = values.to_vec();
                values.sort();
                values
            };
            ttl == other_ttl && sorted(values) == sorted(others)
        }
        (Answer::Alias(alias), Answer::Alias(other)) => {
            let target = |alias: &Alias| (bare(&alias.zone).to_owned(), Name::new(&alias.name));
            target(alias) == target(other) && alias.evaluate_target_health == other.evaluate_target_health
        }
        _ => false,
    };
    is_same_answer && rest(a) == rest(b)
}

fn check_size(changes: &[Change]) -> Result<(), AwsError> {
    if changes.is_empty() {
        return Err(AwsError::new(
            "InvalidInput",
            "1 validation error detected: a batch needs at least one change",
        ));
    }
    let (mut records, mut characters) = (0, 0);
    for change in changes {
        let times = if change.action == ChangeAction::Upsert { 2 } else { 1 };
        if let Answer::Values { values, .. } = &change.set.answer {
            records += times * values.len();
            characters += times * values.iter().map(String::len).sum::<usize>();
        }
    }
    if records > MOST_RECORDS {
        let words = format!("Number of records limit of {MOST_RECORDS} exceeded.");
        return Err(AwsError::new("InvalidChangeBatch", words));
    }
    if characters > MOST_CHARACTERS {
        let words = format!("Record data limit of {MOST_CHARACTERS} characters exceeded.");
        return Err(AwsError::new("InvalidChangeBatch", words));
    }
    Ok(())
}
