//! The changes of record sets, by zone.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::hosts::{Hosts, REMEDY, single_address};
use super::readers::{Holder, Wanted, places, unplaced};
use super::{
    Context, DEFAULT_TTL_SECONDS, EndpointReason, Needs, Plan, StepGroup, WarningReason, primary_address,
};
use crate::decide::readers::Reader;
use crate::decide::standby::{Standby, best, standbys};
use crate::observed::Observed;
use crate::spec::{PointsTo, RecordSpec, Spec};
use crate::values::cluster::Address;
use crate::values::endpoint::Endpoint;
use crate::values::host::is_qualified_name;
use crate::values::primary::Primary;
use crate::values::record::{
    Answer, Failover, RecordChange, RecordPlace, RecordSet, RecordType, Routing, ZoneId,
};

/// The members that records may point at.
#[derive(Clone, Copy)]
struct Nodes<'a> {
    primary: &'a Primary,
    /// In order of preference.
    standbys: &'a [Standby],
    /// The replicas that may stay although they are not known to stream.
    settling: &'a [Reader],
}

/// Adds the changes that are needed, in the order of zones and keys, and the record sets that are left alone.
pub(super) fn plan(context: &Context, plan: &mut Plan) {
    let Context { spec, hosts, primary, settling, .. } = *context;
    let nodes = Nodes { primary, standbys: &standbys(hosts.observed, primary), settling };
    let mut zones: BTreeMap<ZoneId, Vec<RecordChange>> = BTreeMap::new();
    for wanted in &spec.records {
        let needs = change(wanted, spec, hosts, nodes);
        let change = plan.take(&Endpoint::Record(wanted.key.clone()), needs).flatten();
        if let Some(change) = change {
            zones.entry(wanted.key.place.zone.clone()).or_default().push(change);
        }
    }
    for changes in zones.values_mut() {
        changes.sort_by(|a, b| a.after.key.cmp(&b.after.key));
    }
    plan.step_groups.extend(zones.into_iter().map(|(zone, changes)| StepGroup::Zone { zone, changes }));
}

fn change(
    wanted: &RecordSpec,
    spec: &Spec,
    hosts: Hosts,
    nodes: Nodes,
) -> Result<Needs<Option<RecordChange>>, EndpointReason> {
    let sets = match hosts.observed.records.get(&wanted.key.place) {
        Some(Ok(sets)) => sets,
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        None => return Ok(Needs::default()),
    };
    let routing = wanted.failover.map_or(Routing::Simple, Routing::Failover);
    let before = sets.iter().find(|set| set.key == wanted.key);
    stands_alone(wanted, hosts.observed)?;
    fits(wanted, &routing, before, sets)?;
    let needs = answer(wanted, before.map(|set| &set.answer), spec, hosts, nodes)?;
    let answer = needs.what;
    let is_right = before.is_some_and(|set| {
        set.answer.is_same(&answer, wanted.key.place.record_type)
            && set.answer.ttl_seconds() == answer.ttl_seconds()
            && wanted.health_check_id.as_ref().is_none_or(|id| set.health_check_id.as_ref() == Some(id))
    });
    let carried = before.and_then(|set| set.health_check_id.clone());
    let change = (!is_right).then(|| RecordChange {
        before: before.cloned(),
        after: RecordSet {
            key: wanted.key.clone(),
            routing,
            answer,
            health_check_id: wanted.health_check_id.clone().or(carried),
        },
    });
    Ok(Needs { what: change, warnings: needs.warnings, unknown: needs.unknown })
}

/// What the record set should answer with, given what it answers with now.
fn answer(
    wanted: &RecordSpec,
    before: Option<&Answer>,
    spec: &Spec,
    hosts: Hosts,
    nodes: Nodes,
) -> Result<Needs<Answer>, EndpointReason> {
    let Nodes { primary, settling, .. } = nodes;
    let record_type = wanted.key.place.record_type;
    let ttl_seconds = wanted.ttl_seconds.or(before.and_then(Answer::ttl_seconds));
    let ttl_seconds = ttl_seconds.unwrap_or(DEFAULT_TTL_SECONDS);
    let answer = |values| Answer::Values { ttl_seconds, values };
    let value = |address: &Address| address_for(hosts, &address.host, record_type);
    let simply = |what| Needs { what, warnings: Vec::new(), unknown: None };
    match wanted.points_to {
        PointsTo::Primary => Ok(simply(answer(vec![value(primary_address(primary)?)?]))),
        PointsTo::Standby => {
            let is_current = |standby: &Standby| {
                let there = value(&standby.address).ok().map(|value| answer(vec![value]));
                there.zip(before).is_some_and(|(there, before)| there.is_same(before, record_type))
            };
            let (standbys, warnings) = placeable(nodes.standbys, value);
            let Some(standby) = best(&standbys, is_current) else {
                let unplaced = warnings.into_iter().find_map(|warning| match warning {
                    WarningReason::Unplaced { why, .. } => Some(why),
                    _ => None,
                });
                return Err(unplaced.unwrap_or(EndpointReason::NoStandby));
            };
            Ok(Needs { what: answer(vec![value(&standby.address)?]), warnings, unknown: None })
        }
        PointsTo::Readers { max_lag_bytes, primary_fallback } => {
            let readers = Wanted { max_lag_bytes, primary_fallback, settling };
            let held: Vec<String> = match before {
                Some(Answer::Values { values, .. }) => values.clone(),
                Some(Answer::Alias(_)) | None => Vec::new(),
            };
            let places =
                places(hosts.observed, primary, readers, &Values { hosts, record_type, held: &held })?;
            let mut values: Vec<String> = places.belong.into_iter().chain(places.stay).collect();
            values.sort();
            Ok(Needs { what: answer(values), warnings: places.warnings, unknown: places.unknown })
        }
        PointsTo::Site => {
            let own = primary.site.as_ref();
            let site = match wanted.failover {
                Some(Failover::Secondary) => spec.site_beside(own),
                Some(Failover::Primary) | None => spec.site(own),
            };
            let alias = site.and_then(|site| site.alias.clone()).map(Answer::Alias);
            let alias =
                alias.ok_or_else(|| EndpointReason::AddressUnfit("the site has no `alias`".to_owned()))?;
            Ok(simply(alias))
        }
    }
}

/// What a record of that type says of a host.
fn address_for(hosts: Hosts, host: &str, record_type: RecordType) -> Result<String, EndpointReason> {
    let unfit = |why: String| Err(EndpointReason::AddressUnfit(why));
    let (family, is_of): (_, fn(&IpAddr) -> bool) = match record_type {
        RecordType::A => ("IPv4", IpAddr::is_ipv4),
        RecordType::Aaaa => ("IPv6", IpAddr::is_ipv6),
        RecordType::Cname if host.parse::<IpAddr>().is_ok() => {
            return unfit(format!("a CNAME points at a host name, and Patroni reports the address {host}"));
        }
        RecordType::Cname if is_qualified_name(host) => return Ok(host.to_owned()),
        RecordType::Cname => {
            return unfit(format!(
                "a CNAME points at a qualified host name such as pg1.example.com, and Patroni reports `{host}`; {REMEDY}"
            ));
        }
    };
    match single_address(host, &hosts.addresses(host)?, family, is_of)? {
        Some(address) => Ok(address.to_string()),
        None => unfit(format!("`{host}` has no {family} address")),
    }
}

/// The standbys that a record of that type can point at or may, and what is wrong with the others.
fn placeable(
    standbys: &[Standby],
    value: impl Fn(&Address) -> Result<String, EndpointReason>,
) -> (Vec<Standby>, Vec<WarningReason>) {
    let mut warnings = Vec::new();
    let standbys = standbys.iter().filter(|standby| match value(&standby.address) {
        Err(reason) if !reason.is_unknown() => {
            warnings.push(unplaced(&standby.member, reason));
            false
        }
        Ok(_) | Err(_) => true,
    });
    (standbys.cloned().collect(), warnings)
}

/// A record set's values, and how members stand in it.
struct Values<'a> {
    hosts: Hosts<'a>,
    record_type: RecordType,
    held: &'a [String],
}

impl Holder<String> for Values<'_> {
    fn place(&self, address: &Address) -> Result<String, EndpointReason> {
        let value = address_for(self.hosts, &address.host, self.record_type)?;
        // As it stands there already, where it is spelled in another way.
        let is_same = |held: &&String| {
            let spelled = |value: &String| Answer::Values { ttl_seconds: 0, values: vec![value.clone()] };
            spelled(held).has(&value, self.record_type)
        };
        Ok(self.held.iter().find(is_same).cloned().unwrap_or(value))
    }

    fn may_be(&self, held: &String, address: &Address) -> bool {
        let ips = self.hosts.addresses(&address.host);
        ips.map_or(true, |ips| held.parse().is_ok_and(|ip| ips.contains(&ip)))
    }

    fn held(&self) -> &[String] {
        self.held
    }
}

/// Whether the other types of the name leave room, as far as they were read. Route 53 would refuse the change.
fn stands_alone(wanted: &RecordSpec, observed: &Observed) -> Result<(), EndpointReason> {
    let read = |place: RecordPlace| observed.records.get(&place)?.as_ref().ok()?.first();
    match wanted.key.place.excluded().find_map(read) {
        None => Ok(()),
        Some(set) => Err(EndpointReason::Routing {
            found: format!(
                "there is a record set of type {} ({}) at this name, and nothing may stand beside a CNAME",
                set.key.place.record_type, set.answer
            ),
            wanted: format!("one of type {}", wanted.key.place.record_type),
        }),
    }
}

/// Whether what stands at the name and type leaves room for what is wanted. An alias or another kind of routing was
/// set up by hand; rewriting it would lose that choice.
fn fits(
    wanted: &RecordSpec,
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
