//! `repoint test-alert`: do alerts reach people?

use std::process::ExitCode;

use serde_json::json;

use super::{Format, print};
use crate::app::App;
use crate::config::Settings;
use repoint_domain::report::Tone;

/// Publishes one message. Nothing is looked at, remembered or changed.
pub async fn main(settings: Settings, format: Format) -> ExitCode {
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    match (app.test_alert().await, format) {
        (None, _) => {
            print::usage_error("there is nobody to tell: the configuration has no [alerts] sns_topic_arn")
        }
        (Some(Ok(topic)), Format::Json) => print::json(&json!({ "topic": topic.as_str() }), true),
        (Some(Ok(topic)), Format::Text) => {
            let published = print::paint(Tone::Good, "published");
            let said = format!(
                "{published} a test to {}\n  its subscribers should have it within a minute\n",
                topic.as_str()
            );
            print::text(&said, true)
        }
        (Some(Err(failure)), Format::Json) => {
            print::json(&json!({ "error": failure.to_string(), "hint": failure.hint }), false)
        }
        (Some(Err(failure)), Format::Text) => {
            let hint = failure.hint.as_deref().map_or(String::new(), |hint| format!("\n  {hint}"));
            print::error(&format!("the test was not published: {failure}{hint}"))
        }
    }
}
