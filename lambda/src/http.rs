//! Answers to a Function URL: payload format 2.0.

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Failure;

/// An answer with a JSON body.
pub fn response(status: u16, body: &impl Serialize) -> Result<Value, Failure> {
    let body = serde_json::to_string_pretty(body)
        .map_err(|error| Failure::ClusterFailed(format!("the report cannot be written as JSON: {error}")))?;
    Ok(json!({
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": format!("{body}\n"),
        "isBase64Encoded": false,
    }))
}

/// The answer to a failed request.
pub fn refusal(failure: &Failure) -> Result<Value, Failure> {
    let status = match failure {
        Failure::UnknownEvent(_) => 400,
        Failure::Forbidden => 403,
        Failure::UnknownCluster { .. } => 404,
        Failure::MethodNotAllowed { .. } => 405,
        Failure::ClusterFailed(_)
        | Failure::ClusterHeld(_)
        | Failure::OutOfTime(_)
        | Failure::AlertFailed(_)
        | Failure::BadConfiguration(_) => 500,
    };
    let error = json!({"error": {"type": failure.error_type(), "message": failure.to_string()}});
    let mut response = response(status, &error)?;
    if status == 405 {
        // RFC 9110, 15.5.6.
        response["headers"]["allow"] = "GET, POST".into();
    }
    Ok(response)
}
