//! Alerts over SNS.
//!
//! A message is published exactly as it was queued.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use super::aws::{Call, failure};
use crate::limits::Calls;
use crate::ports::Topics;
use repoint_domain::state::OutboxMessage;
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::failure::{Failure, Kind};

const PUBLISH: &str = "sns:Publish";

/// Topics.
#[derive(Clone)]
pub struct Sns {
    /// By Region.
    clients: Arc<BTreeMap<String, Client>>,
    calls: Calls,
}

impl Sns {
    /// Publishes through the client of the topic's Region; counts requests in `calls`.
    #[must_use]
    pub fn new(clients: Arc<BTreeMap<String, Client>>, calls: Calls) -> Self {
        Self { clients, calls }
    }
}

#[async_trait]
impl Topics for Sns {
    async fn publish(&self, topic: &TopicArn, message: &OutboxMessage) -> Result<(), Failure> {
        let invalid = |message: String| Failure::new(Kind::Invalid, PUBLISH, topic.as_str(), message);
        let client = self.clients.get(topic.region());
        let client = client.ok_or_else(|| invalid("no client for its Region".to_owned()))?;
        let mut request =
            client.publish().topic_arn(topic.as_str()).subject(&message.subject).message(&message.body);
        for (name, value) in &message.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            request = request.message_attributes(name, value.map_err(|error| invalid(error.to_string()))?);
        }
        request
            .customize()
            .interceptor(Call::new(&self.calls, PUBLISH))
            .send()
            .await
            .map(drop)
            .map_err(|error| failure(PUBLISH, topic.as_str(), &error))
    }
}
