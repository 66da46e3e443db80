//! Messages that no pass writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;
use tracing::warn;

use super::App;
use crate::adapters::clock::SystemClock;
use crate::adapters::sns::Sns;
use crate::limits::Calls;
use crate::ports::{Clock as _, Topics as _};
use crate::runtime::notify::message::message;
use repoint_domain::alerts::{Alert, AlertTopic};
use repoint_domain::state::OutboxMessage;
use repoint_domain::values::arn::TopicArn;
use repoint_domain::values::failure::Failure;

impl App {
    /// Publishes the trigger "look now" for a cluster. The reason is in it for a reader, and is never acted on (invariant 1).
    ///
    /// # Errors
    /// If SNS does not take it.
    pub async fn call(&self, topic: &TopicArn, scope: &str, action: &str, role: &str) -> Result<(), Failure> {
        let body = json!({ "repoint": "look", "cluster": scope, "action": action, "role": role, "from": self.identity });
        let message = OutboxMessage {
            id: String::new(),
            topic: None,
            subject: format!("repoint: {scope}: look"),
            body: body.to_string(),
            attributes: BTreeMap::from([("event".to_owned(), "look".to_owned())]),
            claimed_by: self.identity.clone(),
            claimed_at: SystemClock.now(),
        };
        let clients = BTreeMap::from([(topic.region().to_owned(), self.aws.sns(topic.region()))]);
        Sns::new(Arc::new(clients), Calls::default()).publish(topic, &message).await
    }

    /// Publishes a test message to each alert topic, or to that one alone, in the topic's format and as an alert would be
    /// whose severity every topic takes.
    pub async fn test_alert(&self, only: Option<&TopicArn>) -> Vec<(&AlertTopic, Result<(), Failure>)> {
        let topics = self.alert_topics.iter().filter(|topic| only.is_none_or(|only| topic.arn == *only));
        let sns = &Sns::new(self.sns.clone(), Calls::default());
        let alert = &Alert::test(&self.identity, SystemClock.now());
        let publishing = topics.map(|topic| async move {
            (topic, sns.publish(&topic.arn, &message(alert, topic, usize::MAX)).await)
        });
        join_all(publishing).await
    }

    /// Sends the heartbeat, if one is configured; a failure is logged.
    pub async fn send_heartbeat(&self) {
        let (Some(heartbeat), Some(url)) = (&self.heartbeat, &self.settings.alerts.heartbeat) else { return };
        if let Err(why) = heartbeat.send().await {
            warn!("heartbeat to {url} failed: {why}");
        }
    }
}
