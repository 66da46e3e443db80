//! The failures of an invocation.
//!
//! `error_type` is a contract: retries, destinations and alarms depend on it.

use std::fmt;

use lambda_runtime::Diagnostic;
use repoint_domain::values::event::InvalidRequest;

/// Why an invocation or the start failed. Its `Display` is complete, with what to do.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The event is of no known kind, or is malformed.
    #[error("{0}")]
    UnknownEvent(String),
    /// A requested cluster is not configured.
    #[error("no cluster is called `{unknown}`; the configuration has {}", .known.join(", "))]
    UnknownCluster {
        /// The requested name.
        unknown: String,
        /// The configured names.
        known: Vec<String>,
    },
    /// A Function URL was called without IAM authorisation.
    #[error(
        "the caller is not authorised by IAM, so no cluster was checked: set the Function URL's AuthType to AWS_IAM, \
         and sign the request (Signature Version 4)"
    )]
    Forbidden,
    /// A Function URL was called with an unknown method.
    #[error("the method `{method}` is not allowed: use GET for a dry run, POST for a pass")]
    MethodNotAllowed {
        /// The method of the request.
        method: String,
    },
    /// A cluster failed.
    #[error("{0}")]
    ClusterFailed(String),
    /// A cluster was held, and `lambda.fail_on_hold` is set.
    #[error("{0}")]
    ClusterHeld(String),
    /// The invocation's deadline is too near.
    #[error("{0}; raise the function's timeout")]
    OutOfTime(String),
    /// An alert or a test alert could not be published.
    #[error("{0}")]
    AlertFailed(String),
    /// The function cannot start.
    #[error("{0}")]
    BadConfiguration(String),
}

impl Failure {
    /// The name for programs.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::UnknownEvent(_) => "UnknownEvent",
            Self::UnknownCluster { .. } => "UnknownCluster",
            Self::Forbidden => "Forbidden",
            Self::MethodNotAllowed { .. } => "MethodNotAllowed",
            Self::ClusterFailed(_) => "ClusterFailed",
            Self::ClusterHeld(_) => "ClusterHeld",
            Self::OutOfTime(_) => "OutOfTime",
            Self::AlertFailed(_) => "AlertFailed",
            Self::BadConfiguration(_) => "BadConfiguration",
        }
    }
}

/// The runtime logs the failures that it reports, in this form.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.error_type())
    }
}

impl From<InvalidRequest> for Failure {
    fn from(invalid: InvalidRequest) -> Self {
        Self::UnknownEvent(invalid.to_string())
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.error_type().to_owned(), error_message: failure.to_string() }
    }
}
