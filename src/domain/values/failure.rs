//! A call that did not succeed, as a fact that decisions may rest on.
//!
//! A failure names the call and the resource, and its kind is the one label for it in logs, metrics and alerts. The
//! adapter that made the call adds what to do about it, since only it knows the codes of the service.

use serde::Serialize;

/// What sort of failure it was, and so what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// AWS asked for fewer calls, and went on asking while retries lasted.
    Throttled,
    /// The credentials are missing, expired, unknown or wrong: other ones may succeed without a change of any policy.
    Unauthenticated,
    /// The credentials are valid and not allowed to do this.
    Denied,
    /// The resource named in the configuration does not exist.
    NotFound,
    /// The answer or the request makes no sense to the other side, or to us.
    Invalid,
    /// Another writer changed the thing between our read and our write.
    Conflict,
    /// No answer, or none in time.
    Unavailable,
}

impl Kind {
    /// The label in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
        }
    }
}

/// One failed call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[error("{call} on {resource}: {message}")]
pub struct Failure {
    /// What helps.
    pub kind: Kind,
    /// An IAM action such as `elasticloadbalancing:RegisterTargets`, or `GET /primary`.
    pub call: String,
    /// What the call was about: an ARN, a zone, a URL.
    pub resource: String,
    /// What went wrong, in the other side's words where it had any.
    pub message: String,
    /// What to do about it, where that can be said.
    #[serde(skip)]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of which nothing more can be said.
    #[must_use]
    pub fn new(
        kind: Kind,
        call: impl Into<String>,
        resource: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, call: call.into(), resource: resource.into(), message: message.into(), hint: None }
    }

    /// What went wrong, and what to do about it.
    #[must_use]
    pub fn explained(&self) -> String {
        let hint = self.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
        format!("{self}{hint}")
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
