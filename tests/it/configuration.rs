//! Bad configurations: exit 2, one clear message for each problem, and nobody was called.

mod bundle;
mod discovery;
mod doctor;
mod groups;
mod iam;
mod monitoring;
mod paths;
mod records;
mod roles;
mod secrets;
mod sites;
mod state;
mod syntax;
mod tls;
mod topics;

use crate::support::command::Repoint;

const GOOD: &str = r#"[aws]
region = "eu-west-1"
endpoint_url = "http://user:secret@127.0.0.1:5555"

[alerts]
sns_topic_arn = "arn:aws:sns:us-east-1:123456789012:db-alerts"

[[cluster]]
scope = "batman"
members = ["http://10.0.1.11:8008", "http://PG2.internal:8008/"]

  [[cluster.target_group]]
  arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
  role = "writer"
  strategy = "exclusive"

  [[cluster.record]]
  zone_id = "Z0123456789"
  name = "Writer.DB.example.com."
  type = "A"
  set_identifier = "primary"
  failover = "PRIMARY"
  points_to = "primary"
"#;

const CLUSTER: &str = "[[cluster]]\nscope = \"batman\"\nmembers = [\"http://10.0.1.11:8008\"]\n";
const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33";

async fn check(configuration: impl AsRef<[u8]>) -> String {
    Repoint::new(configuration).run(&["check"]).await.to_string()
}

/// The message for a configuration that must be refused.
async fn refused(configuration: impl AsRef<[u8]>) -> String {
    let ran = Repoint::new(configuration).run(&["run"]).await;
    assert_eq!(ran.code, 2, "{ran}");
    assert_eq!(ran.stdout, "");
    ran.stderr
}

fn record(lines: &str) -> String {
    format!(
        "{CLUSTER}[[cluster.record]]\nzone_id = \"Z1\"\nname = \"a.example.com\"\ntype = \"A\"\npoints_to = \"primary\"\n{lines}\n"
    )
}

#[tokio::test]
async fn a_good_one_is_printed_as_it_was_understood() {
    insta::assert_snapshot!(check(GOOD).await, @r#"
    exit 0
    --- stdout
    [aws]
    region = "eu-west-1"
    endpoint_url = "http://***@127.0.0.1:5555"
    limit_percent = 90

    [patroni]
    connect_timeout_seconds = 2.0
    timeout_seconds = 2.0
    verify_hostname = true

    [pass]
    deadline_seconds = 30.0

    [state]
    file = "state.json"
    required = true

    [alerts]
    grace_seconds = 60.0
    contested_grace_seconds = 0.0
    replica_grace_seconds = 300.0
    paused_grace_seconds = 3600.0
    replica_lag_bytes = 67108864
    maximum_lag_on_failover = 1048576
    flapping_changes = 3
    flapping_seconds = 1800.0

    [[alerts.topic]]
    arn = "arn:aws:sns:us-east-1:123456789012:db-alerts"
    format = "text"
    min_severity = "info"

    [watch]
    interval_seconds = 1.0
    audit_interval_seconds = 60.0
    grace_seconds = 10.0
    socket = "/run/repoint/repoint.sock"

    [callback]
    mode = "daemon"

    [lambda]
    fail_on_hold = false

    [[cluster]]
    name = "batman"
    scope = "batman"
    members = ["http://10.0.1.11:8008", "http://pg2.internal:8008"]

    [[cluster.target_group]]
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    role = "writer"
    strategy = "exclusive"

    [[cluster.record]]
    zone_id = "Z0123456789"
    name = "writer.db.example.com"
    type = "A"
    set_identifier = "primary"
    failover = "PRIMARY"
    points_to = "primary"
    --- stderr
    "#);
}

#[tokio::test]
async fn the_environment_overrules_the_file() {
    let ran = Repoint::new(GOOD)
        .with("AWS_REGION", "ap-south-1")
        .with("REPOINT_PASS_DEADLINE_SECONDS", "7.5")
        .run(&["check", "--format", "json"])
        .await;
    let shown = ran.json();
    assert_eq!(shown["aws"]["region"], "ap-south-1");
    assert_eq!(shown["pass"]["deadline_seconds"], 7.5);
}

#[tokio::test]
async fn a_wait_that_a_pass_has_no_time_for_is_refused() {
    let configuration = format!("[pass]\nwait_insync_seconds = 60\n{}", record(""));
    insta::assert_snapshot!(refused(configuration).await, @"
    error: repoint.toml:2: `pass.wait_insync_seconds`: 60 s exceed the deadline of a pass: also raise `pass.deadline_seconds` (30)
      2 | wait_insync_seconds = 60
    ");
    let configuration = format!("[pass]\nwait_insync_seconds = 1\n{}", record(""));
    insta::assert_snapshot!(refused(configuration).await, @"
    error: repoint.toml:2: `pass.wait_insync_seconds`: it must be a number of seconds not below 2 and at most 900
      2 | wait_insync_seconds = 1
    ");
}

#[tokio::test]
async fn an_unknown_variable_is_refused() {
    let ran = Repoint::new(GOOD).with("REPOINT_DEADLINE", "7").run(&["check"]).await;
    insta::assert_snapshot!(ran.to_string(), @"
    exit 2
    --- stdout
    --- stderr
    error: environment variable REPOINT_DEADLINE: unknown variable
      hint: the variables are REPOINT_CONFIG, REPOINT_CONFIG_INLINE, REPOINT_LOG, REPOINT_AWS_REGION, REPOINT_AWS_ENDPOINT_URL, REPOINT_AWS_LIMIT_PERCENT, REPOINT_PATRONI_CONNECT_TIMEOUT_SECONDS, REPOINT_PATRONI_TIMEOUT_SECONDS, REPOINT_PATRONI_CA_FILE, REPOINT_PATRONI_CERTIFICATE_FILE, REPOINT_PATRONI_KEY_FILE, REPOINT_PATRONI_VERIFY_HOSTNAME, REPOINT_PATRONI_USERNAME, REPOINT_PATRONI_PASSWORD_FILE, REPOINT_PASS_DEADLINE_SECONDS, REPOINT_PASS_WAIT_INSYNC_SECONDS, REPOINT_STATE_FILE, REPOINT_STATE_DYNAMODB_TABLE, REPOINT_STATE_REQUIRED, REPOINT_ALERTS_SNS_TOPIC_ARN, REPOINT_ALERTS_GRACE_SECONDS, REPOINT_ALERTS_CONTESTED_GRACE_SECONDS, REPOINT_ALERTS_REMINDER_SECONDS, REPOINT_ALERTS_HEARTBEAT_URL, REPOINT_WATCH_INTERVAL_SECONDS, REPOINT_WATCH_AUDIT_INTERVAL_SECONDS, REPOINT_WATCH_GRACE_SECONDS, REPOINT_WATCH_SOCKET, REPOINT_CALLBACK_MODE, REPOINT_CALLBACK_SNS_TOPIC_ARN, REPOINT_LAMBDA_FAIL_ON_HOLD, REPOINT_LAMBDA_FUNCTION, REPOINT_LAMBDA_SCHEDULE_GROUP, REPOINT_HTTP_LISTEN, REPOINT_METRICS_TEXTFILE
    ");
}

#[tokio::test]
async fn what_is_no_arn_of_a_standard_topic_is_refused() {
    let topic = |arn: &str| format!("[alerts]\nsns_topic_arn = \"{arn}\"\n{CLUSTER}");
    insta::assert_snapshot!(refused(topic("arn:aws:sns:us-east-1:123456789012:db-alerts.fifo")).await, @r#"
    error: repoint.toml:2: `alerts.sns_topic_arn`: `arn:aws:sns:us-east-1:123456789012:db-alerts.fifo`: it is a FIFO topic, which delivers to SQS queues only; give a standard topic
      2 | sns_topic_arn = "arn:aws:sns:us-east-1:123456789012:db-alerts.fifo"
    "#);
    insta::assert_snapshot!(refused(topic("arn:aws:sqs:us-east-1:123456789012:db-alerts")).await, @r#"
    error: repoint.toml:2: `alerts.sns_topic_arn`: `arn:aws:sqs:us-east-1:123456789012:db-alerts`: it is not the ARN of an SNS topic, for example arn:aws:sns:us-east-1:123456789012:db-alerts
      2 | sns_topic_arn = "arn:aws:sqs:us-east-1:123456789012:db-alerts"
    "#);
}

#[tokio::test]
async fn a_cluster_named_twice_is_refused() {
    insta::assert_snapshot!(refused(format!("{CLUSTER}{CLUSTER}")).await, @r#"
    error: repoint.toml:5: `cluster.scope`: cluster `batman` is named twice, first in line 2
      5 | scope = "batman"
      hint: give each entry a unique `name`: several entries may have the same scope, as Citus groups do
    "#);
}

/// Their states would be one, whatever scopes they have.
#[tokio::test]
async fn two_entries_of_one_name_are_refused() {
    let entry = |name: &str, scope: &str| {
        let name = if name.is_empty() { String::new() } else { format!("name = \"{name}\"\n") };
        format!("[[cluster]]\n{name}scope = \"{scope}\"\nmembers = [\"http://10.0.1.11:8008\"]\n")
    };
    for scope in ["batman", "robin"] {
        let said = refused(entry("orders", "batman") + &entry("orders", scope)).await;
        insta::allow_duplicates!(insta::assert_snapshot!(said, @r#"
        error: repoint.toml:6: `cluster.name`: two entries have the name `orders`, the first in line 2
          6 | name = "orders"
          hint: give each entry a unique `name`; the default is the scope
        "#));
    }
    // The scope is a name, too.
    insta::assert_snapshot!(refused(entry("robin", "batman") + &entry("", "robin")).await, @r#"
    error: repoint.toml:6: `cluster.scope`: two entries have the name `robin`, the first in line 2
      6 | scope = "robin"
      hint: give each entry a unique `name`; the default is the scope
    "#);
    insta::assert_snapshot!(refused(entry("", "robin") + &entry("robin", "robin")).await, @r#"
    error: repoint.toml:5: `cluster.name`: two entries have the name `robin`, the first in line 2
      5 | name = "robin"
      hint: give each entry a unique `name`; the default is the scope
    "#);
}

#[tokio::test]
async fn an_endpoint_that_two_clusters_claim_is_refused() {
    let other = record("").replace("batman", "robin").replace("a.example.com", "A.Example.COM.");
    insta::assert_snapshot!(refused(format!("{}{other}", record(""))).await, @r#"
    error: repoint.toml:15: `cluster.record.name`: record `Z1/a.example.com/A` is configured twice, first by cluster `batman` in line 6
      15 | name = "A.Example.COM."
    "#);
    let group = format!("{CLUSTER}[[cluster.target_group]]\narn = \"{ARN}\"\n");
    insta::assert_snapshot!(refused(format!("{group}{}", group.replace("batman", "robin"))).await, @r#"
    error: repoint.toml:10: `cluster.target_group.arn`: target group `pg-writer` is configured twice, first by cluster `batman` in line 5
      10 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    "#);
}

#[tokio::test]
async fn an_empty_or_senseless_member_list_is_refused() {
    insta::assert_snapshot!(refused("[[cluster]]\nscope = \"batman\"\nmembers = []\n").await, @r#"
    error: repoint.toml:3: `cluster.members`: it is empty: list at least one member, as in ["http://10.0.1.11:8008"]
      3 | members = []
    "#);
    let members = r#"["10.0.1.11:8008", "http://10.0.1.11", "http://me:pw@10.0.1.11:8008", "http://:8008", "http://pg1:0"]"#;
    insta::assert_snapshot!(refused(format!("[[cluster]]\nscope = \"batman\"\nmembers = {members}\n")).await, @r#"
    error: repoint.toml:3: `cluster.members`: `10.0.1.11:8008`: it must begin with http:// or https://
      3 | members = ["10.0.1.11:8008", "http://10.0.1.11", "http://***@10.0.1.11:8008", "http://:8008", "http://pg1:0"]
    repoint.toml:3: `cluster.members`: `http://10.0.1.11`: it needs a port, as in http://10.0.1.11:8008
      3 | members = ["10.0.1.11:8008", "http://10.0.1.11", "http://***@10.0.1.11:8008", "http://:8008", "http://pg1:0"]
    repoint.toml:3: `cluster.members`: `http://***@10.0.1.11:8008`: it must not carry a user name or password
      3 | members = ["10.0.1.11:8008", "http://10.0.1.11", "http://***@10.0.1.11:8008", "http://:8008", "http://pg1:0"]
    repoint.toml:3: `cluster.members`: `http://:8008`: it names no host
      3 | members = ["10.0.1.11:8008", "http://10.0.1.11", "http://***@10.0.1.11:8008", "http://:8008", "http://pg1:0"]
    repoint.toml:3: `cluster.members`: `http://pg1:0`: `0` is not a port
      3 | members = ["10.0.1.11:8008", "http://10.0.1.11", "http://***@10.0.1.11:8008", "http://:8008", "http://pg1:0"]
    "#);
}

/// It would not be asked for: Patroni answers `/primary` and `/cluster` at the root alone.
#[tokio::test]
async fn what_stands_after_the_port_of_a_member_is_refused() {
    for path in ["/patroni", "?a=b", "#x", "//"] {
        let members =
            format!("[[cluster]]\nscope = \"batman\"\nmembers = [\"http://10.0.1.11:8008{path}\"]\n");
        let said = refused(members).await;
        let named = format!(
            "repoint.toml:3: `cluster.members`: `http://10.0.1.11:8008{path}`: `{path}` is not allowed"
        );
        assert!(said.contains(&named), "{said}");
    }
    assert!(
        check("[[cluster]]\nscope = \"batman\"\nmembers = [\"http://10.0.1.11:8008/\"]\n")
            .await
            .contains("8008")
    );
}

#[tokio::test]
async fn senseless_values_are_refused_all_at_once() {
    let configuration = format!(
        "[aws]\nendpoint_url = \"localhost\"\n[patroni]\ntimeout_seconds = 0\nca_file = \"nowhere.pem\"\ncertificate_file = \"repoint.toml\"\n\
         [pass]\ndeadline_seconds = 1e9\n{}",
        record("ttl = 3000000000\nhealth_check_id = \"\"")
            .replace("Z1", "not a zone")
            .replace("a.example.com", "a..com")
    );
    insta::assert_snapshot!(refused(configuration).await, @r#"
    error: repoint.toml:2: `aws.endpoint_url`: `localhost` is not a URL that begins with http:// or https://
      2 | endpoint_url = "localhost"
    repoint.toml:4: `patroni.timeout_seconds`: it must be a number of seconds above 0 and at most 900
      4 | timeout_seconds = 0
    repoint.toml:5: `patroni.ca_file`: nowhere.pem cannot be read: No such file or directory (os error 2)
      5 | ca_file = "nowhere.pem"
    repoint.toml:6: `patroni.certificate_file`: it requires `patroni.key_file`
      6 | certificate_file = "repoint.toml"
    repoint.toml:8: `pass.deadline_seconds`: it must be a number of seconds above 0 and at most 900
      8 | deadline_seconds = 1e9
    repoint.toml:13: `cluster.record.zone_id`: `not a zone`: it must be the id of a hosted zone, such as Z0123456789ABCDEFGHIJ
      13 | zone_id = "not a zone"
    repoint.toml:14: `cluster.record.name`: `a..com`: it is not a DNS name: labels of 1 to 63 letters, digits, `-` and `_`, separated by dots, at most 255 bytes
      14 | name = "a..com"
    repoint.toml:18: `cluster.record.health_check_id`: it is empty
      18 | health_check_id = ""
    repoint.toml:17: `cluster.record.ttl`: it exceeds 2147483647 seconds, Route 53's limit
      17 | ttl = 3000000000
    "#);
}

#[tokio::test]
async fn the_times_of_alerts_are_within_bounds() {
    let configuration = format!(
        "[alerts]\ngrace_seconds = -1\ncontested_grace_seconds = 604801\nreminder_seconds = 0\n{CLUSTER}"
    );
    insta::assert_snapshot!(refused(configuration).await, @"
    error: repoint.toml:2: `alerts.grace_seconds`: it must be a number of seconds not below 0 and at most 604800
      2 | grace_seconds = -1
    repoint.toml:3: `alerts.contested_grace_seconds`: it must be a number of seconds not below 0 and at most 604800
      3 | contested_grace_seconds = 604801
    repoint.toml:4: `alerts.reminder_seconds`: it must be a number of seconds above 0 and at most 604800
      4 | reminder_seconds = 0
    ");
    insta::assert_snapshot!(refused(format!("[alerts]\ngrace_seconds = nan\n{CLUSTER}")).await, @"
    error: repoint.toml:2: `alerts.grace_seconds`: it must be a number of seconds not below 0 and at most 604800
      2 | grace_seconds = nan
    ");
    insta::assert_snapshot!(refused(format!("[alerts]\nreminder_seconds = \"daily\"\n{CLUSTER}")).await, @r#"
    error: repoint.toml:2: `reminder_seconds`: invalid type: string "daily", expected f64
      2 | reminder_seconds = "daily"
    "#);
    let ran = Repoint::new(CLUSTER)
        .with("REPOINT_ALERTS_GRACE_SECONDS", "soon")
        .with("REPOINT_ALERTS_REMINDER_SECONDS", "-0.5")
        .run(&["run"])
        .await;
    insta::assert_snapshot!(ran.to_string(), @"
    exit 2
    --- stdout
    --- stderr
    error: environment variable REPOINT_ALERTS_GRACE_SECONDS: it must be a number of seconds not below 0 and at most 604800
    environment variable REPOINT_ALERTS_REMINDER_SECONDS: it must be a number of seconds above 0 and at most 604800
    ");
    let ran = Repoint::new(format!("[alerts]\nreminder_seconds = 3600\n{CLUSTER}"))
        .with("REPOINT_ALERTS_GRACE_SECONDS", "0")
        .run(&["check", "--format", "json"])
        .await;
    insta::assert_snapshot!(ran.json()["alerts"].to_string(), @r#"{"grace_seconds":0.0,"contested_grace_seconds":0.0,"replica_grace_seconds":300.0,"paused_grace_seconds":3600.0,"replica_lag_bytes":67108864,"maximum_lag_on_failover":1048576,"flapping_changes":3,"flapping_seconds":1800.0,"reminder_seconds":3600.0}"#);
}

#[tokio::test]
async fn an_unknown_cluster_on_the_command_line_is_refused() {
    let ran = Repoint::new(GOOD).run(&["run", "--cluster", "joker"]).await;
    insta::assert_snapshot!(ran.to_string(), @"
    exit 2
    --- stdout
    --- stderr
    error: --cluster joker: repoint.toml has no such cluster; its clusters are batman
    ");
}
