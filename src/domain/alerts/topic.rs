//! The topics that alerts are published to, each with its format.

use std::fmt;

use super::alert::{Alert, RETARGETED};
use crate::state::Severity;
use crate::values::arn::TopicArn;

/// A topic, and which alerts it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertTopic {
    /// Its ARN.
    pub arn: TopicArn,
    /// How the messages in it are written.
    pub format: Format,
    /// The least severity that it gets.
    pub min_severity: Severity,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text for a reader, then the document for programs on the last line.
    Text,
    /// A custom notification of Amazon Q Developer in chat applications.
    Chatbot,
    /// The notification of a `CloudWatch` alarm.
    Cloudwatch,
    /// The document for programs alone.
    Json,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Text, Self::Chatbot, Self::Cloudwatch, Self::Json];

    /// In lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Chatbot => "chatbot",
            Self::Cloudwatch => "cloudwatch",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AlertTopic {
    /// Whether the topic gets this alert. A move has no end, so no alarm is made of it.
    #[must_use]
    pub fn takes(&self, alert: &Alert) -> bool {
        let has_end = alert.document.event != RETARGETED;
        alert.document.severity >= self.min_severity && (has_end || self.format != Format::Cloudwatch)
    }

    /// The one of these topics that gets the messages that name none, as an earlier version writes them: the first in the
    /// format `text`, else the first.
    #[must_use]
    pub fn of_unnamed(topics: &[Self]) -> Option<&Self> {
        topics.iter().find(|topic| topic.format == Format::Text).or(topics.first())
    }

    /// The name of the topic in its messages: none, if an earlier version would publish them to the same topic.
    #[must_use]
    pub fn name_in(&self, topics: &[Self]) -> Option<String> {
        let is_unnamed = self.format == Format::Text && Self::of_unnamed(topics) == Some(self);
        (!is_unnamed).then(|| self.arn.to_string())
    }

    /// The topic of a message, by the name in it.
    #[must_use]
    pub fn named<'a>(topics: &'a [Self], name: Option<&str>) -> Option<&'a Self> {
        match name {
            Some(name) => topics.iter().find(|topic| topic.arn.as_str() == name),
            None => Self::of_unnamed(topics),
        }
    }
}
