//! What an event itself requests of the Lambda: an envelope of EventBridge, the test alert, the direct form.
//!
//! The Lambda and doctor read events here, so that both know the same forms. What brings a request from elsewhere (SNS, SQS,
//! HTTP) is the Lambda's alone.

use serde::Deserialize;
use serde_json::{Value, json};

use super::text;

/// An example of the direct form.
pub const DIRECT: &str = r#"{"cluster": ["batman"], "dry_run": true}"#;
/// The test alert.
pub const TEST_ALERT: &str = r#"{"test_alert": true}"#;

/// What an event requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A pass over all clusters, by an envelope of EventBridge of this kind.
    Event(&'static str),
    /// The direct form.
    Direct(Order),
    /// Only a test alert.
    TestAlert,
}

/// The direct form.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Only these clusters; all of them if it is absent.
    pub cluster: Option<Vec<String>>,
    /// Change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Why a direct form is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid request: {0}; expected {DIRECT}")]
pub struct InvalidRequest(String);

/// What an event requests; nothing, if it has none of these forms.
///
/// # Errors
/// If it has the direct form, and that is malformed.
pub fn requested(event: &Value) -> Result<Option<Request>, InvalidRequest> {
    if event.get("detail-type").is_some() {
        Ok(bridged(event).map(Request::Event))
    } else if event.get("test_alert").is_some() {
        Ok((*event == json!({"test_alert": true})).then_some(Request::TestAlert))
    } else if is_direct(event) {
        Order::read(event).map(Request::Direct).map(Some)
    } else {
        Ok(None)
    }
}

/// EventBridge's envelope; Scheduler sends one, too, if it has no input of its own.
fn bridged(event: &Value) -> Option<&'static str> {
    let kind = event["detail-type"].as_str()?;
    match (event["source"].as_str()?, kind) {
        ("aws.events" | "aws.scheduler", "Scheduled Event") => Some("schedule"),
        ("aws.ec2", "EC2 Instance State-change Notification") => Some("ec2_state_change"),
        // "EC2 Instance-launch Lifecycle Action", "EC2 Instance Terminate Successful" and the like.
        ("aws.autoscaling", kind) if kind.starts_with("EC2 Instance") => Some("auto_scaling"),
        _ => None,
    }
}

/// An object without keys requests all clusters, as the default test event `{}` does.
fn is_direct(event: &Value) -> bool {
    let is_key = |key: &String| ["cluster", "dry_run"].contains(&key.as_str());
    event.as_object().is_some_and(|object| object.is_empty() || object.keys().any(is_key))
}

impl Order {
    /// Reads the direct form.
    ///
    /// # Errors
    /// If it is no object, has other keys or other values, or names no cluster.
    pub fn read(value: &Value) -> Result<Self, InvalidRequest> {
        let invalid = |why: &str| InvalidRequest(text::message(why));
        if !value.is_object() {
            return Err(invalid("it is not a JSON object"));
        }
        let order = Self::deserialize(value).map_err(|error| invalid(&error.to_string()))?;
        if order.cluster.as_ref().is_some_and(Vec::is_empty) {
            return Err(invalid("`cluster` is an empty list; omit it for all clusters"));
        }
        Ok(order)
    }
}
