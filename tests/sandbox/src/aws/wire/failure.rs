//! Errors in each service's own shape.
//!
//! Code, message and status are the model's.

use serde_json::json;

use super::super::error::AwsError;
use super::xml::Xml;
use super::{Answer, Protocol, elbv2, route53, sns, sts};

/// The answer with an error.
pub(super) fn answer(protocol_of: Protocol, error: &AwsError, request_id: &str, wrap_batch: bool) -> Answer {
    let mut answer = match protocol_of {
        Protocol::Elbv2 => wrapped(elbv2::NAMESPACE, error, &error.message, request_id),
        Protocol::Sns => wrapped(sns::NAMESPACE, error, &error.message, request_id),
        Protocol::Sts => wrapped(sts::NAMESPACE, error, &error.message, request_id),
        Protocol::Route53 if error.code == "InvalidChangeBatch" && wrap_batch => {
            let words = format!("[{}]", error.message.replace('\n', ", "));
            wrapped(route53::NAMESPACE, error, &words, request_id)
        }
        Protocol::Route53 if error.code == "InvalidChangeBatch" => batch(error, request_id),
        Protocol::Route53 => wrapped(route53::NAMESPACE, error, &error.message, request_id),
        Protocol::Ec2 => ec2(error, request_id),
        Protocol::DynamoDb => dynamodb(error),
    };
    answer.status = error.status;
    answer
}

fn wrapped(namespace: &str, error: &AwsError, words: &str, request_id: &str) -> Answer {
    let mut xml = Xml::default();
    xml.root("ErrorResponse", namespace, |xml| {
        xml.node("Error", |xml| {
            xml.leaf("Type", if error.status < 500 { "Sender" } else { "Receiver" });
            xml.leaf("Code", &error.code);
            xml.leaf("Message", words);
        });
        xml.leaf("RequestId", request_id);
    });
    Answer::xml(xml.into_text())
}

/// Route 53 API, `ChangeResourceRecordSets`, "Errors".
fn batch(error: &AwsError, request_id: &str) -> Answer {
    let mut xml = Xml::default();
    xml.root("InvalidChangeBatch", route53::NAMESPACE, |xml| {
        xml.node("Messages", |xml| {
            for message in error.message.lines() {
                xml.leaf("Message", message);
            }
        });
        xml.leaf("RequestId", request_id);
    });
    Answer::xml(xml.into_text())
}

fn ec2(error: &AwsError, request_id: &str) -> Answer {
    let mut xml = Xml::default();
    xml.node("Response", |xml| {
        xml.node("Errors", |xml| {
            xml.node("Error", |xml| {
                xml.leaf("Code", &error.code);
                xml.leaf("Message", &error.message);
            });
        });
        xml.leaf("RequestID", request_id);
    });
    Answer::xml(xml.into_text())
}

fn dynamodb(error: &AwsError) -> Answer {
    let code = &error.code;
    let family = match code.as_str() {
        "ValidationException" => "com.amazon.coral.validate",
        "AccessDeniedException" | "ThrottlingException" => "com.amazon.coral.service",
        _ => "com.amazonaws.dynamodb.v20120810",
    };
    // AWS spells it in lower case for its own errors and in upper case for those of its framework.
    let member = if family.ends_with("service") { "Message" } else { "message" };
    super::dynamodb::json(&json!({"__type": format!("{family}#{code}"), member: error.message}))
}
