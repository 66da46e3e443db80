//! `repoint test-alert` tells people, and does nothing else.

use crate::support::command::Repoint;
use crate::support::site::{aws, configuration, group, patroni, refused};

#[tokio::test]
async fn it_publishes_one_message_and_asks_for_nothing() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let ran = configuration(&members, &aws.url(), &group()).run(&["test-alert"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 0
    --- stdout
    published a test alert to arn:aws:sns:us-east-1:123456789012:db-alerts
      its subscribers should receive it within 60 s
    --- stderr
    ");
    assert_eq!(aws.actions(), ["Publish"]);
    assert!(members.iter().all(|member| member.requests().is_empty()));
    let body = &aws.requests()[0].body;
    assert!(body.contains("nothing+has+happened") || body.contains("nothing%20has%20happened"), "{body}");
    assert!(body.contains("dedup_key"), "{body}");
}

#[tokio::test]
async fn a_refused_test_alert_is_reported_with_a_hint() {
    let aws = aws(|_| Some(refused(403, "AuthorizationError", "User is not authorized")));
    let (members, aws) = (patroni().await, aws.await);
    let repoint = configuration(&members, &aws.url(), &group());
    insta::assert_snapshot!(repoint.run(&["test-alert"]).await.seen(), @"
    exit 1
    --- stdout
    --- stderr
    error: the test alert was not published: sns:Publish on arn:aws:sns:us-east-1:123456789012:db-alerts: AuthorizationError: User is not authorized
      allow the IAM action `sns:Publish` on `arn:aws:sns:us-east-1:123456789012:db-alerts` (statement `PublishAlerts` of `repoint iam`), or use other credentials
    ");
    let ran = repoint.run(&["test-alert", "--format", "json"]).await;
    assert!(ran.code == 1 && ran.json()["hint"].as_str().unwrap().contains("`PublishAlerts`"), "{ran}");
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
