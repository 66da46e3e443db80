//! Heartbeats for a dead man's switch: a service that raises an alarm when they stop.
//!
//! Invariant 10 (bounded); no pass waits for it. The URL is a secret: no message contains it.

use std::error::Error;
use std::iter::successors;
use std::time::Duration;

use reqwest::{Client, Response};

use repoint_domain::values::text;

/// The service is on the internet; a request does not delay a pass.
const WITHIN: Duration = Duration::from_secs(5);

/// Sends heartbeats.
pub struct Heartbeat {
    client: Client,
    url: String,
}

impl Heartbeat {
    /// Creates an HTTP client, which uses the proxy of the environment, if any.
    ///
    /// # Errors
    /// If no client can be created.
    pub fn new(url: &str) -> reqwest::Result<Self> {
        let client = Client::builder()
            .user_agent(concat!("repoint/", env!("CARGO_PKG_VERSION")))
            .timeout(WITHIN)
            .build()?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// Requests the URL once.
    ///
    /// # Errors
    /// Why the heartbeat was not accepted.
    pub async fn send(&self) -> Result<(), String> {
        let answer = self.client.get(&self.url).send().await;
        answer.and_then(Response::error_for_status).map(drop).map_err(|error| why(&error.without_url()))
    }
}

/// The whole chain of causes.
fn why(error: &reqwest::Error) -> String {
    let causes = successors(Some(error as &dyn Error), |&error| error.source());
    let words: Vec<String> = causes.map(ToString::to_string).collect();
    text::message(&words.join(": "))
}
