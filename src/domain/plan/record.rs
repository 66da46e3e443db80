//! The changes of record sets, by zone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{DEFAULT_TTL_SECONDS, EndpointHold, EndpointReason, address_for, primary_address};
use crate::domain::endpoint::Endpoint;
use crate::domain::intent::{PointsTo, RecordIntent};
use crate::domain::record::{Answer, RecordChange, RecordName, RecordSet, RecordType, Routing, ZoneId};
use crate::domain::standby::{Standby, best, standbys};
use crate::domain::verdict::Primary;
use crate::domain::world::World;

/// The changes that are needed, in the order of zones and keys, and the record sets that are left alone.
pub fn changes(
    wanted: &[RecordIntent],
    world: &World,
    primary: &Primary,
) -> (BTreeMap<ZoneId, Vec<RecordChange>>, Vec<EndpointHold>) {
    let standbys = standbys(world, primary);
    let mut zones: BTreeMap<ZoneId, Vec<RecordChange>> = BTreeMap::new();
    let mut holds = Vec::new();
    for wanted in wanted {
        match change(wanted, world, primary, &standbys) {
            Ok(None) => {}
            Ok(Some(change)) => zones.entry(wanted.key.place.zone.clone()).or_default().push(change),
            Err(reason) => {
                holds.push(EndpointHold { endpoint: Endpoint::Record(wanted.key.clone()), reason });
            }
        }
    }
    for changes in zones.values_mut() {
        changes.sort_by(|a, b| a.after.key.cmp(&b.after.key));
    }
    (zones, holds)
}

fn change(
    wanted: &RecordIntent,
    world: &World,
    primary: &Primary,
    standbys: &[Standby],
) -> Result<Option<RecordChange>, EndpointReason> {
    let sets = match world.records.get(&wanted.key.place) {
        Some(Ok(sets)) => sets,
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        None => return Ok(None),
    };
    let routing = wanted.failover.map_or(Routing::Simple, Routing::Failover);
    let before = sets.iter().find(|set| set.key == wanted.key);
    fits(&routing, before, sets)?;

    let current = before.map_or_else(BTreeSet::new, |set| spelled(wanted.key.place.record_type, set));
    let record_type = wanted.key.place.record_type;
    let points_here = |host: &str| {
        let address = address_for(world, host, record_type).ok();
        address.is_some_and(|address| current == BTreeSet::from([spell(record_type, &address)]))
    };
    let host = match wanted.points_to {
        PointsTo::Primary => &primary_address(primary)?.host,
        PointsTo::Standby => {
            let standby = best(standbys, |standby| points_here(&standby.address.host));
            &standby.ok_or(EndpointReason::NoStandby)?.address.host
        }
    };
    let value = address_for(world, host, record_type)?;
    let current_ttl = before.and_then(|set| match set.answer {
        Answer::Values { ttl_seconds, .. } => Some(ttl_seconds),
        Answer::Alias(_) => None,
    });
    let is_right = current == BTreeSet::from([spell(record_type, &value)])
        && wanted.ttl_seconds.is_none_or(|ttl| current_ttl == Some(ttl))
        && before.is_some_and(|set| {
            set.routing == routing
                && wanted.health_check_id.as_ref().is_none_or(|id| set.health_check_id.as_ref() == Some(id))
        });
    if is_right {
        return Ok(None);
    }
    let carried = before.and_then(|set| set.health_check_id.clone());
    Ok(Some(RecordChange {
        before: before.cloned(),
        after: RecordSet {
            key: wanted.key.clone(),
            routing,
            answer: Answer::Values {
                ttl_seconds: wanted.ttl_seconds.or(current_ttl).unwrap_or(DEFAULT_TTL_SECONDS),
                values: vec![value],
            },
            health_check_id: wanted.health_check_id.clone().or(carried),
        },
    }))
}

/// Whether what stands at the name and type leaves room for what is wanted. An alias or another kind of routing was
/// somebody's choice; rewriting it would lose what they chose.
fn fits(wanted: &Routing, before: Option<&RecordSet>, sets: &[RecordSet]) -> Result<(), EndpointReason> {
    let clash = |found: String| Err(EndpointReason::Routing { found, wanted: wanted.clone() });
    if let Some(RecordSet { answer: Answer::Alias(to), .. }) = before {
        return clash(format!("it is an alias of {to}"));
    }
    for set in sets {
        let is_same = before.is_some_and(|before| before.key == set.key);
        let identifier = set.key.set_identifier.as_ref().map_or(String::new(), |id| format!(" `{id}`"));
        match (&set.routing, wanted) {
            (Routing::Simple, Routing::Simple) | (Routing::Failover(_), Routing::Failover(_)) if is_same => {}
            (Routing::Failover(its), Routing::Failover(ours)) if its != ours => {}
            (Routing::Failover(its), Routing::Failover(_)) => {
                return clash(format!("record set{identifier} already is the {} one", its.as_str()));
            }
            (its, _) if is_same => return clash(format!("it is a {its} record set")),
            (its, _) => return clash(format!("a {its} record set{identifier} of this name and type exists")),
        }
    }
    Ok(())
}

/// A value in the one spelling that two equal values share.
fn spell(record_type: RecordType, value: &str) -> String {
    match record_type {
        RecordType::A | RecordType::Aaaa => {
            value.parse().map_or_else(|_| value.to_owned(), |address: IpAddr| address.to_string())
        }
        RecordType::Cname => RecordName::new(value).as_str().to_owned(),
    }
}

fn spelled(record_type: RecordType, set: &RecordSet) -> BTreeSet<String> {
    match &set.answer {
        Answer::Values { values, .. } => values.iter().map(|value| spell(record_type, value)).collect(),
        Answer::Alias(_) => BTreeSet::new(),
    }
}
