//! Alert topics: several, each with its format; and the short form of one.

use serde_json::{Value, json};

use super::{CLUSTER, refused};
use crate::support::command::Repoint;

const ONE: &str = "arn:aws:sns:us-east-1:123456789012:db-alerts";
const OTHER: &str = "arn:aws:sns:eu-west-1:123456789012:db-pages";

fn topic(arn: &str, lines: &str) -> String {
    format!("[[alerts.topic]]\narn = \"{arn}\"\n{lines}")
}

async fn shown(configuration: &str) -> Value {
    let ran = Repoint::new(configuration).run(&["check", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    ran.json()["alerts"]["topic"].clone()
}

#[tokio::test]
async fn the_short_form_is_a_topic_beside_the_others() {
    let with_format = topic(OTHER, "format = \"cloudwatch\"\nmin_severity = \"critical\"\n");
    let both = format!("[alerts]\nsns_topic_arn = \"{ONE}\"\n{with_format}{CLUSTER}");
    let first = json!({ "arn": ONE, "format": "text", "min_severity": "info" });
    let second = json!({ "arn": OTHER, "format": "cloudwatch", "min_severity": "critical" });
    assert_eq!(shown(&both).await, json!([first, second]));
    assert_eq!(shown(&format!("{}{CLUSTER}", topic(ONE, ""))).await, json!([first]));

    // As in the file, a topic of the environment is one more.
    let repoint = Repoint::new(format!("{with_format}{CLUSTER}")).with("REPOINT_ALERTS_SNS_TOPIC_ARN", ONE);
    let ran = repoint.run(&["check", "--format", "json"]).await;
    assert_eq!(ran.json()["alerts"]["topic"], json!([first, second]), "{ran}");

    // Rights on all of them, and the Regions of all of them.
    let policy = Repoint::new(&both).run(&["iam"]).await.json();
    let publish = policy["Statement"].as_array().unwrap().iter().find(|it| it["Sid"] == "PublishAlerts");
    assert_eq!(publish.unwrap()["Resource"], json!([OTHER, ONE]), "{policy:#}");
    assert_eq!(Repoint::new(&both).run(&["bundle"]).await.json()["alert_topics"], json!([OTHER, ONE]));
}

#[tokio::test]
async fn a_topic_that_cannot_be_meant_is_refused_with_its_key_and_line() {
    let wrong = format!(
        "[alerts]\nsns_topic_arn = \"{ONE}\"\n{}{}{}{CLUSTER}",
        topic(ONE, ""),
        topic(OTHER, "format = \"slack\"\nmin_severity = \"page\"\n"),
        topic("arn:aws:sns:us-east-1:123456789012:db-alerts.fifo", ""),
    );
    insta::assert_snapshot!(refused(wrong).await, @r#"
    error: repoint.toml:4: `alerts.topic.arn`: the topic is given twice: each alert would be published to it twice
      4 | arn = "arn:aws:sns:us-east-1:123456789012:db-alerts"
    repoint.toml:7: `alerts.topic.format`: `slack`: use one of text, chatbot, cloudwatch, json
      7 | format = "slack"
    repoint.toml:8: `alerts.topic.min_severity`: `page`: use one of info, warning, critical
      8 | min_severity = "page"
    repoint.toml:10: `alerts.topic.arn`: `arn:aws:sns:us-east-1:123456789012:db-alerts.fifo`: it is a FIFO topic, which delivers to SQS queues only; give a standard topic
      10 | arn = "arn:aws:sns:us-east-1:123456789012:db-alerts.fifo"
    "#);
    insta::assert_snapshot!(refused(format!("[[alerts.topic]]\nformat = \"json\"\n{CLUSTER}")).await, @"
    error: repoint.toml:1: missing field `arn`
      1 | [[alerts.topic]]
    ");
}
