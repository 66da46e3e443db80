//! SNS: the query protocol, version 2010-03-31.

use std::collections::BTreeMap;

use super::super::Account;
use super::super::error::AwsError;
use super::super::sns::Message;
use super::form::Form;
use super::unknown_action;
use super::xml::Xml;
use crate::Millis;

pub(super) const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

pub(super) fn answer(
    account: &mut Account,
    now: Millis,
    form: &Form,
) -> Result<(&'static str, String), AwsError> {
    let mut xml = Xml::default();
    match form.get("Action").unwrap_or_default() {
        "CreateTopic" => xml.leaf("TopicArn", account.create_topic(now, form.need("Name")?)?),
        "Publish" => {
            let topic = form.get("TopicArn").or_else(|| form.get("TargetArn")).unwrap_or_default();
            xml.leaf("MessageId", account.publish(now, topic, message(form))?);
        }
        _ => return Err(unknown_action(form)),
    }
    Ok((NAMESPACE, xml.into_text()))
}

fn message(form: &Form) -> Message {
    let attributes: BTreeMap<String, String> = form
        .list("MessageAttributes.entry")
        .iter()
        .filter_map(|entry| Some((entry.get("Name")?.to_owned(), entry.get("Value.StringValue")?.to_owned())))
        .collect();
    Message {
        subject: form.get("Subject").map(str::to_owned),
        body: form.get("Message").unwrap_or_default().to_owned(),
        structure: form.get("MessageStructure").map(str::to_owned),
        attributes,
    }
}
