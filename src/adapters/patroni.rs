//! Patroni's REST API over HTTP.
//!
//! Invariants 2 and 10: whatever listens on the port, a request is limited in time and size, and an answer that is
//! not Patroni's is a failure with a reason: never a crash, and never "not the primary".

pub(super) mod details;
mod inspect;
mod reason;
#[cfg(feature = "drill")]
pub mod switchover;
mod wire;

use std::fmt::Display;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::DATE;
use reqwest::{Client, StatusCode, redirect};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::reason::{Reasons, is_end};
use crate::adapters::tls::{self, Accepted};
use crate::limits::Asked;
use crate::ports::Patroni;
use repoint_domain::observed::{ClusterView, MemberAnswer, MemberStatus, Read, TimelineEnd};
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::text;

/// The longest answer that is read. `/cluster` has about 300 bytes per member, so this is enough for thousands of
/// members.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Both statuses of `/primary` come with the member's own JSON.
const STATUSES: [StatusCode; 2] = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];

/// The number of members that are asked at the same time. A request that waits here has no timeout running, while a
/// request that waits in an overloaded process makes its member appear to hang.
const SWIFT_AT_ONCE: usize = 64;
/// After this time a slow request no longer counts toward the limit.
const SWIFT: Duration = Duration::from_millis(250);

/// How to ask members.
#[derive(Clone, Debug)]
pub struct Options {
    /// The connect timeout, TLS included.
    pub connect_timeout: Duration,
    /// The timeout of the whole answer.
    pub timeout: Duration,
    /// The trusted authorities and members' own certificates, instead of the system's authorities.
    pub ca: Option<Vec<CertificateDer<'static>>>,
    /// A client certificate and its key.
    pub identity: Option<Arc<CertifiedKey>>,
    /// Whether a member's certificate must have the name or address of its URL.
    pub verify_hostname: bool,
    /// The number of members that are asked at the same time; each takes two connections.
    pub at_once: usize,
}

/// Asks members over HTTP and HTTPS.
#[derive(Clone)]
pub struct Rest {
    client: Client,
    /// The same without a client certificate, for what must not use one.
    anonymous: Client,
    reasons: Reasons,
    /// One permit for each member that is being asked.
    places: Arc<Semaphore>,
    /// One permit for each member that may still answer.
    swift: Arc<Semaphore>,
}

/// Why no client could be created.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The certificates are unusable.
    #[error("the certificates of `[patroni]` cannot be used")]
    Tls(#[source] rustls::Error),
    /// Anything else.
    #[error("the HTTP client cannot be created")]
    Client(#[source] reqwest::Error),
}

impl Rest {
    /// Creates a client that follows no redirects and uses no proxy.
    ///
    /// # Errors
    /// If a certificate is unusable.
    pub fn new(options: &Options) -> Result<Self, OptionsError> {
        let client = client(options, options.identity.clone())?;
        let anonymous = match options.identity {
            Some(_) => self::client(options, None)?,
            None => client.clone(),
        };
        Ok(Self {
            client,
            anonymous,
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
                    date: None,
                    read: Err(failure(Kind::Unavailable, self.reasons.of(url, &error))),
                };
            }
        };
        let peer = response.remote_addr();
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
        let status = response.status();
        let read = async {
            if !expected.contains(&status) {
                return Err(failure(Kind::Invalid, format!("unexpected status {status} for Patroni")));
            }
            let mut body = Vec::new();
            loop {
                match response.chunk().await {
                    Ok(None) => break,
                    Ok(Some(chunk)) if body.len() + chunk.len() > LONGEST_ANSWER => {
                        return Err(failure(
                            Kind::Invalid,
                            format!("the answer exceeds {LONGEST_ANSWER} bytes"),
                        ));
                    }
                    Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                    // A TLS connection may end without `close_notify`; an incomplete answer is not valid JSON anyway.
                    Err(error) if is_end(&error) && !body.is_empty() => break,
                    Err(error) => return Err(failure(Kind::Unavailable, self.reasons.of(url, &error))),
                }
            }
            match serde_json::from_slice(&body) {
                Ok(json) => Ok((status, json)),
                Err(error) => {
                    let why = text::message(&error.to_string());
                    Err(failure(Kind::Invalid, format!("the answer is not Patroni's JSON: {why}")))
                }
            }
        };
        Answer { peer, date, read: read.await }
    }
}

/// A client with that certificate.
fn client(options: &Options, identity: Option<Arc<CertifiedKey>>) -> Result<Client, OptionsError> {
    let trusted = Accepted::Trusted { by: options.ca.as_deref(), verify_hostname: options.verify_hostname };
    let tls = tls::client(trusted, identity, "http/1.1").map_err(OptionsError::Tls)?;
    let builder = Client::builder()
        .user_agent(concat!("repoint/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .timeout(options.timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .tls_backend_preconfigured(tls)
        // Patroni speaks HTTP/1.0 and closes each connection (Patroni, `api.py`).
        .pool_max_idle_per_host(0);
    builder.build().map_err(OptionsError::Client)
}

struct Answer<T> {
    peer: Option<SocketAddr>,
    /// The header `Date`.
    date: Option<String>,
    read: Read<(StatusCode, T)>,
}

#[async_trait]
impl Patroni for Rest {
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer {
        // The semaphores are never closed.
        let _place = self.places.acquire().await;
        let swift = self.swift.acquire().await;
        asked.now();
        let mut asking = pin!(async {
            tokio::join!(
                self.get::<wire::Health>(url, "/primary", &STATUSES),
                self.get::<wire::View>(url, "/cluster", &[StatusCode::OK]),
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
            status: own(url, primary),
            view: cluster.read.and_then(|(_, view)| {
                ClusterView::try_from(view).map_err(|error| refused("GET /cluster", url, &error))
            }),
        }
    }

    async fn status(&self, url: &ApiUrl) -> Read<MemberStatus> {
        let _place = self.places.acquire().await;
        own(url, self.get::<wire::Health>(url, "/primary", &STATUSES).await)
    }

    async fn history(&self, url: &ApiUrl) -> Read<Vec<TimelineEnd>> {
        let _place = self.places.acquire().await;
        let (_, lines) = self.get::<Vec<wire::HistoryLine>>(url, "/history", &[StatusCode::OK]).await.read?;
        let ends = lines.into_iter().map(TimelineEnd::try_from).collect::<Result<_, _>>();
        ends.map_err(|error| refused("GET /history", url, &error))
    }
}

/// What a member says of itself.
fn own(url: &ApiUrl, answer: Answer<wire::Health>) -> Read<MemberStatus> {
    answer.read.and_then(|(status, health)| {
        let health = health.into_domain(status == StatusCode::OK);
        health.map_err(|error| refused("GET /primary", url, &error))
    })
}

/// The failure of an answer with an invalid name, host or address.
fn refused(call: &str, url: &ApiUrl, error: &impl Display) -> Failure {
    Failure::new(Kind::Invalid, call, url.to_string(), format!("invalid answer: {error}"))
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
