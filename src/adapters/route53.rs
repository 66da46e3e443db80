//! Record sets over the Route 53 API.
//!
//! A change is a DELETE of exactly what was read and a CREATE of what is wanted, in one batch, which Route 53 applies
//! completely or not at all. So it is a compare-and-swap: it fails if the record set has changed since it was read,
//! and never overwrites another change (invariant 7).

mod last_error;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::Builder;
use aws_sdk_route53::config::retry::RetryConfig;
use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ChangeInfo, ChangeStatus, ResourceRecord,
    ResourceRecordSet, ResourceRecordSetFailover, RrType,
};
use tokio::time::timeout_at;

use super::aws::{Call, failure, prompt};
use crate::limits::{Calls, LeaseGuard};
use crate::ports::Zones;
use last_error::LastError;
use repoint_domain::observed::Read;
use repoint_domain::rates::RateKey;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::{
    Alias, Answer, ChangeId, Failover, Listing, RecordChange, RecordKey, RecordName, RecordPlace, RecordSet,
    RecordType, Routing, SetIdentifier, ZoneId,
};

const LIST: &str = "route53:ListResourceRecordSets";
const CHANGE: &str = "route53:ChangeResourceRecordSets";
const GET_CHANGE: &str = "route53:GetChange";
/// The most record sets of one page (`ListResourceRecordSets`, `MaxItems`).
const PAGE: i32 = 300;

/// Hosted zones.
#[derive(Clone)]
pub struct Route53 {
    client: Client,
    calls: Calls,
}

impl Route53 {
    /// Shares the client; counts requests in `calls`.
    #[must_use]
    pub fn new(client: Client, calls: Calls) -> Self {
        Self { client, calls }
    }
}

#[async_trait]
impl Zones for Route53 {
    /// Reads from the first wanted name on, and continues at the first wanted name that the page did not reach:
    /// neighbouring names share a page, and a large zone is not read completely.
    async fn read(&self, zone: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        let mut found: Listing = places.iter().map(|place| (place.clone(), Vec::new())).collect();
        let mut missing: BTreeSet<(String, &str)> = places.iter().map(listing_key).collect();
        let names: BTreeMap<String, &RecordName> =
            places.iter().map(|place| (place.name.listing_key(), &place.name)).collect();
        let mut identifier: Option<String> = None;
        while let Some((key, record_type)) = missing.first().cloned() {
            let _leave = self.calls.read(&RateKey::Route53).await;
            let answer = self
                .client
                .list_resource_record_sets()
                .hosted_zone_id(zone.as_str())
                .set_start_record_name(names.get(&key).map(|name| name.as_str().to_owned()))
                .start_record_type(RrType::from(record_type))
                .set_start_record_identifier(identifier.take())
                .max_items(PAGE)
                .customize()
                .interceptor(Call::new(&self.calls, LIST).on(&RateKey::Route53))
                .send()
                .await
                .map_err(|error| failure(LIST, zone.as_str(), &error))?;
            for set in answer.resource_record_sets() {
                if let Some(set) = record_set(zone, set).filter(|set| found.contains_key(&set.key.place)) {
                    let sets = found.entry(set.key.place.clone()).or_default();
                    sets.retain(|known| known.key != set.key);
                    sets.push(set);
                }
            }
            let next = answer.next_record_name().zip(answer.next_record_type());
            let Some((name, next_type)) = next.filter(|_| answer.is_truncated()) else { break };
            let next = (RecordName::new(name).listing_key(), next_type.as_str());
            // A page may end within the record sets of one name and type; the next one continues there.
            if next.0 == key && next.1 == record_type {
                identifier = answer.next_record_identifier().map(str::to_owned);
                if identifier.is_none() {
                    return Err(invalid(LIST, zone, "a page that ends where it began"));
                }
            } else {
                missing.retain(|wanted| (wanted.0.as_str(), wanted.1) >= (next.0.as_str(), next.1));
                if missing.first().is_some_and(|first| first.0 == key && first.1 == record_type) {
                    return Err(invalid(LIST, zone, "pages that go backwards"));
                }
            }
        }
        Ok(found)
    }

    /// All changes are one batch, so all results are the same.
    async fn change(
        &self,
        zone: &ZoneId,
        changes: &[RecordChange],
        guard: &LeaseGuard,
    ) -> Vec<Result<ChangeId, Failure>> {
        let result = self.send(zone, changes, guard).await;
        let own =
            |change: &RecordChange, failure| Failure { resource: change.after.key.to_string(), ..failure };
        changes.iter().map(|change| result.clone().map_err(|failure| own(change, failure))).collect()
    }

    async fn is_insync(&self, change: &ChangeId) -> Read<bool> {
        let _leave = self.calls.read(&RateKey::Route53).await;
        // The caller asks again later, so the client does not retry.
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let answer = self
            .client
            .get_change()
            .id(change.as_str())
            .customize()
            .config_override(once)
            .interceptor(Call::new(&self.calls, GET_CHANGE).on(&RateKey::Route53))
            .send()
            .await
            .map_err(|error| failure(GET_CHANGE, change.as_str(), &error))?;
        Ok(answer.change_info().is_some_and(|info| *info.status() == ChangeStatus::Insync))
    }
}

impl Route53 {
    async fn send(
        &self,
        zone: &ZoneId,
        changes: &[RecordChange],
        guard: &LeaseGuard,
    ) -> Result<ChangeId, Failure> {
        let batch = batch(changes).map_err(|error| invalid(CHANGE, zone, &error.to_string()))?;
        let last_error = LastError::default();
        let _leave = self.calls.write(&RateKey::Route53).await;
        let call = self
            .client
            .change_resource_record_sets()
            .hosted_zone_id(zone.as_str())
            .change_batch(batch)
            .customize()
            .config_override(Builder::new().timeout_config(prompt()))
            .interceptor(Call::new(&self.calls, CHANGE).on(&RateKey::Route53).fenced(guard, zone.as_str()))
            .interceptor(last_error.clone())
            .send();
        match timeout_at(guard.until(), call).await {
            Ok(Ok(answer)) => Ok(change_id(answer.change_info().map(ChangeInfo::id).unwrap_or_default())),
            Ok(Err(error)) => Err(failure(CHANGE, zone.as_str(), &error)),
            Err(_) => Err(last_error.cut_off(CHANGE, zone.as_str())),
        }
    }
}

fn change_id(text: &str) -> ChangeId {
    ChangeId::new(text.strip_prefix("/change/").unwrap_or(text))
}

fn listing_key(place: &RecordPlace) -> (String, &'static str) {
    (place.name.listing_key(), place.record_type.as_str())
}

fn invalid(call: &str, zone: &ZoneId, message: &str) -> Failure {
    Failure::new(Kind::Invalid, call, zone.to_string(), message)
}

/// Converts a record set; `None` for types that cannot point at a member.
fn record_set(zone: &ZoneId, set: &ResourceRecordSet) -> Option<RecordSet> {
    let record_type = match set.r#type() {
        RrType::A => RecordType::A,
        RrType::Aaaa => RecordType::Aaaa,
        RrType::Cname => RecordType::Cname,
        _ => return None,
    };
    let key = RecordKey {
        place: RecordPlace { zone: zone.clone(), name: RecordName::new(set.name()), record_type },
        set_identifier: set.set_identifier().map(SetIdentifier::new),
    };
    let answer = match set.alias_target() {
        Some(alias) => Answer::Alias(Alias {
            zone: ZoneId::new(alias.hosted_zone_id()),
            dns_name: alias.dns_name().to_owned(),
            evaluate_target_health: alias.evaluate_target_health(),
        }),
        None => Answer::Values {
            ttl_seconds: set.ttl().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or_default(),
            values: set.resource_records().iter().map(|record| record.value().to_owned()).collect(),
        },
    };
    Some(RecordSet {
        key,
        routing: routing(set),
        answer,
        health_check_id: set.health_check_id().map(str::to_owned),
    })
}

fn routing(set: &ResourceRecordSet) -> Routing {
    let others = [
        (set.weight().is_some(), "weighted"),
        (set.region().is_some(), "latency"),
        (set.geo_location().is_some(), "geolocation"),
        (set.geo_proximity_location().is_some(), "geoproximity"),
        (set.multi_value_answer().is_some(), "multivalue"),
        (set.cidr_routing_config().is_some(), "IP-based"),
        (set.traffic_policy_instance_id().is_some(), "traffic policy"),
    ];
    if let Some((_, name)) = others.iter().find(|(present, _)| *present) {
        return Routing::Other((*name).to_owned());
    }
    match set.failover() {
        None => Routing::Simple,
        Some(ResourceRecordSetFailover::Primary) => Routing::Failover(Failover::Primary),
        Some(ResourceRecordSetFailover::Secondary) => Routing::Failover(Failover::Secondary),
        Some(other) => Routing::Other(format!("failover {}", other.as_str())),
    }
}

/// All deletions before all creations: two records may exchange values.
fn batch(changes: &[RecordChange]) -> Result<ChangeBatch, BuildError> {
    let before =
        changes.iter().filter_map(|change| change.before.as_ref()).map(|set| (ChangeAction::Delete, set));
    let after = changes.iter().map(|change| (ChangeAction::Create, &change.after));
    let changes = before
        .chain(after)
        .map(|(action, set)| Change::builder().action(action).resource_record_set(written(set)?).build())
        .collect::<Result<Vec<_>, _>>()?;
    ChangeBatch::builder().comment("repoint").set_changes(Some(changes)).build()
}

fn written(set: &RecordSet) -> Result<ResourceRecordSet, BuildError> {
    let mut builder = ResourceRecordSet::builder()
        .name(set.key.place.name.as_str())
        .r#type(RrType::from(set.key.place.record_type.as_str()))
        .set_set_identifier(set.key.set_identifier.as_ref().map(ToString::to_string))
        .set_health_check_id(set.health_check_id.clone());
    if let Routing::Failover(role) = set.routing {
        builder = builder.failover(ResourceRecordSetFailover::from(role.as_str()));
    }
    builder = match &set.answer {
        Answer::Values { ttl_seconds, values } => {
            let records = values.iter().map(|value| ResourceRecord::builder().value(value).build());
            builder
                .ttl(i64::from(*ttl_seconds))
                .set_resource_records(Some(records.collect::<Result<_, _>>()?))
        }
        Answer::Alias(alias) => builder.alias_target(
            AliasTarget::builder()
                .hosted_zone_id(alias.zone.as_str())
                .dns_name(&alias.dns_name)
                .evaluate_target_health(alias.evaluate_target_health)
                .build()?,
        ),
    };
    builder.build()
}
