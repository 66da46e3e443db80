//! SNS topics and what was published to them.
//!
//! A message is kept exactly as it was published; nothing is delivered.
//! Source: the SNS API reference, `Publish`.

use std::collections::BTreeMap;

use super::Account;
use super::error::AwsError;
use super::service::Operation;
use crate::Millis;

const CREATE: Operation = Operation::sns("sns:CreateTopic");
const PUBLISH: Operation = Operation::sns("sns:Publish");

/// Body and attributes together, unless the topic allows more.
const LARGEST_MESSAGE: usize = 256 * 1024;

/// A message to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Fewer than 100 printable ASCII characters.
    pub subject: Option<String>,
    /// Not empty.
    pub body: String,
    /// `json` if the body has one text per protocol.
    pub structure: Option<String>,
    /// Values of type `String`.
    pub attributes: BTreeMap<String, String>,
}

/// A message that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// When.
    pub at: Millis,
    /// The id that the caller was given.
    pub id: String,
    /// As published.
    pub message: Message,
}

/// The account's topics, by ARN.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics {
    topics: BTreeMap<String, Vec<Published>>,
}

impl Account {
    /// `CreateTopic`: its ARN. A topic that is there already is answered as if it were new.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn create_topic(&mut self, now: Millis, name: &str) -> Result<String, AwsError> {
        self.call(now, CREATE, name, |account| {
            let usable = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || name.len() > 256 || !name.chars().all(usable) {
                return Err(invalid("Topic Name"));
            }
            let arn = format!("arn:{}:sns:{}:{}:{name}", account.partition(), account.region, account.id);
            account.topics.topics.entry(arn.clone()).or_default();
            Ok(arn)
        })
    }

    /// `Publish`: the message's id.
    ///
    /// # Errors
    /// `NotFound`, `InvalidParameter`.
    pub fn publish(&mut self, now: Millis, topic: &str, message: Message) -> Result<String, AwsError> {
        self.call(now, PUBLISH, topic, |account| {
            if !topic.starts_with(&format!("arn:{}:sns:", account.partition())) {
                return Err(invalid("TopicArn"));
            }
            if !account.topics.topics.contains_key(topic) {
                return Err(AwsError::new("NotFound", "Topic does not exist").with_status(404));
            }
            check(&message)?;
            let id = account.next_id();
            let id = format!("{}-{}-5000-8000-{id:0>12.12}", &id[..8], &id[8..12]);
            let published = Published { at: now, id: id.clone(), message };
            account.topics.topics.entry(topic.to_owned()).or_default().push(published);
            Ok(id)
        })
    }

    /// What was published to a topic, oldest first.
    #[must_use]
    pub fn published(&self, topic: &str) -> &[Published] {
        self.topics.topics.get(topic).map(Vec::as_slice).unwrap_or_default()
    }
}

fn invalid(what: &str) -> AwsError {
    AwsError::new("InvalidParameter", format!("Invalid parameter: {what}"))
}

fn check(message: &Message) -> Result<(), AwsError> {
    if let Some(subject) = &message.subject {
        let printable = subject.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        let begins = subject.chars().next().is_some_and(|c| c.is_ascii_graphic());
        if !printable || !begins || subject.len() >= 100 {
            return Err(invalid("Subject"));
        }
    }
    if message.body.is_empty() {
        return Err(invalid("Empty message"));
    }
    let attributes: usize =
        message.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len()).sum();
    if message.body.len() + attributes > LARGEST_MESSAGE {
        return Err(invalid("Message too long"));
    }
    if message.structure.as_deref() == Some("json") {
        let parsed: Result<BTreeMap<String, serde_json::Value>, _> = serde_json::from_str(&message.body);
        let Ok(texts) = parsed else {
            return Err(invalid("Message Structure - JSON message body failed to parse"));
        };
        if !texts.get("default").is_some_and(serde_json::Value::is_string) {
            return Err(invalid("Message Structure - No default entry in JSON message body"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(message: Message) -> Result<String, AwsError> {
        let mut account = Account::default();
        let topic = account.create_topic(0, "alerts").unwrap();
        account.publish(5, &topic, message)
    }

    #[test]
    fn a_message_is_kept_as_published() {
        let mut account = Account::default();
        let topic = account.create_topic(0, "alerts").unwrap();
        let message = Message { subject: Some("up".into()), body: "text\n".into(), ..Message::default() };
        let id = account.publish(5, &topic, message.clone()).unwrap();
        assert_eq!(account.create_topic(6, "alerts").unwrap(), topic);
        assert_eq!(account.published(&topic), [Published { at: 5, id, message }]);
    }

    #[test]
    fn an_unknown_topic_is_not_found() {
        let mut account = Account::default();
        let message = Message { body: "text".into(), ..Message::default() };
        let error = account.publish(0, "arn:aws:sns:us-east-1:123456789012:none", message).unwrap_err();
        assert_eq!((error.code.as_str(), error.status), ("NotFound", 404));
    }

    #[test]
    fn subjects_are_short_plain_text() {
        let subject = |text: &str| {
            publish(Message { subject: Some(text.into()), body: "text".into(), ..Message::default() }).is_ok()
        };
        assert!(subject(&"a".repeat(99)));
        for bad in ["", "two\nlines", "caf\u{e9}", " led by a space", &"a".repeat(100)] {
            assert!(!subject(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_limit_counts_attributes_too() {
        let sized = |body: usize, attribute: usize| {
            let attributes = BTreeMap::from([("a".to_owned(), "x".repeat(attribute))]);
            publish(Message { body: "x".repeat(body), attributes, ..Message::default() }).is_ok()
        };
        assert!(sized(LARGEST_MESSAGE - 7 - 10, 10));
        assert!(!sized(LARGEST_MESSAGE - 7 - 10, 11));
    }

    #[test]
    fn json_needs_a_default_text() {
        let json = |body: &str| {
            publish(Message { body: body.into(), structure: Some("json".into()), ..Message::default() })
        };
        assert!(json(r#"{"default": "text"}"#).is_ok());
        assert!(json(r#"{"email": "text"}"#).is_err());
        assert!(json("text").is_err());
    }
}
