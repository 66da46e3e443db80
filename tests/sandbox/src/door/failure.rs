//! AWS's errors as `repoint`'s adapters would name them.

use repoint::domain::failure::{Failure, Kind};

use crate::aws::error::AwsError;

pub(super) fn failure(call: &str, resource: &str, error: &AwsError) -> Failure {
    let kind = match error.code.as_str() {
        "" => Kind::Unavailable,
        "Throttling" | "ThrottlingException" | "PriorRequestNotComplete" => Kind::Throttled,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => Kind::Denied,
        "TargetGroupNotFound" | "NoSuchHostedZone" | "NoSuchHealthCheck" | "NotFound" => Kind::NotFound,
        "InvalidChangeBatch"
            if ["not found", "do not match", "already exists"]
                .iter()
                .any(|sign| error.message.contains(sign)) =>
        {
            Kind::Conflict
        }
        _ => Kind::Invalid,
    };
    Failure { kind, call: call.to_owned(), resource: resource.to_owned(), message: error.to_string() }
}
