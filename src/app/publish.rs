//! Messages that no pass writes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tracing::warn;

use super::App;
use crate::adapters::clock::SystemClock;
use crate::adapters::sns::Sns;
use crate::limits::Calls;
use crate::ports::{Clock as _, Topic as _};
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
        let attributes = [("event", "look")];
        self.publish(topic, &format!("repoint: {scope}: look"), body.to_string(), &attributes).await
    }

    /// Publishes a test message as an alert would be, and returns the topic; `None` if none is configured. The message has the
    /// attributes of an alert, but for the cluster.
    ///
    /// # Errors
    /// If SNS does not take it.
    pub async fn test_alert(&self) -> Option<Result<&TopicArn, Failure>> {
        let topic = self.settings.alerts.topic.as_ref()?;
        let attributes =
            [("event", "test"), ("severity", "info"), ("status", "triggered"), ("dedup_key", "test")];
        let mut document: Value = attributes.into_iter().collect();
        document["from"] = self.identity.as_str().into();
        let subject = "repoint: this is a test, nothing has happened";
        let body =
            format!("This is a test, nothing has happened. Alerts from repoint arrive here.\n\n{document}\n");
        Some(self.publish(topic, subject, body, &attributes).await.map(|()| topic))
    }

    /// Sends the heartbeat, if one is configured; a failure is logged.
    pub async fn send_heartbeat(&self) {
        let (Some(heartbeat), Some(url)) = (&self.heartbeat, &self.settings.alerts.heartbeat) else { return };
        if let Err(why) = heartbeat.send().await {
            warn!("heartbeat to {url} failed: {why}");
        }
    }

    async fn publish(
        &self,
        topic: &TopicArn,
        subject: &str,
        body: String,
        attributes: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let attributes: BTreeMap<_, _> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let message = OutboxMessage {
            id: String::new(),
            subject: subject.to_owned(),
            body,
            attributes,
            claimed_by: self.identity.clone(),
            claimed_at: SystemClock.now(),
        };
        Sns::new(self.aws.sns(topic.region()), topic.clone(), Calls::default()).publish(&message).await
    }
}
