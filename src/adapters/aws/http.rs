//! One HTTP client for all services.
//!
//! The SDK's default is one for each service client, and each builds its TLS configuration with all of the system's authorities
//! twice: to see that it can, when the service client is built, and at the first call. A Lambda waits for that at each cold
//! start.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};

/// What a connector is built with: its connect timeout and its read timeout.
type Timeouts = (Option<Duration>, Option<Duration>);

/// A client with a connector for each pair of timeouts, built when it is first needed. As the SDK's default does, it takes the
/// system's authorities, and a proxy from the environment.
pub(super) fn client() -> SharedHttpClient {
    let connectors = Mutex::<Vec<(Timeouts, SharedHttpConnector)>>::default();
    http_client_fn(move |settings, components| {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        // Each change is one insertion, so a panic leaves no partial change.
        let mut connectors = connectors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connector)) = connectors.iter().find(|(of, _)| *of == timeouts) {
            return connector.clone();
        }
        let mut connector = Connector::builder();
        connector.set_connector_settings(Some(settings.clone()));
        connector.set_sleep_impl(components.sleep_impl());
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        let connector = connector.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build();
        let connector = SharedHttpConnector::new(connector);
        connectors.push((timeouts, connector.clone()));
        connector
    })
}
