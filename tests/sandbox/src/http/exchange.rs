//! A request, and its answer.
//!
//! Plain data, so that a model can answer without knowing HTTP.

use std::collections::BTreeMap;

/// A request as it was received.
#[derive(Clone, Debug)]
pub struct Request {
    /// Upper-case.
    pub method: String,
    /// Without query, still percent-encoded.
    pub path: String,
    /// What follows `?`; empty if nothing does.
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// As sent.
    pub body: Vec<u8>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Full {
        /// HTTP status.
        status: u16,
        /// MIME type of the body.
        content_type: &'static str,
        /// Further headers.
        headers: Vec<(String, String)>,
        /// As sent.
        body: Vec<u8>,
    },
    /// Accept and never answer.
    Hang,
    /// Close the connection without an answer.
    Reset,
}
