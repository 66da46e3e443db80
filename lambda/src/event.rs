//! The events of invocations, and what each one requests.
//!
//! A trigger carries no facts (invariant 1): each event means "look now". Only the direct form is a request with
//! parameters. The message of a callback selects the clusters of its scope; nothing else in an event or a message is
//! used beyond its kind. An unknown event is refused, never guessed.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use repoint_domain::values::event::{DIRECT, Order, Request, TEST_ALERT, requested};
use repoint_domain::values::text;
use serde_json::Value;

use crate::error::Failure;

/// What an event requests, and the form of the answer.
#[derive(Debug, PartialEq)]
pub enum Trigger {
    /// Check all clusters; the result is only logged.
    Event(&'static str),
    /// SNS messages: check these scopes.
    Notified(Scopes),
    /// SQS messages with these ids, which are acknowledged: check these scopes.
    Messages(Vec<String>, Scopes),
    /// An HTTP request; its errors are answered, too.
    Http(Result<Order, Failure>),
    /// A direct request.
    Direct(Order),
    /// Only publish a test alert.
    TestAlert,
}

impl Trigger {
    /// Its kind, for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Event(name) => name,
            Self::Notified(_) => "sns",
            Self::Messages(..) => "sqs",
            Self::Http(_) => "function_url",
            Self::Direct(_) => "direct",
            Self::TestAlert => "test_alert",
        }
    }
}

impl From<Request> for Trigger {
    fn from(request: Request) -> Self {
        match request {
            Request::Event(name) => Self::Event(name),
            Request::Direct(order) => Self::Direct(order),
            Request::TestAlert => Self::TestAlert,
        }
    }
}

/// The scopes in callbacks' messages; `None` means all clusters, if one of the messages is not a callback's.
pub type Scopes = Option<BTreeSet<String>>;

const EXPECTED: &str = "a schedule of EventBridge or of EventBridge Scheduler, an EC2 instance state change, an \
    Auto Scaling lifecycle event, SNS or SQS records, a Function URL request (payload 2.0), the direct form";

/// Recognises the kind of an event.
///
/// # Errors
/// If it is of no known kind.
pub fn trigger(event: &Value) -> Result<Trigger, Failure> {
    let known = if event.get("Records").is_some() {
        records(event)
    } else if event.get("requestContext").is_some() {
        is_request(event).then(|| Trigger::Http(request(event)))
    } else {
        requested(event)?.map(Trigger::from)
    };
    known.ok_or_else(|| {
        Failure::UnknownEvent(format!(
            "unknown event: {}; expected {EXPECTED}, {DIRECT}, or {TEST_ALERT}",
            text::message(&seen(event))
        ))
    })
}

/// The keys of SNS and SQS differ in case.
fn records(event: &Value) -> Option<Trigger> {
    let records = event["Records"].as_array().filter(|records| !records.is_empty())?;
    if records.iter().all(|record| record["EventSource"] == "aws:sns") {
        let scopes = records.iter().map(|record| scope(&record["Sns"]["Message"])).collect();
        return Some(Trigger::Notified(scopes));
    }
    let message = |record: &Value| {
        let id = record["messageId"].as_str().filter(|_| record["eventSource"] == "aws:sqs")?;
        Some(id.to_owned())
    };
    let ids = records.iter().map(message).collect::<Option<_>>()?;
    Some(Trigger::Messages(ids, records.iter().map(|record| scope(&record["body"])).collect()))
}

/// The scope in a callback's message, as `repoint callback` publishes it. A queue that subscribes to a topic gets it
/// unchanged (raw message delivery), or in SNS's envelope.
fn scope(message: &Value) -> Option<String> {
    let message: Value = serde_json::from_str(message.as_str()?).ok()?;
    if message["Type"] == "Notification" {
        return scope(&message["Message"]);
    }
    let cluster = message["cluster"].as_str().filter(|_| message["repoint"] == "look");
    cluster.map(ToOwned::to_owned)
}

fn is_request(event: &Value) -> bool {
    event["version"] == "2.0" && event["requestContext"]["http"].is_object()
}

/// The request of an HTTP call. A client that reaches a Function URL without IAM could start passes and read the
/// account's ARNs, so Lambda must have authorised the caller: then it sets `authorizer.iam`, which no client can
/// ("Invoking Lambda function URLs", request payload format). GET changes nothing (RFC 9110, 9.2.1).
fn request(event: &Value) -> Result<Order, Failure> {
    let context = &event["requestContext"];
    if !context["authorizer"]["iam"].is_object() {
        return Err(Failure::Forbidden);
    }
    match context["http"]["method"].as_str() {
        Some("GET") => Ok(Order { dry_run: true, ..body(event)? }),
        Some("POST") => body(event),
        method => Err(Failure::MethodNotAllowed { method: text::message(method.unwrap_or("unnamed")) }),
    }
}

/// The request in the body of an HTTP call.
fn body(event: &Value) -> Result<Order, Failure> {
    // A caller that sends `?dry_run=true` must not get a real pass.
    if let Some(query) = event["rawQueryString"].as_str().filter(|query| !query.is_empty()) {
        let query = text::message(query);
        let message =
            format!("the query `{query}` is not supported: put the request into the body, {DIRECT}");
        return Err(Failure::UnknownEvent(message));
    }
    let bad = |why: String| {
        Failure::UnknownEvent(format!("the body is {why}; expected an empty body, or {DIRECT}"))
    };
    let sent = event["body"].as_str().unwrap_or_default();
    let bytes = if event["isBase64Encoded"] == true {
        BASE64_STANDARD.decode(sent).map_err(|error| bad(format!("not base64: {error}")))?
    } else {
        sent.as_bytes().to_vec()
    };
    if bytes.trim_ascii().is_empty() {
        return Ok(Order::default());
    }
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| bad(format!("not JSON: {error}")))?;
    Ok(Order::read(&value)?)
}

/// A short description of an unknown event.
fn seen(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("unnamed").to_owned();
    if let Some(records) = event["Records"].as_array() {
        let mut sources: Vec<String> = records
            .iter()
            .map(|record| {
                record.get("eventSource").or(record.get("EventSource")).map_or("unnamed".to_owned(), text)
            })
            .collect();
        sources.dedup();
        return match sources.as_slice() {
            [] => "its `Records` are empty".to_owned(),
            sources => format!("it has records of {}", sources.join(", ")),
        };
    }
    match event {
        Value::Object(event) if event.contains_key("detail-type") => {
            let of = |key: &str| event.get(key).map_or("unnamed".to_owned(), text);
            format!("it is `{}` of `{}`", of("detail-type"), of("source"))
        }
        Value::Object(event) => {
            let keys: Vec<&str> = event.keys().map(String::as_str).take(8).collect();
            format!("its keys are {}", keys.join(", "))
        }
        _ => "it is not a JSON object".to_owned(),
    }
}
