//! A notification topic with a queue behind it, to read what was published.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::aws::{Aws, REGION};

#[derive(Clone)]
pub struct Mailbox<'a> {
    aws: &'a Aws,
    region: &'static str,
    pub topic: String,
    queue: String,
}

impl<'a> Mailbox<'a> {
    pub async fn new(aws: &'a Aws, name: &str) -> anyhow::Result<Self> {
        Self::in_region(aws, REGION, name).await
    }

    pub async fn in_region(aws: &'a Aws, region: &'static str, name: &str) -> anyhow::Result<Self> {
        let made = aws.call_in(region, "sns", "create_topic", json!({ "Name": name })).await?;
        Self::behind(aws, region, made["TopicArn"].as_str().context("no topic")?).await
    }

    /// A queue behind a topic that is there.
    pub async fn behind(aws: &'a Aws, region: &'static str, topic: &str) -> anyhow::Result<Self> {
        let name = topic.rsplit(':').next().context("no name")?;
        let made = aws.call_in(region, "sqs", "create_queue", json!({ "QueueName": name })).await?;
        let queue = made["QueueUrl"].as_str().context("no queue")?.to_owned();
        let args = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
        let attributes = aws.call_in(region, "sqs", "get_queue_attributes", args).await?;

        let queue_arn = &attributes["Attributes"]["QueueArn"];
        let args = json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": queue_arn });
        aws.call_in(region, "sns", "subscribe", args).await?;
        Ok(Self { aws, region, topic: topic.to_owned(), queue })
    }

    /// Takes the queue away.
    pub async fn close(self) -> anyhow::Result<()> {
        self.call("delete_queue", json!({ "QueueUrl": self.queue })).await?;
        Ok(())
    }

    /// Takes the messages that have come, as the envelopes that SNS puts them in:
    /// `Subject`, `Message`, `MessageAttributes: { name: { Type, Value } }`.
    pub async fn messages(&self) -> anyhow::Result<Vec<Value>> {
        let mut messages = Vec::new();
        loop {
            let args = json!({ "QueueUrl": self.queue, "MaxNumberOfMessages": 10 });
            let received = self.call("receive_message", args).await?;
            let Some(batch) = received["Messages"].as_array().filter(|batch| !batch.is_empty()) else {
                return Ok(messages);
            };
            for message in batch {
                let envelope = message["Body"].as_str().context("no body")?;
                messages.push(serde_json::from_str(envelope)?);
                let receipt = &message["ReceiptHandle"];
                let args = json!({ "QueueUrl": self.queue, "ReceiptHandle": receipt });
                self.call("delete_message", args).await?;
            }
        }
    }

    async fn call(&self, method: &str, args: Value) -> anyhow::Result<Value> {
        self.aws.call_in(self.region, "sqs", method, args).await
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
