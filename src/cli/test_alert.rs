//! `repoint test-alert`: publish a test alert.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Format, print};
use crate::app::App;
use crate::config::Settings;
use repoint_domain::alerts::AlertTopic;
use repoint_domain::report::Tone;
use repoint_domain::values::failure::Failure;

pub const HELP: &str = "\
Examples:
  repoint test-alert && echo published
  repoint test-alert --topic arn:aws:sns:us-east-1:123456789012:db-pages

It is published to every alert topic in the topic's format, with the attributes event=test and severity=info, whatever
the topic's min_severity is. In the format `cloudwatch` it is an alarm that has no end: resolve it where it arrives. To
test the Lambda, invoke it with the event {\"test_alert\": true}.";

/// Publishes one message to each topic, or to that one alone. Nothing is checked, stored or changed.
pub async fn main(settings: Settings, topic: Option<&str>, format: Format) -> ExitCode {
    let topics = &settings.alerts.topics;
    if topics.is_empty() {
        return print::usage_error("no alert topic is configured: set [alerts] sns_topic_arn");
    }
    let only = match topic {
        None => None,
        Some(arn) => match topics.iter().find(|topic| topic.arn.as_str() == arn) {
            Some(topic) => Some(topic.arn.clone()),
            None => return print::usage_error(&unknown(arn, topics)),
        },
    };
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let results = app.test_alert(only.as_ref()).await;
    let is_good = results.iter().all(|(_, result)| result.is_ok());
    match format {
        Format::Json => {
            let topics: Vec<Value> = results.iter().map(|(topic, result)| shown(topic, result)).collect();
            print::json(&json!({ "topics": topics }), is_good)
        }
        Format::Text => {
            for (_, result) in &results {
                if let Err(failure) = result {
                    let hint = failure.hint.as_deref().map_or(String::new(), |hint| format!("\n  {hint}"));
                    print::error(&format!("the test alert was not published: {failure}{hint}"));
                }
            }
            let published = results.iter().filter(|(_, result)| result.is_ok());
            let lines: String = published.map(|(topic, _)| line(topic)).collect();
            let after =
                if lines.is_empty() { "" } else { "  their subscribers should receive it within 60 s\n" };
            print::text(&format!("{lines}{after}"), is_good)
        }
    }
}

fn unknown(arn: &str, topics: &[AlertTopic]) -> String {
    let known: Vec<&str> = topics.iter().map(|topic| topic.arn.as_str()).collect();
    format!("--topic {arn}: the configuration has no such alert topic; its topics are {}", known.join(", "))
}

fn line(topic: &AlertTopic) -> String {
    let AlertTopic { arn, format, .. } = topic;
    format!("{} a test alert to {arn} (format {format})\n", print::paint(Tone::Good, "published"))
}

fn shown(topic: &AlertTopic, result: &Result<(), Failure>) -> Value {
    let mut shown =
        json!({ "topic": topic.arn.as_str(), "format": topic.format.as_str(), "published": result.is_ok() });
    if let Err(failure) = result {
        shown["error"] = failure.to_string().into();
        shown["hint"] = failure.hint.clone().into();
    }
    shown
}
