//! What the AWS adapters share: one configuration of clients, one HTTP client, one mapping of errors, one interceptor of
//! calls.
//!
//! Invariant 10 (bounded): every call has a timeout. The SDK sets no attempt or operation timeout of its own
//! (aws-config, "Timeouts").

mod access;
mod call;
pub mod connect;
mod credentials;
mod denial;
mod endpoint;
mod http;
mod owner;
pub mod refusal;
mod renewal;
mod role;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_route53::config::http::HttpResponse;
use aws_sdk_route53::error::{ProvideErrorMetadata, SdkError};

pub use access::{Access, GLOBAL_REGION, Options};
pub use call::Call;
pub use credentials::Renewable;
use credentials::Unloaded;
pub use owner::Owner;
use refusal::refusal_of;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::text;

/// A healthy control plane answers within 1 s, and TCP retransmits the first packet after 1 s.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1200);
/// One attempt to read. `DescribeInstances` in a large account takes several seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);
/// One attempt to write, or to access the state table: less than half of the 3 s that a commit and the writes after
/// it may take, so that a request on a dead pooled connection can be sent once more within that time.
const PROMPT_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1400);
/// A call with all its retries; the deadline of the pass may end it earlier.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
/// With a jittered back-off from 100 ms to 2 s, ten attempts cover about 10 s of throttling.
const ATTEMPTS: u32 = 10;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Replaces the SDK's debug output, which lists every provider that it tried.
const NO_CREDENTIALS: &str = "no AWS credentials were found: attach an instance or task role, or set a profile \
    (AWS_PROFILE), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// Loading the state ends after 3 s, and saving it for alerts after 2 s. The back-offs take at most 2.7 s and 1.5 s,
/// so that the call fails with AWS's error and not with our timeout. The caller of a save retries.
const LOAD_ATTEMPTS: u32 = 9;
const SAVE_ATTEMPTS: u32 = 6;
const LONGEST_STATE_BACKOFF: Duration = Duration::from_millis(400);

/// Takes credentials and defaults from where the SDK finds them, and sets timeouts and retries.
fn loader(region: Option<&str>) -> ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http::client())
        .timeout_config(timeouts(ATTEMPT_TIMEOUT))
        .retry_config(retries(ATTEMPTS));
    match region {
        Some(region) => loader.region(Region::new(region.to_owned())),
        None => loader,
    }
}

fn retries(attempts: u32) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF)
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// The timeouts of a call that is made between the commit and the end of the writes.
#[must_use]
pub fn prompt() -> TimeoutConfig {
    timeouts(PROMPT_ATTEMPT_TIMEOUT)
}

/// The retries of loading the state: few enough that AWS's error is known before the load's time is over.
#[must_use]
pub fn load_retries() -> RetryConfig {
    retries(LOAD_ATTEMPTS).with_max_backoff(LONGEST_STATE_BACKOFF)
}

/// The retries of saving the state.
#[must_use]
pub fn save_retries() -> RetryConfig {
    retries(SAVE_ATTEMPTS).with_max_backoff(LONGEST_STATE_BACKOFF)
}

/// The same configuration for another Region.
#[must_use]
pub fn in_region(config: &SdkConfig, region: &str) -> SdkConfig {
    config.clone().into_builder().region(Region::new(region.to_owned())).build()
}

/// Describes a failed call: the IAM action, the resource, and AWS's error.
pub fn failure<E>(action: &str, resource: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let metadata = service.err().meta();
            let (code, words) = match (metadata.code(), metadata.message()) {
                (Some(code), words) => (code.to_owned(), words.unwrap_or_default().to_owned()),
                (None, _) => unwrapped(service.raw()),
            };
            refusal_of(&Owner::of(service.raw()), action, resource, &code, &words)
        }
        SdkError::TimeoutError(_) => {
            Failure::new(Kind::Unavailable, action, resource, "no answer before the timeout")
        }
        other => {
            if let Some(Unloaded::Role(refused)) = cause::<Unloaded>(other) {
                return refused.clone();
            }
            let words = causes(other);
            if words.contains("no credentials found") {
                Failure::new(Kind::Unauthenticated, action, resource, NO_CREDENTIALS)
            } else {
                Failure::new(Kind::Unavailable, action, resource, text::message(&words))
            }
        }
    }
}

/// Reads an error that is not wrapped in `<ErrorResponse>`, which the SDK does not parse: Route 53 sends
/// `<InvalidChangeBatch><Messages><Message>…` (Route 53 API reference, `ChangeResourceRecordSets`, "Errors").
fn unwrapped(response: &HttpResponse) -> (String, String) {
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    let mut code = None;
    let mut words = Vec::new();
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        let name = tag.split(char::is_whitespace).next().unwrap_or_default();
        if code.is_none() && !name.starts_with(['?', '!']) {
            code = Some(name.to_owned());
        }
        words.extend(Some(text.trim()).filter(|text| !text.is_empty()));
    }
    let status = response.status().as_u16();
    (code.unwrap_or_else(|| format!("HTTP status {status}")), words.join(" "))
}

/// The first error of that type in the chain of causes.
fn cause<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// The chain of causes without the SDK's debug output and without repetitions.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(current) = cause {
        let said = current.to_string();
        if !words.iter().any(|earlier| earlier.contains(&said)) {
            words.push(said);
        }
        cause = current.source();
    }
    words.join(": ")
}
