//! SNS topics.

use super::attributes::Attributes;
use crate::observed::Read;

/// What was read of a topic.
#[derive(Clone, Debug)]
pub struct TopicFacts {
    /// `GetTopicAttributes`.
    pub attributes: Read<Attributes>,
    /// `ListSubscriptionsByTopic`; read of the topic that calls the Lambda, since a filter decides there what it is called for.
    pub subscriptions: Option<Read<Vec<Subscription>>>,
}

/// A subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its ARN, or `PendingConfirmation`.
    pub arn: String,
    /// `lambda`, `email`, `sqs`, …
    pub protocol: String,
    /// Where it delivers: an ARN, an address.
    pub endpoint: String,
    /// `GetSubscriptionAttributes`.
    pub attributes: Read<Attributes>,
}
