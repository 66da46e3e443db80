//! Patroni's REST API over HTTP.
//!
//! Law: whatever is on that port, asking it is bounded in time and size, and what is not Patroni's answer is a failure
//! with its reason: never a crash, and never "not the primary".

mod reason;
mod tls;
mod wire;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, StatusCode, redirect};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::reason::{Reasons, is_end};
use crate::limits::Asked;
use crate::ports::Patroni;
use repoint_domain::observed::{ClusterView, MemberAnswer, Read};
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::text;

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
    /// The authorities to trust, instead of the system's; a member's own certificate is one as well.
    pub ca: Option<Vec<CertificateDer<'static>>>,
    /// A client certificate and its key.
    pub identity: Option<Arc<CertifiedKey>>,
    /// Whether a member's certificate must have the name or address by which it is asked.
    pub verify_hostname: bool,
    /// How many members are asked at the same time; each takes two connections.
    pub at_once: usize,
}

/// Asks members over HTTP and HTTPS.
#[derive(Clone)]
pub struct Rest {
    client: Client,
    reasons: Reasons,
    /// For each member that is asked.
    places: Arc<Semaphore>,
    /// For each that may still be about to answer.
    swift: Arc<Semaphore>,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// Certificates.
    #[error("the certificates of `[patroni]` cannot be used")]
    Tls(#[source] rustls::Error),
    /// Anything else.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

impl Rest {
    /// Makes a client that follows no redirects and uses no proxy.
    ///
    /// # Errors
    /// If a certificate cannot be used.
    pub fn new(options: &Options) -> Result<Self, OptionsError> {
        let (ca, identity) = (options.ca.as_deref(), options.identity.clone());
        let tls = tls::client(ca, identity, options.verify_hostname).map_err(OptionsError::Tls)?;
        let builder = Client::builder()
            .user_agent(concat!("repoint/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .tls_backend_preconfigured(tls)
            // Patroni speaks HTTP/1.0 and closes each connection (its `api.py`).
            .pool_max_idle_per_host(0);
        let client = builder.build().map_err(OptionsError::Client)?;
        Ok(Self {
            client,
            reasons: Reasons { has_ca: options.ca.is_some(), has_identity: options.identity.is_some() },
            places: Arc::new(Semaphore::new(options.at_once)),
            swift: Arc::new(Semaphore::new(SWIFT_AT_ONCE)),
        })
    }

    async fn get<T: DeserializeOwned>(&self, url: &ApiUrl, path: &str, expected: &[StatusCode]) -> Answer<T> {
        let failure = |kind, message| Failure::new(kind, format!("GET {path}"), url.to_string(), message);
        let mut response = match self.client.get(format!("{url}{path}")).send().await {
            Ok(response) => response,
            Err(error) => {
                return Answer {
                    peer: None,
                    read: Err(failure(Kind::Unavailable, self.reasons.of(url, &error))),
                };
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
                    // Whoever closes a TLS connection says so first, but not everybody does; half an answer is no JSON.
                    Err(error) if is_end(&error) && !body.is_empty() => break,
                    Err(error) => return Err(failure(Kind::Unavailable, self.reasons.of(url, &error))),
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
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer {
        // Both statuses of `/primary` come with the member's own JSON.
        let statuses = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];
        // Nobody closes them, so nobody is refused.
        let _place = self.places.acquire().await;
        let swift = self.swift.acquire().await;
        asked.now();
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
                ClusterView::try_from(view).map_err(|error| refused("GET /cluster", url, &error))
            }),
        }
    }
}

/// An answer with something in it that nothing may be known by.
fn refused(call: &str, url: &ApiUrl, error: &wire::WireError) -> Failure {
    Failure::new(Kind::Invalid, call, url.to_string(), format!("the answer is refused: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_read_without_the_fields_that_are_missing_while_postgresql_is_down() {
        let health: wire::Health = serde_json::from_str(r#"{"state": "stopped", "role": "replica"}"#)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(health.into_domain(false).map(|own| own.timeline).ok(), Some(None));
    }
}
