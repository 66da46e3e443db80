//! Topics and their subscriptions.

use futures::future::join_all;

use super::{Inspect, text};
use repoint_domain::doctor::facts::attributes::Attributes;
use repoint_domain::doctor::facts::topic::{Subscription, TopicFacts};
use repoint_domain::observed::Read;
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::failure::{Failure, Kind};

const TOPIC: &str = "sns:GetTopicAttributes";
const SUBSCRIPTIONS: &str = "sns:ListSubscriptionsByTopic";
const SUBSCRIPTION: &str = "sns:GetSubscriptionAttributes";

impl Inspect {
    /// A topic, with its subscriptions if they are wanted.
    pub async fn topic(&self, arn: &TopicArn, with_subscriptions: bool) -> TopicFacts {
        let subscriptions =
            async { if with_subscriptions { Some(self.subscriptions(arn).await) } else { None } };
        let (attributes, subscriptions) = tokio::join!(self.topic_attributes(arn), subscriptions);
        TopicFacts { attributes, subscriptions }
    }

    async fn topic_attributes(&self, arn: &TopicArn) -> Read<Attributes> {
        let request = self.sns.get_topic_attributes().topic_arn(arn.as_str());
        let answer = send!(self, self.settings_key(), TOPIC, arn.as_str(), request)?;
        Ok(answer.attributes.unwrap_or_default().into_iter().collect())
    }

    async fn subscriptions(&self, topic: &TopicArn) -> Read<Vec<Subscription>> {
        let listed = pages!(
            self,
            self.settings_key(),
            SUBSCRIPTIONS,
            topic.as_str(),
            self.sns.list_subscriptions_by_topic().topic_arn(topic.as_str()),
            set_next_token,
            next_token,
            subscriptions
        );
        let subscription = |listed: aws_sdk_sns::types::Subscription| async move {
            let arn = text(listed.subscription_arn());
            Subscription {
                protocol: text(listed.protocol()),
                endpoint: text(listed.endpoint()),
                attributes: self.subscription_attributes(&arn).await,
                arn,
            }
        };
        Ok(join_all(listed.into_iter().map(subscription)).await)
    }

    /// One that is not confirmed has no ARN yet (`ListSubscriptionsByTopic`: `PendingConfirmation`).
    async fn subscription_attributes(&self, arn: &str) -> Read<Attributes> {
        if !arn.starts_with("arn:") {
            let why = "not read: the subscription is not confirmed";
            return Err(Failure::new(Kind::Unavailable, SUBSCRIPTION, arn, why));
        }
        let request = self.sns.get_subscription_attributes().subscription_arn(arn);
        let answer = send!(self, self.settings_key(), SUBSCRIPTION, arn, request)?;
        Ok(answer.attributes.unwrap_or_default().into_iter().collect())
    }
}
