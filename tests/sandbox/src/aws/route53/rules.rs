//! Which record sets may stand beside each other.
//!
//! Checked against what is in the zone at that point of the batch.
//! Source: Route 53 API, `ResourceRecordSet` (`Failover`, `SetIdentifier`). The words about CNAME and addresses are those
//! that clients report; AWS's words about failover were not found, and clients should not rest on them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::bare;
use super::name::Name;
use super::record::{Answer, RecordKey, RecordSet};
use super::zone::{Records, Zone};

/// Whether the set may be put into the zone, in place of the one with its key if there is one.
pub(super) fn allow(zone: &Zone, records: &Records, set: &RecordSet) -> Result<(), String> {
    let key = &set.key;
    if !key.name.is_within(&zone.name) {
        let (name, zone) = (&key.name, &zone.name);
        return Err(format!("RRSet with DNS name {name} is not permitted in zone {zone}"));
    }
    check_values(set)?;
    check_alias(zone, records, set)?;
    check_routing(set)?;
    let same_name: Vec<&RecordSet> = records
        .range(first_of(set)..)
        .map(|(_, other)| other.as_ref())
        .take_while(|other| other.key.name == key.name)
        .filter(|other| other.key != *key)
        .collect();
    let is_cname = |set: &RecordSet| set.key.record_type == "CNAME";
    let (name, kind, zone_name) = (&key.name, &key.record_type, &zone.name);
    if is_cname(set) && *name == zone.name {
        return Err(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone_name}"
        ));
    }
    if is_cname(set) && same_name.iter().any(|other| !is_cname(other)) {
        return Err(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the \
             same DNS name in zone {zone_name}"
        ));
    }
    if !is_cname(set) && same_name.iter().any(|other| is_cname(other)) {
        return Err(format!(
            "RRSet of type {kind} with DNS name {name} is not permitted because a conflicting RRSet of type CNAME \
             with the same DNS name already exists in zone {zone_name}"
        ));
    }
    for other in same_name.iter().filter(|other| other.key.record_type == *kind) {
        let identifier = key.set_identifier.as_deref().unwrap_or_default();
        if (other.failover.is_some(), other.weight.is_some())
            != (set.failover.is_some(), set.weight.is_some())
        {
            return Err(format!(
                "RRSet with DNS name {name}, type {kind}, SetIdentifier {identifier}, cannot be created as there is \
                 already a RRSet with the same name and type, and another routing policy"
            ));
        }
        if let Some(role) = set.failover.filter(|role| other.failover == Some(*role)) {
            return Err(format!(
                "RRSet with DNS name {name}, type {kind}, SetIdentifier {identifier}, and failover {} cannot be \
                 created because a RRSet with the same name, type and failover already exists",
                role.as_str()
            ));
        }
    }
    Ok(())
}

/// The least key of the set's name.
fn first_of(set: &RecordSet) -> RecordKey {
    RecordKey { name: set.key.name.clone(), record_type: String::new(), set_identifier: None }
}

fn check_routing(set: &RecordSet) -> Result<(), String> {
    let routed = set.failover.is_some() || set.weight.is_some();
    match &set.key.set_identifier {
        Some(_) if !routed => Err(format!(
            "A routing policy is missing: resource record set {} has a set identifier",
            set.key.in_words()
        )),
        None if routed => Err(format!(
            "A set identifier is missing: resource record set {} is not simple",
            set.key.in_words()
        )),
        _ => Ok(()),
    }
}

/// One within the zone leads to a record set of its own type that is there; one that leads elsewhere is not resolved, but
/// a load balancer has addresses and no other name.
fn check_alias(zone: &Zone, records: &Records, set: &RecordSet) -> Result<(), String> {
    let Answer::Alias(alias) = &set.answer else { return Ok(()) };
    if set.failover.is_some() && !alias.evaluate_target_health {
        return Err(format!(
            "A failover alias must evaluate the health of its target: {} has EvaluateTargetHealth false",
            set.key.in_words()
        ));
    }
    let (target, kind) = (Name::new(&alias.name), &set.key.record_type);
    let tried =
        format!("Tried to create an alias that targets {target}, type {kind} in zone {}, but", alias.zone);
    if bare(&alias.zone) == zone.id {
        let first = RecordKey { name: target.clone(), record_type: kind.clone(), set_identifier: None };
        let mut there = records.range(first..);
        if !target.is_within(&zone.name) {
            return Err(format!("{tried} the alias target name does not lie within the target zone"));
        }
        if !there.next().is_some_and(|(key, _)| key.name == target && key.record_type == *kind) {
            return Err(format!("{tried} that target was not found"));
        }
    } else if kind == "CNAME" {
        return Err(format!("{tried} an alias of type CNAME leads to a CNAME of its own zone"));
    }
    Ok(())
}

fn check_values(set: &RecordSet) -> Result<(), String> {
    let Answer::Values { values, .. } = &set.answer else { return Ok(()) };
    if values.is_empty() {
        return Err(format!("Resource record set {} has no values", set.key.in_words()));
    }
    if set.key.record_type == "CNAME" && values.len() > 1 {
        return Err("CNAME records must have exactly one value".to_owned());
    }
    for value in values {
        let problem = match set.key.record_type.as_str() {
            "A" if value.parse::<Ipv4Addr>().is_err() => {
                "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
            }
            "AAAA" if value.parse::<Ipv6Addr>().is_err() => {
                "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
            }
            _ if value.is_empty() => "RRDATANotSpecified (Value is empty)",
            _ => continue,
        };
        return Err(format!(
            "Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"
        ));
    }
    for (n, value) in values.iter().enumerate() {
        if values[..n].contains(value) {
            return Err(format!("Duplicate Resource Record: '{value}'"));
        }
    }
    Ok(())
}
