//! What every attempt of a call does just before it is sent: it is counted, and a write is checked against its lease. What
//! became of it is counted for metrics.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_route53::config::http::HttpResponse;
use aws_sdk_route53::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_route53::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_route53::error::BoxError;

use crate::counters::OK;
use crate::limits::{Calls, LeaseGuard};
use repoint_domain::rates::RateKey;

/// The code of an attempt that AWS has not answered.
const NONE: &str = "none";
/// An error code stands at the beginning of an answer, and none of AWS's is longer than that.
const CODE_WITHIN: usize = 2048;
const LONGEST_CODE: usize = 64;

/// One call of an IAM action, with all its attempts.
#[derive(Debug)]
pub struct Call {
    calls: Calls,
    action: &'static str,
    /// The rate limit whose token the first attempt has taken.
    rate: Option<RateKey>,
    is_retry: AtomicBool,
    /// The lease that a write needs, and the resource that it changes.
    fence: Option<(LeaseGuard, String)>,
    /// An attempt was sent, and has not been counted by its answer.
    is_open: AtomicBool,
}

impl Call {
    /// Counts each attempt in `calls`, as AWS does.
    #[must_use]
    pub fn new(calls: &Calls, action: &'static str) -> Self {
        Self {
            calls: calls.clone(),
            action,
            rate: None,
            is_retry: AtomicBool::new(false),
            fence: None,
            is_open: AtomicBool::new(false),
        }
    }

    /// The first attempt has a token of this rate limit already.
    #[must_use]
    pub fn on(mut self, rate: &RateKey) -> Self {
        self.rate = Some(rate.clone());
        self
    }

    /// Sends no attempt after the lease has ended. Each one is checked after signing, just before transmission.
    #[must_use]
    pub fn fenced(mut self, guard: &LeaseGuard, resource: &str) -> Self {
        self.fence = Some((guard.clone(), resource.to_owned()));
        self
    }

    /// An attempt has ended with this code.
    fn ended(&self, code: &str) {
        if self.is_open.swap(false, Ordering::Relaxed) {
            self.calls.answered(self.action, code);
        }
    }
}

/// A call that was given up while an attempt was under way.
impl Drop for Call {
    fn drop(&mut self) {
        self.ended(NONE);
    }
}

impl Intercept for Call {
    fn name(&self) -> &'static str {
        "repoint counts an attempt and checks its lease"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.calls.count(self.action);
        if let Some(rate) = self.rate.as_ref().filter(|_| self.is_retry.swap(true, Ordering::Relaxed)) {
            self.calls.retried(rate);
        }
        if let Some((guard, resource)) = &self.fence {
            guard.check(self.action, resource)?;
        }
        self.is_open.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match context.response() {
            Some(response) => self.ended(&code(response)),
            None => self.ended(NONE),
        }
        Ok(())
    }
}

/// AWS's error code, or else the HTTP status.
fn code(response: &HttpResponse) -> String {
    let status = response.status();
    if status.is_success() {
        return OK.to_owned();
    }
    let begin = response.body().bytes().unwrap_or_default();
    let begin = String::from_utf8_lossy(&begin[..begin.len().min(CODE_WITHIN)]);
    error_code(response.headers().get("x-amzn-errortype"), &begin)
        .map_or_else(|| status.as_u16().to_string(), str::to_owned)
}

/// The code in an answer, as each of AWS's protocols has it: in a header, or in the body as XML or JSON.
fn error_code<'a>(header: Option<&'a str>, begin: &'a str) -> Option<&'a str> {
    let in_xml = || begin.split_once("<Code>")?.1.split('<').next();
    let in_json = || begin.split_once("\"__type\":")?.1.trim_start().strip_prefix('"')?.split('"').next();
    let code = header.and_then(|header| header.split(':').next()).or_else(in_xml).or_else(in_json)?;
    let code = code.rsplit('#').next()?.trim();
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
    (!code.is_empty() && code.len() <= LONGEST_CODE && code.bytes().all(is_code)).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::error_code;

    #[test]
    fn the_code_is_found_in_each_protocol() {
        let query = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded";
        assert_eq!(error_code(None, query), Some("Throttling"));
        let json = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"m"}"#;
        assert_eq!(error_code(None, json), Some("ThrottlingException"));
        assert_eq!(error_code(Some("AccessDenied:http://x"), "<Code>Other</Code>"), Some("AccessDenied"));
        assert_eq!(error_code(None, "<html>Bad Gateway</html>"), None);
        assert_eq!(error_code(None, "<Code>not a code</Code>"), None);
    }
}
