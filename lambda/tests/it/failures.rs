//! A cluster that failed fails the invocation; one that is held does not, unless that is configured.

use serde_json::{Value, json};

use super::support::bootstrap::Bootstrap;
use super::support::site::{Site, cluster, event};

const IDS: [&str; 3] = [
    "059f36b4-87a3-44ab-83d2-661975830a7d",
    "2e1424d4-f796-459a-8184-9c92662be6da",
    "b1f2c7a9-6a0e-4a2b-b6f4-6f5d9d3a1c10",
];

fn batch(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}

fn status_and_outcome(answer: &Value) -> (u64, String) {
    let report: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer["statusCode"].as_u64().unwrap(), cluster(&report)["outcome"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_write_that_is_denied_fails_the_invocation() {
    let site = Site::start();
    let function = site.function().await;
    site.switch_over().await;
    site.deny("elasticloadbalancing:RegisterTargets");
    let answer = function.invoke(&event("scheduled_rule")).await;
    let (kind, message) = answer.bad();
    assert_eq!(kind, "ClusterFailed");
    insta::assert_snapshot!(message, @"batman failed: could not register 172.31.1.12:5432 in target group writers-by-ip (us-east-1): elasticloadbalancing:RegisterTargets on arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/writers-by-ip/78dde6e5fd29f054: AccessDenied: User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: elasticloadbalancing:RegisterTargets on resource: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/writers-by-ip/78dde6e5fd29f054 because no identity-based policy allows the elasticloadbalancing:RegisterTargets action (hint: allow the IAM action `elasticloadbalancing:RegisterTargets` on `arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/writers-by-ip/78dde6e5fd29f054` (statement `MoveTargets` of `repoint iam`), or use other credentials); skipped: deregister 172.31.1.11:5432 in target group writers-by-ip (us-east-1), because an earlier step failed");
    assert_eq!(function.invoke(&event("sqs")).await.good(), batch(&IDS));
    let page = function.invoke(&event("function_url_post")).await.good();
    assert_eq!(status_and_outcome(&page), (500, "failed".to_owned()));

    site.heal_aws();
    assert_eq!(function.invoke(&event("sqs")).await.good(), batch(&[]));
    assert!(site.is_right());
}

#[tokio::test]
async fn what_cannot_be_read_fails_the_invocation() {
    let site = Site::start();
    let function = site.function().await;
    site.deny("elasticloadbalancing:DescribeTargetHealth");
    let (kind, message) = function.invoke("{}").await.bad();
    assert_eq!(kind, "ClusterFailed");
    insta::assert_snapshot!(message, @"batman failed: target group writers-by-ip (us-east-1): elasticloadbalancing:DescribeTargetHealth on arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/writers-by-ip/78dde6e5fd29f054: AccessDenied: User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: elasticloadbalancing:DescribeTargetHealth on resource: * because no identity-based policy allows the elasticloadbalancing:DescribeTargetHealth action (hint: allow the IAM action `elasticloadbalancing:DescribeTargetHealth` on `*` (statement `ReadTargetGroups` of `repoint iam`), or use other credentials)");
}

#[tokio::test]
async fn a_hold_is_an_answer() {
    let site = Site::start();
    let function = site.function().await;
    site.lose_every_member();
    let report = function.invoke(&event("scheduler")).await.good();
    assert_eq!(
        (&cluster(&report)["outcome"], &cluster(&report)["verdict"]["kind"]),
        (&"held".into(), &"unreachable".into())
    );
    assert_eq!(function.invoke(&event("sqs")).await.good(), batch(&[]));
    let page = function.invoke(&event("function_url_post")).await.good();
    assert_eq!(status_and_outcome(&page), (200, "held".to_owned()));
    assert_eq!(site.writes(), 0);
}

#[tokio::test]
async fn a_hold_is_a_failure_where_that_is_configured() {
    let site = Site::start();
    let function = site.function_with("[lambda]\nfail_on_hold = true").await;
    assert_eq!(cluster(&function.invoke("{}").await.good())["outcome"], "converged");
    site.lose_every_member();
    let (kind, message) = function.invoke(&event("scheduler")).await.bad();
    assert_eq!(kind, "ClusterHeld");
    let port = regex::Regex::new(r":\d{4,5}").unwrap();
    insta::assert_snapshot!(port.replace_all(&message, ":PORT"), @"batman held: no member can be reached: GET /primary on http://127.0.0.1:PORT: Connection refused (os error 111); GET /primary on http://127.0.0.1:PORT: Connection refused (os error 111); GET /primary on http://127.0.0.1:PORT: Connection refused (os error 111) (hint: check the network and security groups towards Patroni's port, that Patroni runs, and that it reaches its DCS)");
    assert_eq!(function.invoke(&event("sqs")).await.good(), batch(&IDS));
    let page = function.invoke(&event("function_url_post")).await.good();
    assert_eq!(status_and_outcome(&page), (500, "held".to_owned()));
}

#[tokio::test]
async fn an_alert_that_is_refused_fails_the_invocation() {
    let site = Site::start();
    let function = site.function().await;
    assert_eq!(cluster(&function.invoke("{}").await.good())["outcome"], "converged");
    site.switch_over().await;
    site.deny("sns:Publish");
    let (kind, message) = function.invoke(&event("scheduled_rule")).await.bad();
    assert_eq!(kind, "AlertFailed");
    assert!(message.contains("an alert was not published: sns:Publish on arn:aws:sns:"), "{message}");
    assert!(message.contains("allow the IAM action `sns:Publish`"), "{message}");
    assert!(site.is_right(), "the endpoints were moved all the same");
    assert_eq!(function.invoke(&event("sqs")).await.good(), batch(&IDS), "it is still to be told");

    site.heal_aws();
    assert_eq!(function.invoke(&event("sqs")).await.good(), batch(&[]));
}

/// Nothing differs, and the next failover would be held.
#[tokio::test]
async fn a_state_store_that_cannot_be_read_fails_the_invocation() {
    let site = Site::start();
    let function = site.function().await;
    assert_eq!(cluster(&function.invoke("{}").await.good())["outcome"], "converged");
    site.deny("dynamodb:GetItem");
    let (kind, message) = function.invoke("{}").await.bad();
    assert_eq!(kind, "ClusterFailed");
    assert!(
        message.starts_with("batman held: state store unavailable, so changes are blocked: "),
        "{message}"
    );
    assert!(message.contains("dynamodb:GetItem"), "{message}");
}

/// Two functions, for two clusters with one scope, share a table.
#[tokio::test]
async fn a_state_of_other_endpoints_fails_the_invocation() {
    let site = Site::start();
    assert_eq!(cluster(&site.function().await.invoke("{}").await.good())["outcome"], "converged");
    let group = site.sandbox.with(|site| site.resources.foreign_group.clone());
    let own = site.configuration();
    let (cluster, _) = own.split_once("[[cluster.target_group]]").unwrap();
    let other = format!("{cluster}\n[[cluster.target_group]]\narn = {group:?}\n");
    let path = site.file("other.toml", &other);
    let function = Bootstrap::ready(&[("REPOINT_CONFIG", path.to_str().unwrap())]).await;
    let (kind, message) = function.invoke("{}").await.bad();
    assert_eq!(kind, "ClusterFailed");
    assert!(message.starts_with("batman held: ") && message.contains("writers-by-ip"), "{message}");
    assert_eq!(site.writes(), 0);
}

/// It can be read, so nothing but a failover shows it.
#[tokio::test]
async fn a_state_store_that_cannot_be_written_fails_the_invocation() {
    let site = Site::start();
    let function = site.function().await;
    assert_eq!(cluster(&function.invoke("{}").await.good())["outcome"], "converged");
    site.switch_over().await;
    site.deny("dynamodb:PutItem");
    let (kind, message) = function.invoke("{}").await.bad();
    assert_eq!(kind, "ClusterFailed");
    assert!(
        message.starts_with(
            "batman held: state store unavailable, so changes are blocked: dynamodb:PutItem on "
        ),
        "{message}"
    );
    assert_eq!(site.writes(), 0);

    site.heal_aws();
    assert_eq!(cluster(&function.invoke("{}").await.good())["outcome"], "changed");
    assert!(site.is_right());
}
