//! `repoint test-alert`: publish a test alert.

use std::process::ExitCode;

use serde_json::json;

use super::{Format, print};
use crate::app::App;
use crate::config::Settings;
use repoint_domain::report::Tone;

/// Publishes one message. Nothing is checked, stored or changed.
pub async fn main(settings: Settings, format: Format) -> ExitCode {
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    match (app.test_alert().await, format) {
        (None, _) => print::usage_error("no alert topic is configured: set [alerts] sns_topic_arn"),
        (Some(Ok(topic)), Format::Json) => print::json(&json!({ "topic": topic.as_str() }), true),
        (Some(Ok(topic)), Format::Text) => {
            let published = print::paint(Tone::Good, "published");
            let said = format!(
                "{published} a test alert to {}\n  its subscribers should receive it within 60 s\n",
                topic.as_str()
            );
            print::text(&said, true)
        }
        (Some(Err(failure)), Format::Json) => {
            print::json(&json!({ "error": failure.to_string(), "hint": failure.hint }), false)
        }
        (Some(Err(failure)), Format::Text) => {
            let hint = failure.hint.as_deref().map_or(String::new(), |hint| format!("\n  {hint}"));
            print::error(&format!("the test alert was not published: {failure}{hint}"))
        }
    }
}
