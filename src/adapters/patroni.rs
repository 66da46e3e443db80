//! Patroni's REST API over HTTP.
//!
//! Law: whatever is on that port, asking it is bounded in time and size, and what is not Patroni's answer is a failure
//! with its reason: never a crash, and never "not the primary".

mod wire;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Certificate, Client, Identity, StatusCode, redirect};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::domain::cluster::ApiUrl;
use crate::domain::failure::{Failure, Kind};
use crate::domain::text;
use crate::domain::world::{MemberAnswer, Read, View};
use crate::ports::Patroni;

/// The longest answer that is read. `/cluster` takes about 300 bytes a member, so this is thousands of members.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// So many members are asked at the same time: what is queued here has no time that runs, and what is queued in an
/// overloaded process looks like a member that hangs.
const SWIFT_AT_ONCE: usize = 64;
/// Who has not answered by then keeps no other one waiting.
const SWIFT: Duration = Duration::from_millis(250);

/// How members are asked.
#[derive(Clone, Debug)]
pub struct Options {
    /// The longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// The longest wait for the whole answer.
    pub timeout: Duration,
    /// PEM of the certificate authorities to trust, instead of the system's.
    pub ca: Option<Vec<u8>>,
    /// PEM of a client certificate and its key.
    pub identity: Option<Vec<u8>>,
    /// How many members are asked at the same time; each takes two connections.
    pub at_once: usize,
}

/// Asks members over HTTP and HTTPS.
#[derive(Clone)]
pub struct Rest {
    client: Client,
    /// For each member that is asked.
    places: Arc<Semaphore>,
    /// For each that may still be about to answer.
    swift: Arc<Semaphore>,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The CA file.
    #[error("`patroni.ca_file` holds no PEM certificate that can be read")]
    Ca(#[source] Option<reqwest::Error>),
    /// The client certificate.
    #[error("`patroni.certificate_file` and `patroni.key_file` hold no PEM that can be read")]
    Identity(#[source] reqwest::Error),
    /// Anything else.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

impl Rest {
    /// Makes a client that follows no redirects and uses no proxy.
    ///
    /// # Errors
    /// If a certificate or key is none.
    pub fn new(options: &Options) -> Result<Self, OptionsError> {
        let mut builder = Client::builder()
            .user_agent(concat!("repoint/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .http1_only()
            // Patroni speaks HTTP/1.0 and closes each connection (its `api.py`).
            .pool_max_idle_per_host(0);
        if let Some(pem) = &options.ca {
            let certificates =
                Certificate::from_pem_bundle(pem).map_err(|error| OptionsError::Ca(Some(error)))?;
            if certificates.is_empty() {
                return Err(OptionsError::Ca(None));
            }
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(pem) = &options.identity {
            builder = builder.identity(Identity::from_pem(pem).map_err(OptionsError::Identity)?);
        }
        let client = builder.build().map_err(OptionsError::Client)?;
        Ok(Self {
            client,
            places: Arc::new(Semaphore::new(options.at_once)),
            swift: Arc::new(Semaphore::new(SWIFT_AT_ONCE)),
        })
    }

    async fn get<T: DeserializeOwned>(&self, url: &ApiUrl, path: &str, expected: &[StatusCode]) -> Answer<T> {
        let failure = |kind, message| Failure::new(kind, format!("GET {path}"), url.to_string(), message);
        let mut response = match self.client.get(format!("{url}{path}")).send().await {
            Ok(response) => response,
            Err(error) => {
                return Answer { peer: None, read: Err(failure(Kind::Unavailable, reason(&error))) };
            }
        };
        let peer = response.remote_addr();
        let status = response.status();
        let read = async {
            if !expected.contains(&status) {
                return Err(failure(Kind::Invalid, format!("answered {status}, which Patroni would not")));
            }
            let mut body = Vec::new();
            loop {
                match response.chunk().await {
                    Ok(None) => break,
                    Ok(Some(chunk)) if body.len() + chunk.len() > LONGEST_ANSWER => {
                        return Err(failure(
                            Kind::Invalid,
                            format!("answered more than {LONGEST_ANSWER} bytes"),
                        ));
                    }
                    Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                    Err(error) => return Err(failure(Kind::Unavailable, reason(&error))),
                }
            }
            match serde_json::from_slice(&body) {
                Ok(json) => Ok((status, json)),
                Err(error) => {
                    let why = text::message(&error.to_string());
                    Err(failure(Kind::Invalid, format!("answered what is not Patroni's JSON: {why}")))
                }
            }
        };
        Answer { peer, read: read.await }
    }
}

struct Answer<T> {
    peer: Option<SocketAddr>,
    read: Read<(StatusCode, T)>,
}

#[async_trait]
impl Patroni for Rest {
    async fn ask(&self, url: &ApiUrl) -> MemberAnswer {
        // Both statuses of `/primary` come with the member's own JSON.
        let statuses = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];
        // Nobody closes them, so nobody is refused.
        let _place = self.places.acquire().await;
        let swift = self.swift.acquire().await;
        let mut asking = pin!(async {
            tokio::join!(
                self.get::<wire::Health>(url, "/primary", &statuses),
                self.get::<wire::View>(url, "/cluster", &statuses[..1]),
            )
        });
        let (primary, cluster) = if let Ok(answers) = timeout(SWIFT, &mut asking).await {
            answers
        } else {
            drop(swift);
            asking.await
        };
        MemberAnswer {
            peer: primary.peer.or(cluster.peer),
            health: primary.read.and_then(|(status, health)| {
                let health = health.into_domain(status == StatusCode::OK);
                health.map_err(|error| refused("GET /primary", url, &error))
            }),
            view: cluster.read.and_then(|(_, view)| {
                View::try_from(view).map_err(|error| refused("GET /cluster", url, &error))
            }),
        }
    }
}

/// An answer with something in it that nothing may be known by.
fn refused(call: &str, url: &ApiUrl, error: &wire::WireError) -> Failure {
    Failure::new(Kind::Invalid, call, url.to_string(), format!("the answer is refused: {error}"))
}

/// The cause in a few words: "connection refused" rather than "error sending request for url".
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        let what = if error.is_connect() { "no connection" } else { "no whole answer" };
        return format!("{what} within the time allowed");
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    text::message(&deepest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let options = Options {
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            ca: Some(b"not a certificate".to_vec()),
            identity: None,
            at_once: 1,
        };
        assert!(matches!(Rest::new(&options), Err(OptionsError::Ca(_))));
    }

    #[test]
    fn health_is_read_without_the_fields_that_are_missing_while_postgresql_is_down() {
        let health: wire::Health = serde_json::from_str(r#"{"state": "stopped", "role": "replica"}"#)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(health.into_domain(false).map(|own| own.timeline).ok(), Some(None));
    }
}
