//! A call that did not succeed, as a fact that decisions may rest on.
//!
//! Law: a failure names the call and the resource, and its kind is the one label for it in logs, metrics and alerts.

use serde::Serialize;

use super::permission::{Permission, needed};

/// What sort of failure it was, and so what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// AWS asked for fewer calls, and went on asking while retries lasted.
    Throttled,
    /// The credentials are missing, wrong, or not allowed to do this.
    Denied,
    /// The resource named in the configuration does not exist.
    NotFound,
    /// The answer or the request makes no sense to the other side, or to us.
    Invalid,
    /// Somebody else changed the thing between our read and our write.
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
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
        }
    }
}

/// One failed call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
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
}

impl Failure {
    /// What to do about it, where that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let Self { kind, call, resource, message } = self;
        let code = message.split(':').next().unwrap_or_default();
        match (kind, code) {
            (Kind::Denied, _) => Some(match needed(call, resource, "aws") {
                Some(Permission { statement, resource }) => format!(
                    "allow the IAM action `{call}` on `{resource}` (the statement `{statement}` of `repoint iam`), or mend \
                     the credentials"
                ),
                None => format!("allow the IAM action `{call}` on `{resource}`, or mend the credentials"),
            }),
            (Kind::NotFound, "NoSuchHostedZone") => Some(
                "the zone is not in the account of these credentials: check `zone_id`, and whose credentials they are"
                    .to_owned(),
            ),
            (Kind::NotFound, _) => Some(format!(
                "`{resource}` does not exist for these credentials: check its name, account and Region"
            )),
            (Kind::Conflict, _) => {
                Some("somebody else changed it meanwhile; the next pass reads it anew".to_owned())
            }
            (Kind::Throttled, "PriorRequestNotComplete") => Some(
                "Route 53 is still busy with an earlier change of this zone; the next pass tries again".to_owned(),
            ),
            (Kind::Throttled, _) => {
                Some("the account's request rate is used up; the next pass tries again".to_owned())
            }
            (Kind::Invalid, "NoSuchHealthCheck") => {
                Some("the health check is not in this account: check `health_check_id`".to_owned())
            }
            (Kind::Invalid, "InvalidChangeBatch") if message.contains("protected") => Some(
                "the record set is protected in Route 53: lift the protection there, or take the record out of the configuration"
                    .to_owned(),
            ),
            (Kind::Invalid | Kind::Unavailable, _) => None,
        }
    }
}
