//! The topic.

use async_trait::async_trait;
use repoint::ports::Topic;
use repoint_domain::state::OutboxMessage;
use repoint_domain::values::failure::Failure;

use super::Link;
use super::failure::failure;
use crate::aws::sns::Message;

const PUBLISH: &str = "sns:Publish";

#[async_trait]
impl Topic for Link {
    async fn publish(&self, message: &OutboxMessage) -> Result<(), Failure> {
        let message = message.clone();
        let topic = self.world().resources.topic.clone();
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
