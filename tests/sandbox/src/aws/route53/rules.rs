//! Which record sets may stand beside each other.
//!
//! Law: judged against what stands in the zone at that point of the batch.
//! Source: Route 53 API, `ResourceRecordSet` (`Failover`, `SetIdentifier`). The words about CNAME and addresses are those
//! that clients report; AWS's words about failover were not found, and clients should not rest on them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::record::{Answer, RecordSet};
use super::zone::{Records, Zone};

/// Whether the set may be put into the zone, in place of the one with its key if there is one.
pub(super) fn allow(zone: &Zone, records: &Records, set: &RecordSet) -> Result<(), String> {
    let key = &set.key;
    if !key.name.is_within(&zone.name) {
        let (name, zone) = (&key.name, &zone.name);
        return Err(format!("RRSet with DNS name {name} is not permitted in zone {zone}"));
    }
    check_values(set)?;
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
fn first_of(set: &RecordSet) -> super::record::RecordKey {
    super::record::RecordKey { name: set.key.name.clone(), record_type: String::new(), set_identifier: None }
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
