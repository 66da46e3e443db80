//! Alerts over SNS.
//!
//! A message is published exactly as it was queued.

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use super::aws::{Call, failure};
use crate::limits::Calls;
use crate::ports::Topic;
use repoint_domain::state::OutboxMessage;
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::failure::{Failure, Kind};

const PUBLISH: &str = "sns:Publish";

/// One topic.
#[derive(Clone)]
pub struct Sns {
    client: Client,
    topic: TopicArn,
    calls: Calls,
}

impl Sns {
    /// Publishes to `topic`; counts requests in `calls`.
    #[must_use]
    pub fn new(client: Client, topic: TopicArn, calls: Calls) -> Self {
        Self { client, topic, calls }
    }
}

#[async_trait]
impl Topic for Sns {
    async fn publish(&self, message: &OutboxMessage) -> Result<(), Failure> {
        let mut request = self
            .client
            .publish()
            .topic_arn(self.topic.as_str())
            .subject(&message.subject)
            .message(&message.body);
        for (name, value) in &message.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            request = request.message_attributes(
                name,
                value.map_err(|error| {
                    Failure::new(Kind::Invalid, PUBLISH, self.topic.as_str(), error.to_string())
                })?,
            );
        }
        request
            .customize()
            .interceptor(Call::new(&self.calls, PUBLISH))
            .send()
            .await
            .map(drop)
            .map_err(|error| failure(PUBLISH, self.topic.as_str(), &error))
    }
}
