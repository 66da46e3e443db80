//! Whatever hangs, the answer comes before Lambda's deadline; [`Bootstrap::invoke_within`] waits no longer than that.
//!
//! [`Bootstrap::invoke_within`]: super::support::bootstrap::Bootstrap::invoke_within

use std::time::Duration;

use super::support::site::{Site, cluster, event};

const SHORT: Duration = Duration::from_secs(4);

#[tokio::test]
async fn when_patroni_hangs() {
    let site = Site::start();
    let function = site.function().await;
    site.hang_patroni();
    let report = function.invoke_within("{}", SHORT).await.good();
    assert_eq!(cluster(&report)["verdict"]["kind"], "unreachable", "{report:#}");
}

#[tokio::test]
async fn when_aws_hangs() {
    let site = Site::start();
    let function = site.function().await;
    site.switch_over().await;
    site.hang_aws("", "");
    let (kind, message) = function.invoke_within("{}", SHORT).await.bad();
    assert_eq!(kind, "ClusterFailed", "{message}");
    assert!(message.contains("DescribeTargetHealth"), "{message}");
}

#[tokio::test]
async fn when_a_write_hangs() {
    let site = Site::start();
    let function = site.function().await;
    site.switch_over().await;
    site.hang_aws("elasticloadbalancing", "RegisterTargets");
    let (kind, message) = function.invoke_within(&event("sns_callback"), SHORT).await.bad();
    assert_eq!(kind, "ClusterFailed", "{message}");
    assert!(message.contains("could not register"), "{message}");
}

/// The endpoints are right, and the alert is not published in time: the invocation fails, so that it is noticed.
#[tokio::test]
async fn when_publishing_an_alert_hangs() {
    let site = Site::start();
    let function = site.function().await;
    site.switch_over().await;
    site.hang_aws("sns", "Publish");
    let (kind, message) = function.invoke_within("{}", SHORT).await.bad();
    assert_eq!(kind, "AlertFailed", "{message}");
    assert!(message.contains("an alert was not published"), "{message}");
    assert!(site.is_right());
}

#[tokio::test]
async fn what_comes_too_late_is_not_begun() {
    let site = Site::start();
    let function = site.function().await;
    site.switch_over().await;
    let (kind, message) = function.invoke_within("{}", Duration::from_millis(1_200)).await.bad();
    assert_eq!(kind, "OutOfTime");
    let left = regex::Regex::new(r"\d+ ms").unwrap();
    insta::assert_snapshot!(left.replace(&message, "N ms"), @"only N ms were left of the invocation, too few for a pass, so these clusters were not checked: batman; raise the function's timeout");
    assert_eq!(site.writes(), 0);
}
