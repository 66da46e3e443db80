//! AWS's last answer to a call that was cut off while it waited for its next attempt.
//!
//! A call that AWS has refused, and that had no time left for another attempt, fails with AWS's error. A request
//! without any answer may still take effect.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_route53::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_route53::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_route53::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;

use crate::adapters::aws::Owner;
use crate::adapters::aws::refusal::refusal_of;
use repoint_domain::values::failure::{Failure, Kind};

/// AWS's error: its code and its message.
#[derive(Clone, Debug)]
struct Said {
    code: String,
    words: String,
    owner: Owner,
}

/// Records the errors of one call.
#[derive(Clone, Debug, Default)]
pub struct LastError(Arc<Mutex<Option<Said>>>);

impl LastError {
    /// The failure of the call if it is cut off now.
    #[must_use]
    pub fn cut_off(&self, action: &str, resource: &str) -> Failure {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match last {
            Some(Said { code, words, owner }) => {
                let words = format!("{words} (no time was left for another attempt)");
                refusal_of(&owner, action, resource, &code, &words)
            }
            None => Failure::new(Kind::Unavailable, action, resource, "no answer before the timeout"),
        }
    }

    fn set(&self, said: Option<Said>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }
}

impl Intercept for LastError {
    fn name(&self) -> &'static str {
        "repoint records the last error"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.set(None);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let error =
            context.output_or_error().and_then(Result::err).and_then(|error| error.as_operation_error());
        let error = error.and_then(|error| error.downcast_ref::<ChangeResourceRecordSetsError>());
        if let Some((code, words)) =
            error.and_then(|error| Some((error.code()?, error.message().unwrap_or_default())))
        {
            let owner = context.response().map(Owner::of).unwrap_or_default();
            self.set(Some(Said { code: code.to_owned(), words: words.to_owned(), owner }));
        }
        Ok(())
    }
}
