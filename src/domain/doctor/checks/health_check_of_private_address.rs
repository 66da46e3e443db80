//! A health check that Route 53's checkers cannot make.

use super::health_checks::{by_end, is_private, of_alarm};
use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine, unknown};
use crate::doctor::subject::Record;
use crate::values::record::RecordName;

pub const CHECK: Check = Check {
    id: "health_check_of_private_address",
    severity: Severity::Critical,
    title: "The health check of a failover record asks a private address",
    why: "Route 53's health checkers are outside of every VPC. They never reach a private address, so the check is unhealthy for \
          ever, and clients get the SECONDARY while the primary works. Private nodes need a health check of a CloudWatch alarm.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-private-hosted-zones.html",
    judge: Judge::Record(judge),
};

fn judge(record: &Record<'_>) -> Judgement {
    let Some(failover) = record.spec.failover else { return fine() };
    let Some((id, check)) = record.health_check()? else { return fine() };
    if check.is_disabled {
        return fine();
    }
    match (&check.address, &check.host) {
        (Some(address), _) if address.parse().is_ok_and(is_private) => {
            let found = format!("IPAddress is {address} for the health check {id} of type {}", check.kind);
            Ok(vec![by_end(Wrong::new(found, of_alarm(record)), failover)])
        }
        (None, Some(host)) if is_in_private_zone(record, host) => unknown(format!(
            "the health check {id} asks {host}, a name of a private hosted zone: whether it has a public address, too, was not \
             read"
        )),
        _ => fine(),
    }
}

fn is_in_private_zone(record: &Record<'_>, host: &str) -> bool {
    let host = RecordName::new(host);
    let is_in = |zone: &str| {
        let zone = RecordName::new(zone);
        host == zone || host.as_str().ends_with(&format!(".{}", zone.as_str()))
    };
    let mut zones = record.cluster.facts.zones.values().filter_map(|zone| zone.as_ref().ok());
    zones.any(|zone| zone.is_private && is_in(&zone.name))
}
