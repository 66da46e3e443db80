//! What the checks of Route 53's health checks share.

use std::net::IpAddr;

use crate::doctor::check::{Severity, Wrong};
use crate::doctor::subject::Record;
use crate::values::record::Failover;

/// Whether it is an address that is not reached from the internet (RFC 1918, 6598, 3927, 4193, 4291).
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The commands that give the record a health check of a `CloudWatch` alarm.
pub(super) fn of_alarm(record: &Record<'_>) -> String {
    let place = &record.spec.key.place;
    let identifier = record.spec.key.set_identifier.as_ref();
    let which =
        identifier.map_or(String::new(), |identifier| format!(" and the set_identifier {identifier}"));
    format!(
        "aws route53 create-health-check --caller-reference repoint-{} --health-check-config \
         'Type=CLOUDWATCH_METRIC,AlarmIdentifier={{Region=REGION,Name=ALARM}},InsufficientDataHealthStatus=LastKnownStatus'; then \
         in the [[cluster.record]] with the name {}{which}: health_check_id = \"ID\"",
        place.name, place.name
    )
}

/// That finding: at the SECONDARY it matters less, since that is answered only while the PRIMARY is unhealthy.
pub(super) fn by_end(wrong: Wrong, failover: Failover) -> Wrong {
    match failover {
        Failover::Primary => wrong,
        Failover::Secondary => wrong.with(Severity::Warning),
    }
}
