//! Publishing messages: those of one topic one after the other, and all topics at the same time.
//!
//! Invariant 12, alert once for each topic: a topic that refuses its messages or hangs neither delays nor repeats what other
//! topics get.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout};

use crate::ports::Ports;
use crate::runtime::deadline::{Cut, too_late};
use crate::runtime::history::Stored;
use repoint_domain::alerts::AlertTopic;
use repoint_domain::state::OutboxMessage;
use repoint_domain::values::failure::Failure;

/// The longest that one message may take, so that a topic that hangs leaves time to record that.
const PUBLISH_WITHIN: Duration = Duration::from_secs(3);
/// Messages that are published so soon one after the other are recorded by one save.
const TOGETHER: Duration = Duration::from_millis(100);

/// What has ended.
pub(super) enum End {
    /// Publishing the message of that id.
    Published(String, Result<(), Failure>),
    /// Storing the events of the history.
    Stored(Stored),
}

/// What ends while messages are published and events are stored; closed once there is no more.
pub(super) struct Ends(UnboundedReceiver<End>);

impl Ends {
    /// Where they come from.
    pub fn channel() -> (UnboundedSender<End>, Self) {
        let (sender, receiver) = unbounded_channel();
        (sender, Self(receiver))
    }

    /// Those that come next, as soon as one does: a process may die while a topic hangs, and must not repeat by then what
    /// others have got.
    pub async fn next(&mut self) -> Vec<End> {
        let mut next: Vec<End> = self.0.recv().await.into_iter().collect();
        while !next.is_empty() {
            match timeout(TOGETHER, self.0.recv()).await {
                Ok(Some(end)) => next.push(end),
                Ok(None) | Err(_) => break,
            }
        }
        next
    }
}

/// Publishes the messages whose topics are configured. Those that are not published when the rest is cut off stay in the outbox.
pub(super) async fn publish(
    messages: &[OutboxMessage],
    ports: &Ports,
    until: Instant,
    cut: &Cut,
    ends: UnboundedSender<End>,
) {
    let mut by_topic: BTreeMap<&str, (&AlertTopic, Vec<&OutboxMessage>)> = BTreeMap::new();
    for message in messages {
        if let Some(topic) = AlertTopic::named(&ports.alert_topics, message.topic.as_deref()) {
            by_topic.entry(topic.arn.as_str()).or_insert((topic, Vec::new())).1.push(message);
        }
    }
    let publishing = by_topic.into_values().map(|(topic, messages)| {
        let ends = ends.clone();
        async move {
            for message in messages {
                let until = until.min(Instant::now() + PUBLISH_WITHIN);
                let published = cut.by(until, ports.topics.publish(&topic.arn, message)).await;
                let published = published.unwrap_or_else(|| Err(too_late("sns:Publish", &topic.arn)));
                // Its receiver is there until all of this has ended.
                drop(ends.send(End::Published(message.id.clone(), published)));
            }
        }
    });
    let publishing: Vec<_> = publishing.collect();
    drop(ends);
    join_all(publishing).await;
}
