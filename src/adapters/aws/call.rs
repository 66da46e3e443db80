//! What every attempt of a call does just before it is sent: it is counted, and a write is checked against its lease.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_route53::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_route53::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_route53::error::BoxError;

use crate::limits::{Calls, LeaseGuard};
use repoint_domain::rates::RateKey;

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
}

impl Call {
    /// Counts each attempt in `calls`, as AWS does.
    #[must_use]
    pub fn new(calls: &Calls, action: &'static str) -> Self {
        Self { calls: calls.clone(), action, rate: None, is_retry: AtomicBool::new(false), fence: None }
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
        match &self.fence {
            Some((guard, resource)) => Ok(guard.check(self.action, resource)?),
            None => Ok(()),
        }
    }
}
