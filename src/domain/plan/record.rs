//! The changes of record sets, by zone.

use std::collections::BTreeMap;

use super::readers::places;
use super::{DEFAULT_TTL_SECONDS, EndpointHold, EndpointReason, address_for, primary_address};
use crate::domain::cluster::Address;
use crate::domain::endpoint::Endpoint;
use crate::domain::intent::{Intent, PointsTo, RecordIntent};
use crate::domain::readers::Reader;
use crate::domain::record::{Answer, Failover, RecordChange, RecordSet, Routing, ZoneId};
use crate::domain::standby::{Standby, best, standbys};
use crate::domain::verdict::Primary;
use crate::domain::world::World;

/// Those that records may point at.
#[derive(Clone, Copy)]
struct Nodes<'a> {
    primary: &'a Primary,
    /// In order of preference.
    standbys: &'a [Standby],
    /// The replicas that may stay although they are not known to stream.
    settling: &'a [Reader],
}

/// The changes that are needed, in the order of zones and keys, and the record sets that are left alone.
pub fn changes(
    intent: &Intent,
    world: &World,
    primary: &Primary,
    settling: &[Reader],
) -> (BTreeMap<ZoneId, Vec<RecordChange>>, Vec<EndpointHold>) {
    let nodes = Nodes { primary, standbys: &standbys(world, primary), settling };
    let mut zones: BTreeMap<ZoneId, Vec<RecordChange>> = BTreeMap::new();
    let mut holds = Vec::new();
    for wanted in &intent.records {
        match change(wanted, intent, world, nodes) {
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
    intent: &Intent,
    world: &World,
    nodes: Nodes,
) -> Result<Option<RecordChange>, EndpointReason> {
    let sets = match world.records.get(&wanted.key.place) {
        Some(Ok(sets)) => sets,
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        None => return Ok(None),
    };
    let routing = wanted.failover.map_or(Routing::Simple, Routing::Failover);
    let before = sets.iter().find(|set| set.key == wanted.key);
    fits(wanted, &routing, before, sets)?;
    let answer = answer(wanted, before.map(|set| &set.answer), intent, world, nodes)?;
    let is_right = before.is_some_and(|set| {
        set.answer.is_same(&answer, wanted.key.place.record_type)
            && set.answer.ttl_seconds() == answer.ttl_seconds()
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
            answer,
            health_check_id: wanted.health_check_id.clone().or(carried),
        },
    }))
}

/// What the record set should answer with, given what it answers with now.
fn answer(
    wanted: &RecordIntent,
    before: Option<&Answer>,
    intent: &Intent,
    world: &World,
    Nodes { primary, standbys, settling }: Nodes,
) -> Result<Answer, EndpointReason> {
    let record_type = wanted.key.place.record_type;
    let ttl_seconds = wanted.ttl_seconds.or(before.and_then(Answer::ttl_seconds));
    let ttl_seconds = ttl_seconds.unwrap_or(DEFAULT_TTL_SECONDS);
    let answer = |values| Answer::Values { ttl_seconds, values };
    let value = |address: &Address| address_for(world, &address.host, record_type);
    match wanted.points_to {
        PointsTo::Primary => Ok(answer(vec![value(primary_address(primary)?)?])),
        PointsTo::Standby => {
            let is_current = |standby: &Standby| {
                let there = value(&standby.address).ok().map(|value| answer(vec![value]));
                there.zip(before).is_some_and(|(there, before)| there.is_same(before, record_type))
            };
            let standby = best(standbys, is_current).ok_or(EndpointReason::NoStandby)?;
            Ok(answer(vec![value(&standby.address)?]))
        }
        PointsTo::Readers { max_lag_bytes, primary_fallback } => {
            let is_in = |value: &String| before.is_some_and(|before| before.has(value, record_type));
            let mut values = places(world, primary, settling, max_lag_bytes, primary_fallback, value, is_in)?;
            // Two members may share an address, and a value stands in a record set once.
            values.sort();
            values.dedup();
            Ok(answer(values))
        }
        PointsTo::Site => {
            let own = primary.site.as_ref();
            let site = match wanted.failover {
                Some(Failover::Secondary) => intent.site_beside(own),
                Some(Failover::Primary) | None => intent.site(own),
            };
            let alias = site.and_then(|site| site.alias.clone()).map(Answer::Alias);
            alias.ok_or_else(|| EndpointReason::AddressUnfit("the site has no `alias`".to_owned()))
        }
    }
}

/// Whether what stands at the name and type leaves room for what is wanted. An alias or another kind of routing was
/// somebody's choice; rewriting it would lose what they chose.
fn fits(
    wanted: &RecordIntent,
    routing: &Routing,
    before: Option<&RecordSet>,
    sets: &[RecordSet],
) -> Result<(), EndpointReason> {
    let is_no =
        |found: String, wanted: &str| Err(EndpointReason::Routing { found, wanted: wanted.to_owned() });
    match before.map(|set| (&set.answer, wanted.points_to.is_alias())) {
        Some((Answer::Alias(to), false)) => {
            return is_no(format!("it is an alias of {to}"), "one with values");
        }
        Some((Answer::Values { .. }, true)) => return is_no("it has values".to_owned(), "an alias"),
        _ => {}
    }
    let clash = |found: String| is_no(found, &routing.to_string());
    for set in sets {
        let is_same = before.is_some_and(|before| before.key == set.key);
        let identifier = set.key.set_identifier.as_ref().map_or(String::new(), |id| format!(" `{id}`"));
        match (&set.routing, routing) {
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
