//! What an invocation can end with instead of an answer.
//!
//! Law: `error_type` is a contract: retries, destinations and alarms are built on it.

use std::fmt;

use lambda_runtime::Diagnostic;

/// Why an invocation, or the start, failed. Its `Display` is the whole story for people.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The event is none of those that are understood, or is not what it should be.
    #[error("{0}")]
    UnknownEvent(String),
    /// A cluster was asked for that is not configured.
    #[error("no cluster is called `{unknown}`; the configuration has {}", .known.join(", "))]
    UnknownCluster {
        /// The name that was given.
        unknown: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A Function URL was called by a caller that IAM has not authorised.
    #[error(
        "the caller is not authorised by IAM, so no cluster was looked at: set the Function URL's AuthType to AWS_IAM, \
         and sign the request (Signature Version 4)"
    )]
    Forbidden,
    /// A Function URL was called by a method that means nothing here.
    #[error("the method `{method}` is not understood: GET plans (a dry run), POST makes a pass")]
    MethodNotAllowed {
        /// The request's.
        method: String,
    },
    /// Something could not be read or written.
    #[error("{0}")]
    ClusterFailed(String),
    /// Something was left alone, and `lambda.fail_on_hold` is set.
    #[error("{0}")]
    ClusterHeld(String),
    /// The invocation's deadline is too near.
    #[error("{0}; raise the function's timeout")]
    OutOfTime(String),
    /// A test could not be told.
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

/// The runtime logs the error that it reports, in this form.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.error_type())
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.error_type().to_owned(), error_message: failure.to_string() }
    }
}
