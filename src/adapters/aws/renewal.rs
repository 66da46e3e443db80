//! Repeats a call with new credentials if AWS refused the old ones.
//!
//! Each call is repeated at most once, and only if AWS refused the credentials and not the request, so that nothing
//! was done. The repetition is an attempt like any other: counted, and fenced if it is a write.

use std::time::Duration;

use aws_sdk_route53::config::http::HttpResponse;
use aws_sdk_route53::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextMut, InterceptorContext,
};
use aws_sdk_route53::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_route53::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_route53::error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use aws_smithy_types::retry::ErrorKind;

use super::credentials::Renewable;
use super::owner::Owner;

/// Marks a refusal after which the call may be repeated.
const AGAIN: &str = "x-repoint-again";

/// Observes every call of the clients that use these credentials.
#[derive(Clone, Debug)]
pub struct Renewal {
    credentials: Renewable,
    owner: Owner,
}

impl Renewal {
    /// For clients with these credentials.
    #[must_use]
    pub fn of(credentials: &Renewable, owner: &Owner) -> Self {
        Self { credentials: credentials.clone(), owner: owner.clone() }
    }
}

/// What is known about one call.
#[derive(Clone, Debug, Default)]
struct Signed {
    access_key_id: String,
    is_renewed: bool,
}

impl Storable for Signed {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Renewal {
    fn name(&self) -> &'static str {
        "repoint renews refused credentials"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_renewed = config.load::<Signed>().is_some_and(|signed| signed.is_renewed);
        let header = context.request().headers().get("authorization").unwrap_or_default();
        let scope = header.split("Credential=").nth(1).unwrap_or_default();
        let access_key_id = scope.split('/').next().unwrap_or_default().to_owned();
        config.interceptor_state().store_put(Signed { access_key_id, is_renewed });
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _runtime_components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(response) = context.response_mut() else { return Ok(()) };
        if response.status().is_success() {
            self.credentials.accepted();
            return Ok(());
        }
        let credentials = Some(self.credentials.describe());
        Owner { credentials, ..self.owner.clone() }.note(response);
        let refused = refused(response).map(str::to_owned);
        if let (Some(code), Some(signed)) = (refused, config.load::<Signed>().cloned()) {
            self.credentials.refused(&signed.access_key_id);
            if signed.is_renewed {
                self.credentials.refused_again(&code);
            } else {
                response.headers_mut().insert(AGAIN, "yes");
                config.interceptor_state().store_put(Signed { is_renewed: true, ..signed });
            }
        }
        Ok(())
    }
}

impl ClassifyRetry for Renewal {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().and_then(|response| response.headers().get(AGAIN)) {
            Some(_) => {
                RetryAction::retryable_error_with_explicit_delay(ErrorKind::TransientError, Duration::ZERO)
            }
            None => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "repoint renews refused credentials"
    }
}

/// The error code of refused credentials.
fn refused(response: &HttpResponse) -> Option<&str> {
    matches!(response.status().as_u16(), 400 | 401 | 403).then_some(())?;
    code(response).filter(|code| is_of_credentials(code))
}

/// Whether a code says that the credentials are unknown, expired, or do not match the signature (IAM API reference,
/// "Common errors"; EC2 API, "Error codes for the Amazon EC2 API"; DynamoDB Developer Guide, "Error handling"). EC2
/// reports an expired session as `RequestExpired`.
fn is_of_credentials(code: &str) -> bool {
    matches!(
        code,
        "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "UnrecognizedClientException"
            | "InvalidToken"
            | "AuthFailure"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
    )
}

/// The error code in any of the services' formats: `<Code>…</Code>`, or `"__type": "…#…"`.
fn code(response: &HttpResponse) -> Option<&str> {
    let body = std::str::from_utf8(response.body().bytes()?).ok()?;
    if let Some((_, rest)) = body.split_once("<Code>") {
        return rest.split('<').next();
    }
    let (_, rest) = body.split_once("\"__type\"")?;
    let value = rest.split('"').nth(1)?;
    value.rsplit('#').next()
}
