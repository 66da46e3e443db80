//! `repoint test-alert` publishes to the alert topics, and does nothing else.

use crate::support::command::Repoint;
use crate::support::http::Request;
use crate::support::site::{aws, configuration, group, patroni, refused};

/// A topic beside that of the configuration.
const PAGES: &str = "[[alerts.topic]]\narn = \"arn:aws:sns:us-east-1:123456789012:db-pages\"\nformat = \"cloudwatch\"\nmin_severity = \"critical\"\n";

fn field(request: &Request, name: &str) -> String {
    let mut form = url::form_urlencoded::parse(request.body.as_bytes());
    form.find_map(|(key, value)| (key == name).then(|| value.into_owned())).unwrap()
}

#[tokio::test]
async fn it_publishes_one_message_to_each_topic_and_asks_for_nothing() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &format!("{}{PAGES}", group()));
    let ran = repoint.run(&["test-alert"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 0
    --- stdout
    published a test alert to arn:aws:sns:us-east-1:123456789012:db-alerts (format text)
    published a test alert to arn:aws:sns:us-east-1:123456789012:db-pages (format cloudwatch)
      their subscribers should receive it within 60 s
    --- stderr
    ");
    assert_eq!(aws.actions(), ["Publish", "Publish"]);
    assert!(members.iter().all(|member| member.requests().is_empty()));
    let mut requests = aws.requests();
    requests.sort_by_key(|request| field(request, "TopicArn"));
    insta::assert_snapshot!(
        requests.iter().map(|request| field(request, "Subject")).collect::<Vec<_>>().join("\n"),
        @"
    repoint: this is a test, nothing has happened
    ALARM: repoint: this is a test, nothing has happened
    "
    );
    let [text, alarm] = [&requests[0], &requests[1]].map(|request| field(request, "Message"));
    assert!(
        text.contains("Alerts from repoint arrive here.") && text.contains("\"dedup_key\":\"test\""),
        "{text}"
    );
    assert!(alarm.contains("\"AlarmName\":\"test\""), "{alarm}");

    let ran = repoint.run(&["test-alert", "--topic", "arn:aws:sns:us-east-1:123456789012:db-pages"]).await;
    assert!(ran.code == 0 && aws.actions().len() == 3, "{ran}");
    let ran = repoint.run(&["test-alert", "--topic", "arn:aws:sns:us-east-1:123456789012:db-chat"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 2
    --- stdout
    --- stderr
    error: --topic arn:aws:sns:us-east-1:123456789012:db-chat: the configuration has no such alert topic; its topics are arn:aws:sns:us-east-1:123456789012:db-alerts, arn:aws:sns:us-east-1:123456789012:db-pages
    ");
    assert_eq!(aws.actions().len(), 3);
}

#[tokio::test]
async fn a_refused_test_alert_is_reported_with_a_hint() {
    let aws = aws(|request| {
        request
            .body
            .contains("db-alerts")
            .then(|| refused(403, "AuthorizationError", "User is not authorized"))
    });
    let (members, aws) = (patroni().await, aws.await);
    let repoint = configuration(&members, &aws.url(), &format!("{}{PAGES}", group()));
    insta::assert_snapshot!(repoint.run(&["test-alert"]).await.seen(), @"
    exit 1
    --- stdout
    published a test alert to arn:aws:sns:us-east-1:123456789012:db-pages (format cloudwatch)
      their subscribers should receive it within 60 s
    --- stderr
    error: the test alert was not published: sns:Publish on arn:aws:sns:us-east-1:123456789012:db-alerts: AuthorizationError: User is not authorized
      allow the IAM action `sns:Publish` on `arn:aws:sns:us-east-1:123456789012:db-alerts` (statement `PublishAlerts` of `repoint iam`), or use other credentials
    ");
    let ran = repoint.run(&["test-alert", "--format", "json"]).await;
    insta::assert_snapshot!(ran.seen(), @r#"
    exit 1
    --- stdout
    {
      "topics": [
        {
          "topic": "arn:aws:sns:us-east-1:123456789012:db-alerts",
          "format": "text",
          "published": false,
          "error": "sns:Publish on arn:aws:sns:us-east-1:123456789012:db-alerts: AuthorizationError: User is not authorized",
          "hint": "allow the IAM action `sns:Publish` on `arn:aws:sns:us-east-1:123456789012:db-alerts` (statement `PublishAlerts` of `repoint iam`), or use other credentials"
        },
        {
          "topic": "arn:aws:sns:us-east-1:123456789012:db-pages",
          "format": "cloudwatch",
          "published": true
        }
      ]
    }
    --- stderr
    "#);
}

#[tokio::test]
async fn without_a_topic_no_test_alert_is_published() {
    let repoint = Repoint::new(format!(
        "[[cluster]]\nscope = \"a\"\nmembers = [\"http://10.0.1.11:8008\"]\n{}",
        group()
    ));
    insta::assert_snapshot!(repoint.run(&["test-alert"]).await.seen(), @"
    exit 2
    --- stdout
    --- stderr
    error: no alert topic is configured: set [alerts] sns_topic_arn
    ");
}
