//! The topics.

use async_trait::async_trait;
use repoint::ports::Topics;
use repoint_domain::state::OutboxMessage;
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::failure::Failure;

use super::Link;
use super::failure::failure;
use crate::aws::sns::Message;

const PUBLISH: &str = "sns:Publish";

#[async_trait]
impl Topics for Link {
    async fn publish(&self, topic: &TopicArn, message: &OutboxMessage) -> Result<(), Failure> {
        let message = message.clone();
        let topic = topic.to_string();
        self.call(PUBLISH, &topic.clone(), None, move |world, now| {
            let body = Message {
                subject: Some(message.subject.clone()),
                body: message.body.clone(),
                structure: None,
                attributes: message.attributes.clone(),
            };
            let published = world.account.publish(now, &topic, body);
            published.map_err(|error| failure(PUBLISH, &topic, &error))?;
            world.published(now, &message);
            Ok(())
        })
        .await
    }
}
