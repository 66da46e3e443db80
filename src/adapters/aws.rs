//! What the AWS adapters share: one configuration, one way to name a failure, one way to count requests.
//!
//! Law: every call is bounded. The SDK sets no attempt or operation timeout of its own (aws-config, "Timeouts").

mod access;
mod credentials;
mod denial;
mod endpoint;
mod owner;
pub mod refusal;
mod renewal;
mod role;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_route53::config::http::HttpResponse;
use aws_sdk_route53::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_route53::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_route53::error::{BoxError, ProvideErrorMetadata, SdkError};

use crate::limits::{Calls, LeaseGuard};
pub use access::{Access, Options};
pub use credentials::Renewable;
use credentials::Unloaded;
pub use owner::Owner;
use refusal::refusal_of;
use repoint_domain::rates::RateKey;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::text;

/// A healthy control plane answers within a second, and TCP sends its first packet again after one.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1200);
/// One attempt to read. `DescribeInstances` on a large account takes a few seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);
/// One attempt to write, or to ask the state's table: less than half of the 3 s that a commit and the writes after it may
/// take, so that a request on a pooled connection that has died is sent once more in that time.
const PROMPT_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1400);
/// A call with all its retries; the pass's deadline may end it sooner.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
/// With a back-off from 100 ms to 2 s, jittered, ten attempts ride out about ten seconds of throttling.
const ATTEMPTS: u32 = 10;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// In the place of the SDK's account of every provider that it asked.
const NO_CREDENTIALS: &str = "no AWS credentials were found: give it an instance or task role, a profile (AWS_PROFILE), \
    or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// A load of state is given up after 3 s, and a save after 2 s where people are told: by then it has failed by AWS's own
/// word and not by ours, since the back-offs take 2.7 s and 1.5 s at most. Whoever saves tries again.
const LOAD_ATTEMPTS: u32 = 9;
const SAVE_ATTEMPTS: u32 = 6;
const LONGEST_STATE_BACKOFF: Duration = Duration::from_millis(400);

/// Takes credentials and defaults from where the SDK looks for them, and sets the bounds.
fn loader(region: Option<&str>) -> ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::latest())
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

/// The bounds of a call that is made within the time of a commit.
#[must_use]
pub fn prompt() -> TimeoutConfig {
    timeouts(PROMPT_ATTEMPT_TIMEOUT)
}

/// How often a load of state is sent, so that what refuses it is known in time.
#[must_use]
pub fn load_retries() -> RetryConfig {
    retries(LOAD_ATTEMPTS).with_max_backoff(LONGEST_STATE_BACKOFF)
}

/// The same for a save.
#[must_use]
pub fn save_retries() -> RetryConfig {
    retries(SAVE_ATTEMPTS).with_max_backoff(LONGEST_STATE_BACKOFF)
}

/// The configuration for another Region.
#[must_use]
pub fn in_region(config: &SdkConfig, region: &str) -> SdkConfig {
    config.clone().into_builder().region(Region::new(region.to_owned())).build()
}

/// Counts each attempt of a call, as AWS does.
#[derive(Debug)]
pub struct Counted {
    calls: Calls,
    action: &'static str,
    /// Whose token the first attempt has.
    line: Option<RateKey>,
    is_retry: AtomicBool,
}

impl Counted {
    /// For one call of that IAM action.
    #[must_use]
    pub fn new(calls: &Calls, action: &'static str) -> Self {
        Self { calls: calls.clone(), action, line: None, is_retry: AtomicBool::new(false) }
    }

    /// A call that has a token.
    #[must_use]
    pub fn on(mut self, line: &RateKey) -> Self {
        self.line = Some(line.clone());
        self
    }
}

impl Intercept for Counted {
    fn name(&self) -> &'static str {
        "repoint counts requests"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.calls.count(self.action);
        if let Some(line) = self.line.as_ref().filter(|_| self.is_retry.swap(true, Ordering::Relaxed)) {
            self.calls.retried(line);
        }
        Ok(())
    }
}

/// Refuses to send what comes too late: asked for each attempt, after signing, when only the connection is left.
#[derive(Debug)]
pub struct Fenced {
    guard: LeaseGuard,
    action: &'static str,
    resource: String,
}

impl Fenced {
    /// For one write of that IAM action.
    #[must_use]
    pub fn new(guard: &LeaseGuard, action: &'static str, resource: &str) -> Self {
        Self { guard: guard.clone(), action, resource: resource.to_owned() }
    }
}

impl Intercept for Fenced {
    fn name(&self) -> &'static str {
        "repoint sends nothing that is out of date"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Ok(self.guard.check(self.action, &self.resource)?)
    }
}

/// Names a failed call: which IAM action, on which resource, what AWS said.
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
            Failure::new(Kind::Unavailable, action, resource, "no answer within the time allowed")
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

/// An error that is not wrapped in `<ErrorResponse>`, which the SDK does not read: Route 53 sends
/// `<InvalidChangeBatch><Messages><Message>…` (its API reference, `ChangeResourceRecordSets`, "Errors").
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

/// The cause of that kind, if there is one.
fn cause<'a, T: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// The chain of causes without the SDK's debugging output, and nothing said twice.
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
