//! The account behind AWS's own wire formats.
//!
//! A request is translated, the model decides, its answer is translated back; nothing is decided here.

mod dynamodb;
mod ec2;
mod elbv2;
mod failure;
mod form;
mod route53;
mod sns;
mod sts;
mod time;
mod xml;

use self::form::Form;
use super::Account;
use super::error::AwsError;
use super::iam::{Caller, Iam};
use crate::Millis;
use crate::http::exchange::{Reply, Request};

/// The protocols of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Elbv2,
    Route53,
    Ec2,
    Sns,
    DynamoDb,
    Sts,
}

/// A service's answer.
struct Answer {
    status: u16,
    content_type: &'static str,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn xml(body: String) -> Self {
        Self { status: 200, content_type: "text/xml", headers: Vec::new(), body }
    }
}

/// Answers a request as AWS would. A lost request or answer is [`Reply::Hang`].
pub fn answer(account: &mut Account, now: Millis, request: &Request) -> Reply {
    let Some(protocol_of) = protocol_of(request) else {
        let body = "<UnknownOperationException/>".to_owned();
        return Reply::Full { status: 404, content_type: "text/xml", headers: Vec::new(), body: body.into() };
    };
    let request_id = request_id(account);
    let answered = match protocol_of {
        Protocol::Elbv2 => query(request, &request_id, |form| elbv2::answer(account, now, form)),
        Protocol::Sns => query(request, &request_id, |form| sns::answer(account, now, form)),
        Protocol::Sts => query(request, &request_id, |form| sts::answer(account, form)),
        Protocol::Ec2 => ec2::answer(account, now, &Form::new(&request.body), &request_id),
        Protocol::Route53 => route53::answer(account, now, request),
        Protocol::DynamoDb => dynamodb::answer(account, now, request),
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => return refused(account, protocol_of, &error, request_id),
    };
    sent(answer, request_id)
}

/// Answers `AssumeRole`, which no account decides alone; `None` for every other request.
pub fn assume_role(
    iam: &mut Iam,
    caller: &Caller,
    account: &mut Account,
    request: &Request,
) -> Option<Reply> {
    let is_asked = protocol_of(request) == Some(Protocol::Sts)
        && Form::new(&request.body).get("Action") == Some("AssumeRole");
    is_asked.then(|| {
        let request_id = request_id(account);
        match query(request, &request_id, |form| sts::assume(iam, caller, account, form)) {
            Ok(answer) => sent(answer, request_id),
            Err(error) => refused(account, Protocol::Sts, &error, request_id),
        }
    })
}

/// The hosted zone that a request is about.
#[must_use]
pub fn zone(request: &Request) -> Option<&str> {
    let rest = request.path.strip_prefix("/2013-04-01/hostedzone/")?;
    rest.split(['/', '?']).next()
}

/// Refuses a hosted zone that is another account's.
pub fn foreign_zone(account: &mut Account, request: &Request) -> Reply {
    let error = super::route53::foreign(&account.user_arn());
    refuse(account, request, &error)
}

/// An error in the shape of the service that the request is for: for faults that do not come from the model.
pub fn refuse(account: &mut Account, request: &Request, error: &AwsError) -> Reply {
    let Some(protocol_of) = protocol_of(request) else { return Reply::Reset };
    let request_id = request_id(account);
    refused(account, protocol_of, error, request_id)
}

fn refused(account: &Account, protocol_of: Protocol, error: &AwsError, request_id: String) -> Reply {
    if error.is_no_answer() {
        return Reply::Hang;
    }
    let wrap = account.settings.wrap_invalid_change_batch;
    sent(failure::answer(protocol_of, error, &request_id, wrap), request_id)
}

fn sent(mut answer: Answer, request_id: String) -> Reply {
    answer.headers.push(("x-amzn-requestid".to_owned(), request_id));
    Reply::Full {
        status: answer.status,
        content_type: answer.content_type,
        headers: answer.headers,
        body: answer.body.into_bytes(),
    }
}

/// Names a request as IAM does, e.g. (`route53`, `ListResourceRecordSets`): for rules about faults.
#[must_use]
pub fn action(request: &Request) -> Option<(&'static str, String)> {
    let protocol_of = protocol_of(request)?;
    let named = |service| Form::new(&request.body).get("Action").map(|action| (service, action.to_owned()));
    match protocol_of {
        Protocol::Elbv2 => named("elasticloadbalancing"),
        Protocol::Ec2 => named("ec2"),
        Protocol::Sns => named("sns"),
        Protocol::Sts => named("sts"),
        Protocol::Route53 => route53::action(request).map(|action| ("route53", action.to_owned())),
        Protocol::DynamoDb => dynamodb::action(request).map(|action| ("dynamodb", action.to_owned())),
    }
}

/// By the signature's scope, or else by what only this service's requests have.
fn protocol_of(request: &Request) -> Option<Protocol> {
    let scope = request.headers.get("authorization").and_then(|header| header.split("Credential=").nth(1));
    let form = Form::new(&request.body);
    match scope.and_then(|scope| scope.split('/').nth(3)) {
        Some("elasticloadbalancing") => Some(Protocol::Elbv2),
        Some("route53") => Some(Protocol::Route53),
        Some("ec2") => Some(Protocol::Ec2),
        Some("sns") => Some(Protocol::Sns),
        Some("dynamodb") => Some(Protocol::DynamoDb),
        Some("sts") => Some(Protocol::Sts),
        _ if request.headers.get("x-amz-target").is_some_and(|it| it.starts_with("DynamoDB_")) => {
            Some(Protocol::DynamoDb)
        }
        _ if request.path.starts_with("/2013-04-01/") => Some(Protocol::Route53),
        _ => match form.get("Version") {
            Some("2015-12-01") => Some(Protocol::Elbv2),
            Some("2016-11-15") => Some(Protocol::Ec2),
            Some("2010-03-31") => Some(Protocol::Sns),
            Some("2011-06-15") => Some(Protocol::Sts),
            _ => None,
        },
    }
}

/// The frame of the query protocol around what the action answers.
fn query(
    request: &Request,
    request_id: &str,
    act: impl FnOnce(&Form) -> Result<(&'static str, String), AwsError>,
) -> Result<Answer, AwsError> {
    let form = Form::new(&request.body);
    let (namespace, result) = act(&form)?;
    let action = form.get("Action").unwrap_or_default();
    let mut xml = xml::Xml::default();
    xml.root(&format!("{action}Response"), namespace, |xml| {
        xml.node(&format!("{action}Result"), |xml| xml.append(&result));
        xml.node("ResponseMetadata", |xml| xml.leaf("RequestId", request_id));
    });
    Ok(Answer::xml(xml.into_text()))
}

fn unknown_action(form: &Form) -> AwsError {
    let (action, version) = (form.get("Action").unwrap_or_default(), form.get("Version").unwrap_or_default());
    AwsError::new("InvalidAction", format!("Could not find operation {action} for version {version}"))
}

fn request_id(account: &mut Account) -> String {
    let id = account.next_id();
    format!("{}-{}-4000-8000-{:0>12.12}", &id[..8], &id[8..12], id)
}
