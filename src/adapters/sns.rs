//! Alerts over SNS.
//!
//! Law: words first, then one JSON document on the last line.

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use super::aws::{Counted, failure};
use crate::domain::alert::Alert;
use crate::domain::endpoint::TopicArn;
use crate::domain::failure::{Failure, Kind};
use crate::ports::{Calls, Topic};

const PUBLISH: &str = "sns:Publish";

/// One topic.
#[derive(Clone)]
pub struct Sns {
    client: Client,
    topic: TopicArn,
    calls: Calls,
}

impl Sns {
    /// Publishes to `topic`, counts in `calls`.
    #[must_use]
    pub fn new(client: Client, topic: TopicArn, calls: Calls) -> Self {
        Self { client, topic, calls }
    }

    fn invalid(&self, error: &dyn std::error::Error) -> Failure {
        Failure {
            kind: Kind::Invalid,
            call: PUBLISH.to_owned(),
            resource: self.topic.as_str().to_owned(),
            message: error.to_string(),
        }
    }
}

#[async_trait]
impl Topic for Sns {
    async fn publish(&self, alert: &Alert) -> Result<(), Failure> {
        let json = serde_json::to_string(&alert.report).map_err(|error| self.invalid(&error))?;
        let mut request = self
            .client
            .publish()
            .topic_arn(self.topic.as_str())
            .subject(&alert.subject)
            .message(format!("{}\n{json}\n", alert.text));
        for (name, value) in &alert.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            request = request.message_attributes(*name, value.map_err(|error| self.invalid(&error))?);
        }
        request
            .customize()
            .interceptor(Counted::new(&self.calls, PUBLISH))
            .send()
            .await
            .map(drop)
            .map_err(|error| failure(PUBLISH, self.topic.as_str(), &error))
    }
}
