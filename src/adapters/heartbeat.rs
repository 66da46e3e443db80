//! A sign that repoint works, for a service that raises an alarm when it stays away.
//!
//! Law: bounded (10), and nothing hinges on it. The URL is a secret: no message has it.

use std::error::Error;
use std::iter::successors;
use std::time::Duration;

use reqwest::{Client, Response};

use repoint_domain::values::text;

/// The service is somewhere on the internet, and asked beside the work.
const WITHIN: Duration = Duration::from_secs(5);

/// Sends signs of life.
pub struct Heartbeat {
    client: Client,
    url: String,
}

impl Heartbeat {
    /// Makes a client; by the environment's proxy, if there is one.
    ///
    /// # Errors
    /// If none can be made.
    pub fn new(url: &str) -> reqwest::Result<Self> {
        let client = Client::builder()
            .user_agent(concat!("repoint/", env!("CARGO_PKG_VERSION")))
            .timeout(WITHIN)
            .build()?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// Asks for the URL, once.
    ///
    /// # Errors
    /// Why it was not taken.
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
