//! Hosted zones and health checks.

use aws_sdk_route53::types::HostedZoneConfig;

use super::{Inspect, not_listed, port, text};
use repoint_domain::doctor::facts::record::{HealthCheck, HostedZone};
use repoint_domain::observed::Read;
use repoint_domain::rates::RateKey;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::ZoneId;

const ZONE: &str = "route53:GetHostedZone";
const HEALTH_CHECK: &str = "route53:GetHealthCheck";

impl Inspect {
    /// A hosted zone.
    ///
    /// # Errors
    /// AWS's error, or a timeout.
    pub async fn zone(&self, zone: &ZoneId) -> Read<HostedZone> {
        let request = self.route53.get_hosted_zone().id(zone.as_str());
        let answer = send!(self, RateKey::Route53, ZONE, zone.as_str(), request)?;
        let its = answer.hosted_zone().ok_or_else(|| not_listed(ZONE, zone.as_str()))?;
        let vpcs = answer.vpcs().iter();
        Ok(HostedZone {
            name: its.name().to_owned(),
            is_private: its.config().is_some_and(HostedZoneConfig::private_zone),
            vpcs: vpcs
                .map(|vpc| (text(vpc.vpc_region().map(|its| its.as_str())), text(vpc.vpc_id())))
                .collect(),
        })
    }

    /// A health check.
    ///
    /// # Errors
    /// AWS's error, or a timeout; [`Kind::NotFound`] if there is none of that id.
    pub async fn health_check(&self, id: &str) -> Read<HealthCheck> {
        let request = self.route53.get_health_check().health_check_id(id);
        let answer = send!(self, RateKey::Route53, HEALTH_CHECK, id, request).map_err(absent)?;
        let check = answer.health_check().and_then(|check| check.health_check_config());
        let check = check.ok_or_else(|| not_listed(HEALTH_CHECK, id))?;
        let seconds = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
        Ok(HealthCheck {
            kind: check.r#type().as_str().to_owned(),
            is_disabled: check.disabled() == Some(true),
            is_inverted: check.inverted() == Some(true),
            insufficient_data: check
                .insufficient_data_health_status()
                .map(|status| status.as_str().to_owned()),
            address: check.ip_address().map(str::to_owned),
            host: check.fully_qualified_domain_name().map(str::to_owned),
            port: port(check.port()),
            path: check.resource_path().map(str::to_owned),
            interval_seconds: seconds(check.request_interval()),
            failure_threshold: seconds(check.failure_threshold()),
        })
    }
}

/// For a change of a record set, which the table of errors is about, a missing health check is an invalid argument.
fn absent(failure: Failure) -> Failure {
    if failure.message.starts_with("NoSuchHealthCheck") {
        Failure { kind: Kind::NotFound, ..failure }
    } else {
        failure
    }
}
