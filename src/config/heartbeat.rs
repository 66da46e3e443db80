//! The URL for heartbeats.
//!
//! The URL is a secret, since its knowledge is enough to send heartbeats. Only its host is ever printed.

use std::fmt;

use url::Url;

/// The URL of a service that raises an alarm when requests stop.
#[derive(Clone, PartialEq, Eq)]
pub struct HeartbeatUrl(Url);

impl HeartbeatUrl {
    /// Parses an HTTP or HTTPS URL.
    ///
    /// # Errors
    /// What a valid URL is.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Self(url)),
            _ => Err("it must be a URL that begins with http:// or https://"),
        }
    }

    /// The whole URL, for the request.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for HeartbeatUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/***", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for HeartbeatUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
