//! Whether a record set may be changed so.
//!
//! Invariants: it points at members that belong there (3), never at nothing (5), and every field that repoint does not
//! manage is carried over (7).

use super::evidence::{hides, ips_of, may_be_read_from, may_still_be_read_from, usable_anywhere};
use super::{Refusal, Seen};
use crate::spec::{PointsTo, RecordSpec, Site, Spec};
use crate::values::host::is_qualified_name;
use crate::values::primary::Primary;
use crate::values::record::{
    Alias, Answer, Failover, RecordChange, RecordKey, RecordName, RecordPlace, RecordSet, RecordType,
    Routing, ZoneId,
};

/// Whether a record is one of readers.
pub(super) fn is_of_readers(change: &RecordChange, spec: &Spec) -> bool {
    let mut records = spec.records.iter();
    records
        .any(|record| record.key == change.after.key && matches!(record.points_to, PointsTo::Readers { .. }))
}

pub(super) fn record(zone: &ZoneId, change: &RecordChange, spec: &Spec, seen: &Seen) -> Result<(), Refusal> {
    let Seen { observed, primary, .. } = *seen;
    let key = &change.after.key;
    let configured = spec.records.iter().find(|record| record.key == *key && key.place.zone == *zone);
    let configured = configured.ok_or_else(|| Refusal::NotOurs(key.to_string()))?;
    let Some(Ok(read)) = observed.records.get(&key.place) else {
        return Err(Refusal::Unread(key.to_string()));
    };
    let is_taken =
        |place: RecordPlace| matches!(observed.records.get(&place), Some(Ok(sets)) if !sets.is_empty());
    let there = read.iter().find(|set| set.key == *key);
    if there != change.before.as_ref() {
        return Err(Refusal::Rewrites(key.to_string()));
    }
    if key.place.excluded().any(is_taken) {
        return Err(Refusal::Crowds(key.to_string()));
    }
    if there == Some(&change.after) {
        return Err(Refusal::Repeats(key.to_string()));
    }
    let (ttl_seconds, values) = match (&change.after.answer, configured.points_to) {
        (
            Answer::Values { ttl_seconds, values },
            PointsTo::Primary | PointsTo::Standby | PointsTo::Readers { .. },
        ) => (ttl_seconds, values),
        (Answer::Alias(alias), PointsTo::Site) => {
            return site_record(key, there, &change.after, alias, configured, spec, primary);
        }
        _ => return Err(Refusal::Rewrites(key.to_string())),
    };
    if values.is_empty() || values.iter().any(String::is_empty) {
        return Err(Refusal::Empties(key.to_string()));
    }
    if !carries_over(there, &change.after, *ttl_seconds, configured) {
        return Err(Refusal::Rewrites(key.to_string()));
    }
    usable_anywhere(&key.to_string(), values.iter().map(String::as_str), spec, seen)?;
    if key.place.record_type == RecordType::Cname
        && let Some(at) = values.iter().find(|value| !is_qualified_name(value))
    {
        return Err(Refusal::OwnView { endpoint: key.to_string(), at: at.clone() });
    }
    let is_there = |value: &str| there.is_some_and(|before| before.answer.has(value, key.place.record_type));
    let may_be_anybodys = |value: &str| {
        matches!(configured.points_to, PointsTo::Readers { .. }) && is_there(value) && hides(seen)
    };
    let stray = values
        .iter()
        .find(|value| !is_fit(value, configured.points_to, is_there(value), seen) && !may_be_anybodys(value));
    match stray {
        Some(at) => Err(Refusal::WrongNode { endpoint: key.to_string(), at: at.clone() }),
        None => Ok(()),
    }
}

/// An alias leads to the load balancer of the primary's site, or as SECONDARY to another site's.
fn site_record(
    key: &RecordKey,
    before: Option<&RecordSet>,
    after: &RecordSet,
    alias: &Alias,
    wanted: &RecordSpec,
    spec: &Spec,
    primary: &Primary,
) -> Result<(), Refusal> {
    let health_check = wanted.health_check_id.as_ref();
    let health_check = health_check.or(before.and_then(|before| before.health_check_id.as_ref()));
    let was_alias = before.is_none_or(|before| matches!(before.answer, Answer::Alias(_)));
    let routing = wanted.failover.map_or(Routing::Simple, Routing::Failover);
    let same_routing = before.is_none_or(|before| before.routing == routing);
    if !was_alias
        || !same_routing
        || after.routing != routing
        || after.health_check_id.as_ref() != health_check
    {
        return Err(Refusal::Rewrites(key.to_string()));
    }
    let is_elsewhere = wanted.failover == Some(Failover::Secondary);
    let leads_there = |site: &Site| {
        (site.name != primary.site) == is_elsewhere && site.alias.as_ref().is_some_and(|its| its == alias)
    };
    if spec.sites.iter().any(leads_there) {
        return Ok(());
    }
    Err(Refusal::WrongNode { endpoint: key.to_string(), at: alias.to_string() })
}

/// Whether every field that the configuration does not set is as it was.
fn carries_over(
    before: Option<&RecordSet>,
    after: &RecordSet,
    ttl_seconds: u32,
    wanted: &RecordSpec,
) -> bool {
    let routing = wanted.failover.map_or(Routing::Simple, Routing::Failover);
    if after.routing != routing || wanted.ttl_seconds.is_some_and(|ttl| ttl != ttl_seconds) {
        return false;
    }
    let Some(before) = before else { return after.health_check_id == wanted.health_check_id };
    let Answer::Values { ttl_seconds: ttl_before, .. } = before.answer else { return false };
    let health_check = wanted.health_check_id.as_ref().or(before.health_check_id.as_ref());
    before.routing == routing
        && after.health_check_id.as_ref() == health_check
        && (wanted.ttl_seconds.is_some() || ttl_seconds == ttl_before)
}

/// Whether a value is where the record should point: at the primary; at a member that is not the primary; or at one that is
/// listed with a lag within the limit, and at the primary only where it may take the place of replicas.
fn is_fit(value: &str, points_to: PointsTo, is_there: bool, seen: &Seen) -> bool {
    let Seen { observed, primary, .. } = *seen;
    let is_at = |host: &str| {
        RecordName::new(host) == RecordName::new(value)
            || value.parse().is_ok_and(|ip| ips_of(host, observed).contains(&ip))
    };
    let at_primary = primary.address.as_ref().is_some_and(|address| is_at(&address.host));
    let views =
        observed.answers_of(primary.site.as_ref()).values().filter_map(|answer| answer.view.as_ref().ok());
    let listed = views.flat_map(|view| &view.members);
    let mut there =
        listed.filter(|listed| listed.address.as_ref().is_some_and(|address| is_at(&address.host)));
    match points_to {
        PointsTo::Primary => at_primary,
        PointsTo::Standby => !at_primary && there.next().is_some(),
        PointsTo::Readers { primary_fallback, .. } if at_primary => primary_fallback,
        PointsTo::Readers { max_lag_bytes, .. } => there.any(|listed| {
            may_be_read_from(listed, max_lag_bytes) || (is_there && may_still_be_read_from(listed, seen))
        }),
        // An alias has no values.
        PointsTo::Site => false,
    }
}
