//! The endpoint of every service that has none of its own.
//!
//! The SDK prefers `AWS_ENDPOINT_URL_ROUTE_53` and the like, and the `services` section of its shared configuration,
//! to `AWS_ENDPOINT_URL`; but an endpoint that a program sets takes precedence over all of them (AWS SDKs and Tools
//! Reference Guide, "Service-specific endpoints"). The endpoint configured here is set by the program and applies to
//! all services that have none of their own.

use aws_config::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

const GENERAL: &str = "AWS_ENDPOINT_URL";
/// The id of no service: what the SDK finds for it applies to all services.
const NO_SERVICE: &str = "repoint";

/// The same configuration, with that endpoint for the services that have none of their own.
pub fn with_endpoint(config: SdkConfig, url: &str) -> SdkConfig {
    let own = OwnEndpoints(config.clone());
    config.into_builder().endpoint_url(url).service_config(own).build()
}

/// What the SDK has found for one service and not for all services.
#[derive(Debug)]
struct OwnEndpoints(SdkConfig);

impl LoadServiceConfig for OwnEndpoints {
    #[expect(
        clippy::disallowed_methods,
        reason = "only to distinguish what the SDK has read from such a variable"
    )]
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let found = self.0.service_config()?;
        let value = found.load_config(key.clone())?;
        if key.env() != GENERAL {
            return Some(value);
        }
        let variable = format!("{GENERAL}_{}", key.service_id().to_uppercase().replace(' ', "_"));
        let is_own = || std::env::var(variable).is_ok_and(|own| own == value);
        let all = ServiceConfigKey::builder().service_id(NO_SERVICE).env(key.env()).profile(key.profile());
        let all = found.load_config(all.build().ok()?);
        (all.as_ref() != Some(&value) || is_own()).then_some(value)
    }
}
