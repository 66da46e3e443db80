//! A notification topic with a queue behind it, to read what was published.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::aws::Aws;

#[derive(Clone)]
pub struct Mailbox<'a> {
    aws: &'a Aws,
    pub topic: String,
    queue: String,
}

impl<'a> Mailbox<'a> {
    pub async fn new(aws: &'a Aws, name: &str) -> anyhow::Result<Self> {
        let made = aws.call("sns", "create_topic", json!({ "Name": name })).await?;
        let topic = made["TopicArn"].as_str().context("no topic")?.to_owned();

        let made = aws.call("sqs", "create_queue", json!({ "QueueName": name })).await?;
        let queue = made["QueueUrl"].as_str().context("no queue")?.to_owned();
        let args = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
        let attributes = aws.call("sqs", "get_queue_attributes", args).await?;

        let queue_arn = &attributes["Attributes"]["QueueArn"];
        let args = json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": queue_arn });
        aws.call("sns", "subscribe", args).await?;
        Ok(Self { aws, topic, queue })
    }

    /// Takes the messages that have come, as the envelopes that SNS puts them in:
    /// `Subject`, `Message`, `MessageAttributes: { name: { Type, Value } }`.
    pub async fn messages(&self) -> anyhow::Result<Vec<Value>> {
        let mut messages = Vec::new();
        loop {
            let args = json!({ "QueueUrl": self.queue, "MaxNumberOfMessages": 10 });
            let received = self.aws.call("sqs", "receive_message", args).await?;
            let Some(batch) = received["Messages"].as_array().filter(|batch| !batch.is_empty()) else {
                return Ok(messages);
            };
            for message in batch {
                let envelope = message["Body"].as_str().context("no body")?;
                messages.push(serde_json::from_str(envelope)?);
                let receipt = &message["ReceiptHandle"];
                let args = json!({ "QueueUrl": self.queue, "ReceiptHandle": receipt });
                self.aws.call("sqs", "delete_message", args).await?;
            }
        }
    }
}

/// What each message is about, as `EVENT STATUS`.
pub fn events(messages: &[Value]) -> anyhow::Result<Vec<String>> {
    let word = |message: &Value, name: &str| {
        let value = message["MessageAttributes"][name]["Value"].as_str().map(str::to_owned);
        value.with_context(|| format!("no `{name}` in {message}"))
    };
    messages
        .iter()
        .map(|message| Ok(format!("{} {}", word(message, "event")?, word(message, "status")?)))
        .collect()
}
