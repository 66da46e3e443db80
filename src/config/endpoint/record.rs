//! Record sets: `[[cluster.record]]`.

mod points_to;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use toml::Spanned;

use super::dns::{record_name, zone_id};
use super::{Kind, Usage};
use crate::config::file::Cluster;
use crate::config::iam::Policy;
use crate::config::resolve::Resolver;
use repoint_domain::spec::{PointsTo, RecordSpec, Site, Spec};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::{EntryName, SiteName};
use repoint_domain::values::endpoint::Endpoint;
use repoint_domain::values::record::{Failover, RecordKey, RecordPlace, RecordType, SetIdentifier, ZoneId};

/// The highest TTL that Route 53 accepts (`ResourceRecordSet`, `TTL`).
const LONGEST_TTL: u32 = 2_147_483_647;

pub(super) const KIND: Kind = Kind { key: "record", resolve, allow, show };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub zone_id: Spanned<String>,
    pub name: Spanned<String>,
    #[serde(rename = "type")]
    pub kind: RecordType,
    pub set_identifier: Option<Spanned<String>>,
    pub failover: Option<Spanned<Failover>>,
    pub points_to: Spanned<PointsToName>,
    pub ttl: Option<Spanned<u32>>,
    pub health_check_id: Option<Spanned<String>>,
    pub max_lag_bytes: Option<Spanned<u64>>,
    pub primary_fallback: Option<Spanned<bool>>,
    pub role_arn: Option<Spanned<String>>,
    pub external_id: Option<Spanned<String>>,
}

/// What a record points to.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointsToName {
    Primary,
    Standby,
    Readers,
    Site,
}

/// The records of a cluster, in the order of their names.
fn resolve(resolver: &mut Resolver<'_>, cluster: &Cluster, role: Option<&AssumedRole>, spec: &mut Spec) {
    let records = cluster.record.iter();
    spec.records =
        records.filter_map(|record| resolver.record(&spec.name, &spec.sites, record, role)).collect();
    spec.records.sort_by(|a, b| a.key.cmp(&b.key));
}

/// Records belong to a cluster, and to none of its sites.
fn show(spec: &Spec, site: Option<&SiteName>) -> Vec<Value> {
    if site.is_none() { spec.records.iter().map(shown).collect() } else { Vec::new() }
}

fn shown(record: &RecordSpec) -> Value {
    let place = &record.key.place;
    let (points_to, readers) = match record.points_to {
        PointsTo::Primary => ("primary", None),
        PointsTo::Standby => ("standby", None),
        PointsTo::Site => ("site", None),
        PointsTo::Readers { max_lag_bytes, primary_fallback } => {
            ("readers", Some((max_lag_bytes, primary_fallback)))
        }
    };
    json!({
        "zone_id": place.zone,
        "name": place.name.to_string(),
        "type": place.record_type,
        "set_identifier": record.key.set_identifier,
        "failover": record.failover,
        "points_to": points_to,
        "max_lag_bytes": readers.map(|(limit, _)| limit),
        "primary_fallback": readers.map(|(_, fallback)| fallback),
        "ttl": record.ttl_seconds,
        "health_check_id": record.health_check_id,
        "role_arn": record.assume.as_ref().map(|role| &role.arn),
        "external_id": record.assume.as_ref().and_then(|role| role.external_id.as_ref()),
    })
}

fn allow(policy: &mut Policy, clusters: &[Spec], usage: Usage) {
    let zones = zones(clusters);
    for (zone, places) in &zones {
        policy.allow(&["route53:ListResourceRecordSets"], zone.as_str());
        if usage.inspects() {
            policy.allow(&["route53:GetHostedZone"], zone.as_str());
            policy.allow(&["route53:GetHealthCheck"], "");
        }
        if usage.writes() {
            let names: BTreeSet<&str> = places.iter().map(|(name, _)| *name).collect();
            let types: BTreeSet<&str> = places.iter().map(|(_, record_type)| *record_type).collect();
            let of_these = json!({ "ForAllValues:StringEquals": {
                "route53:ChangeResourceRecordSetsNormalizedRecordNames": names,
                "route53:ChangeResourceRecordSetsRecordTypes": types,
                // UPSERT is never needed: a change deletes exactly what was read, and creates what is wanted.
                "route53:ChangeResourceRecordSetsActions": ["CREATE", "DELETE"],
            } });
            policy.allow_if(&["route53:ChangeResourceRecordSets"], zone.as_str(), Some(&of_these));
        }
    }
    if usage.writes() && usage.waits_insync && !zones.is_empty() {
        policy.allow(&["route53:GetChange"], "");
    }
}

/// The names and types of record sets by zone. IAM requires names in lower case, special characters as octal escapes,
/// and no dot at the end (Route 53 Developer Guide, "Using IAM policy conditions for fine-grained access control").
fn zones(clusters: &[Spec]) -> BTreeMap<&ZoneId, BTreeSet<(&str, &'static str)>> {
    let mut zones: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for record in clusters.iter().flat_map(|cluster| &cluster.records) {
        let place = &record.key.place;
        let name = place.name.as_str().trim_end_matches('.');
        zones.entry(&place.zone).or_default().insert((name, place.record_type.as_str()));
    }
    zones
}

impl Resolver<'_> {
    fn record(
        &mut self,
        entry: &EntryName,
        sites: &[Site],
        record: &Record,
        role: Option<&AssumedRole>,
    ) -> Option<RecordSpec> {
        let zone = self.spanned(&record.zone_id, "cluster.record.zone_id", zone_id);
        let name = self.spanned(&record.name, "cluster.record.name", record_name);
        for (key, text) in [
            ("cluster.record.set_identifier", &record.set_identifier),
            ("cluster.record.health_check_id", &record.health_check_id),
        ] {
            if let Some(empty) = text.as_ref().filter(|text| text.get_ref().trim().is_empty()) {
                self.push_error(&empty.span(), key, "it is empty");
            }
        }
        if let Some(ttl) = record.ttl.as_ref().filter(|ttl| *ttl.get_ref() > LONGEST_TTL) {
            let message = format!("it exceeds {LONGEST_TTL} seconds, Route 53's limit");
            self.push_error(&ttl.span(), "cluster.record.ttl", message);
        }
        match (&record.failover, &record.set_identifier) {
            (Some(failover), None) => {
                let message = "a failover record requires a `set_identifier`";
                self.push_error(&failover.span(), "cluster.record.failover", message);
            }
            (None, Some(identifier)) => {
                let message =
                    "it requires `failover = \"PRIMARY\"` or `\"SECONDARY\"`; a simple record has none";
                self.push_error(&identifier.span(), "cluster.record.set_identifier", message);
            }
            _ => {}
        }
        let points_to = self.points_to(sites, record);
        let own = self.assumed("cluster.record", record.role_arn.as_ref(), record.external_id.as_ref());
        let assume = own.or_else(|| role.cloned());
        let key = RecordKey {
            place: RecordPlace { zone: zone?, name: name?, record_type: record.kind },
            set_identifier: record.set_identifier.as_ref().map(|id| SetIdentifier::new(id.get_ref())),
        };
        self.has_one_role(&key.place, assume.as_ref(), record);
        let what = format!("record `{key}`");
        self.claim(entry, (Endpoint::Record(key.clone()), &what), &record.name.span(), "cluster.record.name");
        Some(RecordSpec {
            key,
            failover: record.failover.as_ref().map(|failover| *failover.get_ref()),
            points_to: points_to?,
            ttl_seconds: record.ttl.as_ref().map(|ttl| *ttl.get_ref()),
            health_check_id: record.health_check_id.as_ref().map(|id| id.get_ref().clone()),
            assume,
        })
    }

    /// Record sets of one name are read together, whatever their types, so they have the same role.
    fn has_one_role(&mut self, place: &RecordPlace, role: Option<&AssumedRole>, record: &Record) {
        let line = self.source.line(&record.name.span());
        let (first, first_line) = self
            .roles_of_names
            .entry((place.zone.clone(), place.name.clone()))
            .or_insert((role.cloned(), line));
        if first.as_ref() != role {
            let message = format!(
                "the record in line {first_line} has the same name and another role: records of one name are read together, so \
                 set the same `role_arn` and `external_id` for both"
            );
            let span = record.role_arn.as_ref().map_or_else(|| record.name.span(), Spanned::span);
            self.push_error(&span, "cluster.record.role_arn", message);
        }
    }
}
