//! How the messages of the outbox are stored.
//!
//! An earlier version knows one topic, and publishes all that is in `outbox` to it. So only the messages for that one are
//! there; those of other topics have a field of their own, which an earlier version carries along as it is.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::OutboxMessage;

#[derive(Serialize)]
struct Stored<'a> {
    outbox: Vec<&'a OutboxMessage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outbox_of_topics: Vec<&'a OutboxMessage>,
}

#[derive(Deserialize)]
struct Loaded {
    outbox: Vec<OutboxMessage>,
    #[serde(default)]
    outbox_of_topics: Vec<OutboxMessage>,
}

pub fn serialize<S: Serializer>(outbox: &[OutboxMessage], serializer: S) -> Result<S::Ok, S::Error> {
    let (outbox, outbox_of_topics) = outbox.iter().partition(|message| message.topic.is_none());
    Stored { outbox, outbox_of_topics }.serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<OutboxMessage>, D::Error> {
    let Loaded { mut outbox, outbox_of_topics } = Loaded::deserialize(deserializer)?;
    outbox.extend(outbox_of_topics);
    Ok(outbox)
}
