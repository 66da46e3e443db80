//! What a deployment is told of a configuration.

use serde_json::{Value, json};

use super::{CLUSTER, GOOD};
use crate::support::command::{Ran, Repoint};

async fn ran(configuration: &str, arguments: &[&str]) -> Ran {
    let repoint = Repoint::new(configuration).without("REPOINT_STATE_FILE");
    repoint.run(&[&["bundle"], arguments].concat()).await
}

async fn bundle(configuration: &str, arguments: &[&str]) -> Value {
    let ran = ran(configuration, arguments).await;
    assert_eq!(ran.code, 0, "{ran}");
    ran.json()
}

#[tokio::test]
async fn it_has_the_text_the_policy_and_the_names() {
    let mut bundle = bundle(GOOD, &[]).await;
    let policy = Repoint::new(GOOD).run(&["iam"]).await.json();
    assert_eq!(bundle["policy"], policy);
    assert_eq!(bundle["configuration"], GOOD);
    for key in ["policy", "configuration", "version"] {
        assert!(bundle.as_object_mut().unwrap().shift_remove(key).is_some(), "{key}");
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&bundle).unwrap(), @r#"
    {
      "bundle": 1,
      "clusters": [
        "batman"
      ],
      "scopes": [
        "batman"
      ],
      "target_groups": [
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
      ],
      "listeners": [],
      "regions": [
        "us-east-1"
      ],
      "zones": [
        "Z0123456789"
      ],
      "table": null,
      "alert_topics": [
        "arn:aws:sns:us-east-1:123456789012:db-alerts"
      ],
      "trigger_topic": null,
      "services": [
        "ec2",
        "elasticloadbalancing",
        "route53",
        "sns"
      ]
    }
    "#);
}

/// Each of these is the same to `repoint`, and was another thing to a search for keys at the beginning of a line.
#[tokio::test]
async fn however_it_is_written() {
    let record = r#"zone_id = "Z1", name = "a.example.com", type = "A", points_to = "primary""#;
    let inline = format!("{CLUSTER}record = [{{ {record} }}]\n");
    let section = format!("{CLUSTER}[[cluster.record]]\n{}\n", record.replace(", ", "\n"));
    let quoted = format!("{CLUSTER}[[\"cluster\".'record']]\n{}\n", record.replace(", ", "\n"));
    let table = "[state]\ndynamodb_table = \"memory\"\n";
    let dotted = format!("state.dynamodb_table = '''memory'''\n{inline}");
    for text in [format!("{table}{inline}"), format!("{table}{section}"), format!("{table}{quoted}"), dotted]
    {
        let bundle = bundle(&text, &[]).await;
        assert_eq!((&bundle["zones"], &bundle["table"]), (&json!(["Z1"]), &"memory".into()), "{text}");
    }
}

#[tokio::test]
async fn without_instances_ec2_is_not_called() {
    let services = |bundle: &Value| bundle["services"].clone();
    assert_eq!(services(&bundle(GOOD, &[]).await), json!(["ec2", "elasticloadbalancing", "route53", "sns"]));
    let without = bundle(GOOD, &["--no-instances"]).await;
    assert_eq!(services(&without), json!(["elasticloadbalancing", "route53", "sns"]));
    assert!(!without["policy"].to_string().contains("ec2:"));
}

/// Its text names all clusters.
#[tokio::test]
async fn it_is_of_the_whole_configuration() {
    let ran = ran(GOOD, &["--cluster", "batman"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(ran.stderr, @"error: a bundle contains the whole configuration: omit `--cluster`, or split the file");
}
