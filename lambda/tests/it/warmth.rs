//! The first invocation finds everything connected.

use super::support::bootstrap::Bootstrap;
use super::support::proxy::Proxy;
use super::support::site::{Site, cluster, event};

#[tokio::test]
async fn the_first_invocation_opens_no_connection() {
    let site = Site::start();
    let proxy = Proxy::start(&site.sandbox.aws_url()).await;
    let text = site.configuration().replace(&site.sandbox.aws_url(), &proxy.url());
    let function = Bootstrap::ready(&[("REPOINT_CONFIG_INLINE", &text)]).await;

    let mut asked = site.asked();
    asked.sort();
    asked.dedup();
    assert_eq!(asked, ["DescribeTargetHealth", "GetItem", "GetTopicAttributes", "ListResourceRecordSets"]);
    assert_eq!(site.writes(), 0);
    let warm = proxy.connections();
    assert_eq!(warm, asked.len(), "it connects to all services at the same time");

    site.switch_over().await;
    let report = function.invoke(&event("sns_callback")).await.good();
    assert_eq!(cluster(&report)["outcome"], "changed");
    assert_eq!(site.sandbox.with(|site| site.messages().len()), 1);
    assert_eq!(proxy.connections(), warm, "reads, writes, memory and the alert went over the warm ones");
}

/// The usual loss on EC2: a host that drops packets. It is what the first invocation is about.
#[tokio::test]
async fn a_silent_member_does_not_delay_the_start() {
    let site = Site::start();
    site.hang_patroni();
    let function = site.function().await;
    let (_, log) = function.stopped().await;
    let started = log.iter().find(|line| line["message"] == "started").unwrap();
    let connected_ms = started["connected_ms"].as_u64().unwrap();
    assert!(connected_ms < 300, "members are not asked: {started:#}");
}

/// A service that cannot be reached is one that a pass fails at, or does not need.
#[tokio::test]
async fn a_service_that_refuses_connections_does_not_delay_the_start() {
    let site = Site::start();
    let text = site.configuration().replace(&site.sandbox.aws_url(), "http://127.0.0.1:1");
    let function = Bootstrap::ready(&[("REPOINT_CONFIG_INLINE", &text)]).await;
    let (_, log) = function.stopped().await;
    let started = log.iter().find(|line| line["message"] == "started").unwrap();
    assert!(started["connected_ms"].as_u64().unwrap() < 300, "it is tried once: {started:#}");
}

/// What is down must not keep the function from starting: it may be what the invocation is about.
#[tokio::test]
async fn it_starts_while_no_server_answers() {
    let site = Site::start();
    site.hang_aws("", "");
    site.lose_every_member();
    let function = site.function().await;
    site.heal_aws();
    let report = function.invoke("{}").await.good();
    assert_eq!(cluster(&report)["outcome"], "held", "{report:#}");
}
