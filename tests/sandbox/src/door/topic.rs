//! The topic.

use async_trait::async_trait;
use repoint::ports::Topic;
use repoint_domain::state::Letter;
use repoint_domain::values::failure::Failure;

use super::Line;
use super::failure::failure;
use crate::aws::sns::Message;

const PUBLISH: &str = "sns:Publish";

#[async_trait]
impl Topic for Line {
    async fn publish(&self, letter: &Letter) -> Result<(), Failure> {
        let letter = letter.clone();
        let topic = self.world().resources.topic.clone();
        self.call(PUBLISH, &topic.clone(), None, move |world, now| {
            let message = Message {
                subject: Some(letter.subject.clone()),
                body: letter.body.clone(),
                structure: None,
                attributes: letter.attributes.clone(),
            };
            let published = world.account.publish(now, &topic, message);
            published.map_err(|error| failure(PUBLISH, &topic, &error))?;
            world.published(now, &letter);
            Ok(())
        })
        .await
    }
}
