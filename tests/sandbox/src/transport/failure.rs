//! AWS's errors as `repoint`'s adapters name them.

use repoint::adapters::aws::refusal::refusal;
use repoint_domain::values::failure::{Failure, Kind};

use crate::aws::error::AwsError;

pub(super) fn failure(call: &str, resource: &str, error: &AwsError) -> Failure {
    if error.is_no_answer() {
        return Failure::new(Kind::Unavailable, call, resource, error.to_string());
    }
    refusal(call, resource, &error.code, &error.message)
}
