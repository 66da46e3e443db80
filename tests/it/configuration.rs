//! Bad configurations: exit 2, one clear message for each problem, and nobody was called.

mod sites;

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

    [pass]
    deadline_seconds = 30.0

    [state]
    file = "state.json"
    required = true

    [alerts]
    sns_topic_arn = "arn:aws:sns:us-east-1:123456789012:db-alerts"
    grace_seconds = 60.0
    contested_grace_seconds = 0.0

    [watch]
    interval_seconds = 1.0
    audit_interval_seconds = 60.0
    grace_seconds = 10.0
    socket = "/run/repoint/repoint.sock"

    [callback]
    hand_over = "daemon"

    [lambda]
    fail_on_hold = false

    [[cluster]]
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
    error: repoint.toml:2: `pass.wait_insync_seconds`: 60 s are more than a pass may take: raise `pass.deadline_seconds` (30) as well
      2 | wait_insync_seconds = 60
    ");
    let configuration = format!("[pass]\nwait_insync_seconds = 1\n{}", record(""));
    insta::assert_snapshot!(refused(configuration).await, @"
    error: repoint.toml:2: `pass.wait_insync_seconds`: it must be a number of seconds not below 2, and at most 900
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
    error: environment variable REPOINT_DEADLINE: it is no variable of repoint
      hint: the variables are REPOINT_CONFIG, REPOINT_CONFIG_INLINE, REPOINT_LOG, REPOINT_AWS_REGION, REPOINT_AWS_ENDPOINT_URL, REPOINT_AWS_LIMIT_PERCENT, REPOINT_PATRONI_CONNECT_TIMEOUT_SECONDS, REPOINT_PATRONI_TIMEOUT_SECONDS, REPOINT_PATRONI_CA_FILE, REPOINT_PATRONI_CERTIFICATE_FILE, REPOINT_PATRONI_KEY_FILE, REPOINT_PASS_DEADLINE_SECONDS, REPOINT_PASS_WAIT_INSYNC_SECONDS, REPOINT_STATE_FILE, REPOINT_STATE_DYNAMODB_TABLE, REPOINT_STATE_REQUIRED, REPOINT_ALERTS_SNS_TOPIC_ARN, REPOINT_ALERTS_GRACE_SECONDS, REPOINT_ALERTS_CONTESTED_GRACE_SECONDS, REPOINT_ALERTS_REMINDER_SECONDS, REPOINT_WATCH_INTERVAL_SECONDS, REPOINT_WATCH_AUDIT_INTERVAL_SECONDS, REPOINT_WATCH_GRACE_SECONDS, REPOINT_WATCH_SOCKET, REPOINT_CALLBACK_HAND_OVER, REPOINT_CALLBACK_SNS_TOPIC_ARN, REPOINT_LAMBDA_FAIL_ON_HOLD
    ");
}

#[tokio::test]
async fn an_unknown_key_is_named_with_its_line() {
    insta::assert_snapshot!(refused(format!("{CLUSTER}[[cluster.target_group]]\narn = \"{ARN}\"\nstrateggy = \"warm\"\n")).await, @r#"
    error: repoint.toml:6: `strateggy`: unknown field `strateggy`, expected one of `arn`, `role`, `strategy`, `port`, `max_lag_bytes`, `primary_fallback`, `leave_after_seconds`, `listener`, `member`
      6 | strateggy = "warm"
    "#);
}

#[tokio::test]
async fn a_wrong_type_is_named_with_its_line() {
    insta::assert_snapshot!(refused("[[cluster]]\nscope = 5\nmembers = []\n").await, @"
    error: repoint.toml:2: `scope`: invalid type: integer `5`, expected a string
      2 | scope = 5
    ");
}

#[tokio::test]
async fn a_word_that_is_none_of_the_choices_is_named() {
    insta::assert_snapshot!(refused(record("").replace("\"primary\"", "\"leader\"")).await, @r#"
    error: repoint.toml:8: `points_to`: unknown variant `leader`, expected one of `primary`, `standby`, `readers`, `site`
      8 | points_to = "leader"
    "#);
}

#[tokio::test]
async fn a_missing_key_is_named() {
    insta::assert_snapshot!(refused("[[cluster]]\nmembers = [\"http://10.0.1.11:8008\"]\n").await, @"
    error: repoint.toml:1: missing field `scope`
      1 | [[cluster]]
    ");
}

#[tokio::test]
async fn what_is_no_toml_is_refused() {
    insta::assert_snapshot!(refused("[[cluster]\nscope = \"batman\"\n").await, @"
    error: repoint.toml:1: unclosed array table, expected `]`
      1 | [[cluster]
    ");
}

#[tokio::test]
async fn what_is_no_arn_of_a_target_group_is_refused() {
    insta::assert_snapshot!(refused(format!("{CLUSTER}[[cluster.target_group]]\narn = \"pg-writer\"\n")).await, @r#"
    error: repoint.toml:5: `cluster.target_group.arn`: `pg-writer`: it is no ARN; one looks like arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33
      5 | arn = "pg-writer"
    "#);
    let balancer = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188";
    insta::assert_snapshot!(refused(format!("{CLUSTER}[[cluster.target_group]]\narn = \"{balancer}\"\n")).await, @r#"
    error: repoint.toml:5: `cluster.target_group.arn`: `arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188`: it is not the ARN of a target group, which looks like arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33
      5 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188"
    "#);
}

#[tokio::test]
async fn what_is_no_arn_of_a_standard_topic_is_refused() {
    let topic = |arn: &str| format!("[alerts]\nsns_topic_arn = \"{arn}\"\n{CLUSTER}");
    insta::assert_snapshot!(refused(topic("arn:aws:sns:us-east-1:123456789012:db-alerts.fifo")).await, @r#"
    error: repoint.toml:2: `alerts.sns_topic_arn`: `arn:aws:sns:us-east-1:123456789012:db-alerts.fifo`: a FIFO topic only feeds queues, so nobody would be woken; give a standard topic
      2 | sns_topic_arn = "arn:aws:sns:us-east-1:123456789012:db-alerts.fifo"
    "#);
    insta::assert_snapshot!(refused(topic("arn:aws:sqs:us-east-1:123456789012:db-alerts")).await, @r#"
    error: repoint.toml:2: `alerts.sns_topic_arn`: `arn:aws:sqs:us-east-1:123456789012:db-alerts`: it is not the ARN of an SNS topic, which looks like arn:aws:sns:us-east-1:123456789012:db-alerts
      2 | sns_topic_arn = "arn:aws:sqs:us-east-1:123456789012:db-alerts"
    "#);
}

#[tokio::test]
async fn a_cluster_named_twice_is_refused() {
    insta::assert_snapshot!(refused(format!("{CLUSTER}{CLUSTER}")).await, @r#"
    error: repoint.toml:5: `cluster.scope`: cluster `batman` is named twice, first in line 2
      5 | scope = "batman"
    "#);
}

#[tokio::test]
async fn an_endpoint_that_two_clusters_claim_is_refused() {
    let other = record("").replace("batman", "robin").replace("a.example.com", "A.Example.COM.");
    insta::assert_snapshot!(refused(format!("{}{other}", record(""))).await, @r#"
    error: repoint.toml:15: `cluster.record.name`: record `Z1/a.example.com/A` is claimed twice, first by cluster `batman` in line 6
      15 | name = "A.Example.COM."
    "#);
    let group = format!("{CLUSTER}[[cluster.target_group]]\narn = \"{ARN}\"\n");
    insta::assert_snapshot!(refused(format!("{group}{}", group.replace("batman", "robin"))).await, @r#"
    error: repoint.toml:10: `cluster.target_group.arn`: target group `pg-writer` is claimed twice, first by cluster `batman` in line 5
      10 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    "#);
}

#[tokio::test]
async fn an_empty_or_senseless_member_list_is_refused() {
    insta::assert_snapshot!(refused("[[cluster]]\nscope = \"batman\"\nmembers = []\n").await, @r#"
    error: repoint.toml:3: `cluster.members`: it is empty: name at least one member, as in ["http://10.0.1.11:8008"]
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
    repoint.toml:3: `cluster.members`: `http://pg1:0`: `0` is no port
      3 | members = ["10.0.1.11:8008", "http://10.0.1.11", "http://***@10.0.1.11:8008", "http://:8008", "http://pg1:0"]
    "#);
}

#[tokio::test]
async fn half_a_failover_record_is_refused() {
    insta::assert_snapshot!(refused(record("failover = \"PRIMARY\"")).await, @r#"
    error: repoint.toml:9: `cluster.record.failover`: a failover record needs a `set_identifier` beside it
      9 | failover = "PRIMARY"
    "#);
    insta::assert_snapshot!(refused(record("set_identifier = \"primary\"")).await, @r#"
    error: repoint.toml:9: `cluster.record.set_identifier`: it needs `failover = "PRIMARY"` or `"SECONDARY"` beside it; a simple record has none
      9 | set_identifier = "primary"
    "#);
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
    error: repoint.toml:2: `aws.endpoint_url`: `localhost` is no URL that begins with http:// or https://
      2 | endpoint_url = "localhost"
    repoint.toml:4: `patroni.timeout_seconds`: it must be a number of seconds above 0, and at most 900
      4 | timeout_seconds = 0
    repoint.toml:5: `patroni.ca_file`: nowhere.pem cannot be read: No such file or directory (os error 2)
      5 | ca_file = "nowhere.pem"
    repoint.toml:6: `patroni.certificate_file`: it needs `patroni.key_file` beside it
      6 | certificate_file = "repoint.toml"
    repoint.toml:8: `pass.deadline_seconds`: it must be a number of seconds above 0, and at most 900
      8 | deadline_seconds = 1e9
    repoint.toml:13: `cluster.record.zone_id`: `not a zone`: it is no id of a hosted zone; one looks like Z0123456789ABCDEFGHIJ
      13 | zone_id = "not a zone"
    repoint.toml:14: `cluster.record.name`: `a..com`: it is no DNS name
      14 | name = "a..com"
    repoint.toml:18: `cluster.record.health_check_id`: it is empty
      18 | health_check_id = ""
    repoint.toml:17: `cluster.record.ttl`: it is above 2147483647, the most that Route 53 takes
      17 | ttl = 3000000000
    "#);
}

#[tokio::test]
async fn groups_are_shown_with_what_they_mean() {
    let groups = [
        "role = \"reader\"",
        "role = \"reader\"\nmax_lag_bytes = 1000\nprimary_fallback = false",
        "strategy = \"warm\"",
        "strategy = \"warm\"\nleave_after_seconds = 1.5",
    ];
    let group = |(number, lines): (usize, &&str)| {
        format!(
            "[[cluster.target_group]]\narn = \"{}\"\n{lines}\n",
            ARN.replace("pg-writer", &format!("group-{number}"))
        )
    };
    let text: Vec<String> = groups.iter().enumerate().map(group).collect();
    let ran = Repoint::new(format!("{CLUSTER}{}", text.join(""))).run(&["check"]).await.to_string();
    let shown = ran.split_once("[[cluster]]").unwrap().1.replace(ARN.split_once("pg-writer").unwrap().0, "");
    insta::assert_snapshot!(shown, @r#"

    scope = "batman"
    members = ["http://10.0.1.11:8008"]

    [[cluster.target_group]]
    arn = "group-0/057ddce98af07a33"
    role = "reader"
    max_lag_bytes = 16777216
    primary_fallback = true
    strategy = "exclusive"

    [[cluster.target_group]]
    arn = "group-1/057ddce98af07a33"
    role = "reader"
    max_lag_bytes = 1000
    primary_fallback = false
    strategy = "exclusive"

    [[cluster.target_group]]
    arn = "group-2/057ddce98af07a33"
    role = "writer"
    strategy = "warm"
    leave_after_seconds = 600.0

    [[cluster.target_group]]
    arn = "group-3/057ddce98af07a33"
    role = "writer"
    strategy = "warm"
    leave_after_seconds = 1.5
    --- stderr
    "#);
}

const LISTENER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2";

/// A cluster with a group for each of these members behind a listener.
fn weighted(scope: &str, members: &[(&str, &str)]) -> String {
    let group = |(member, listener): &(&str, &str)| {
        format!(
            "[[cluster.target_group]]\narn = \"{}\"\nstrategy = \"weighted\"\nlistener = \"{listener}\"\nmember = \"{member}\"\n",
            ARN.replace("pg-writer", &format!("{scope}-{member}"))
        )
    };
    let groups: Vec<String> = members.iter().map(group).collect();
    format!("{}{}", CLUSTER.replace("batman", scope), groups.join(""))
}

#[tokio::test]
async fn groups_behind_a_listener_are_shown_with_their_members() {
    let good = weighted("batman", &[("pg2", LISTENER), ("pg1", LISTENER)]);
    let ran = check(good).await;
    let shown = ran.split_once("members = ").unwrap().1;
    insta::assert_snapshot!(shown, @r#"
    ["http://10.0.1.11:8008"]

    [[cluster.target_group]]
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/batman-pg1/057ddce98af07a33"
    role = "writer"
    strategy = "weighted"
    listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2"
    member = "pg1"

    [[cluster.target_group]]
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/batman-pg2/057ddce98af07a33"
    role = "writer"
    strategy = "weighted"
    listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2"
    member = "pg2"
    --- stderr
    "#);
}

#[tokio::test]
async fn weighted_groups_that_make_no_sense_are_refused() {
    let other = LISTENER.replace("us-east-1", "eu-west-1");
    let balanced = LISTENER.replace("/net/", "/app/");
    let twice = weighted("batman", &[("pg1", LISTENER)]) + &weighted("robin", &[("pg1", LISTENER)]);
    let lines = |lines: &str| {
        format!("{CLUSTER}[[cluster.target_group]]\narn = \"{ARN}\"\nstrategy = \"weighted\"\n{lines}\n")
    };
    let listener = format!("listener = \"{LISTENER}\"\n");
    let same_group =
        weighted("batman", &[("pg1", LISTENER), ("pg2", LISTENER)]).replace("batman-pg2", "batman-pg1");
    let said = [
        refused(lines("")).await,
        refused(lines(&format!("{listener}member = \" \""))).await,
        refused(lines(&format!("{listener}member = \"pg1\"\nrole = \"reader\""))).await,
        refused(weighted("batman", &[("pg1", &other)])).await,
        refused(weighted("batman", &[("pg1", &balanced)])).await,
        refused(weighted("batman", &[("pg1", LISTENER), ("pg1", LISTENER)]).replacen("batman-pg1", "old", 1))
            .await,
        refused(same_group).await,
        refused(twice).await,
    ];
    insta::assert_snapshot!(said.join(""), @r#"
    error: repoint.toml:5: `cluster.target_group.strategy`: `strategy = "weighted"` needs `listener` beside it
      5 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    repoint.toml:5: `cluster.target_group.strategy`: `strategy = "weighted"` needs `member` beside it
      5 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    error: repoint.toml:8: `cluster.target_group.member`: it is empty
      8 | member = " "
    error: repoint.toml:5: `cluster.target_group.role`: `strategy = "weighted"` sends every connection to one member, so it is for writers
      5 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    error: repoint.toml:7: `cluster.target_group.listener`: the listener is in another Region or account than the target group
      7 | listener = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2"
    error: repoint.toml:7: `cluster.target_group.listener`: `arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/pg/50dc6c495c0c9188/f2f7dc8efc522ab2`: it is not the ARN of a Network Load Balancer's listener, which looks like arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2
      7 | listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/pg/50dc6c495c0c9188/f2f7dc8efc522ab2"
    error: repoint.toml:13: `cluster.target_group.member`: member `pg1` has two target groups behind one listener
      13 | member = "pg1"
    error: repoint.toml:10: `cluster.target_group.arn`: target group `batman-pg1` is claimed twice, first by cluster `batman` in line 5
      10 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/batman-pg1/057ddce98af07a33"
    error: repoint.toml:15: `cluster.target_group.listener`: listener `pg/f2f7dc8efc522ab2` is claimed twice, first by cluster `batman` in line 7
      15 | listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2"
    "#);
}

#[tokio::test]
async fn what_belongs_to_another_kind_of_group_is_named() {
    let lines = "max_lag_bytes = 1\nprimary_fallback = true\nleave_after_seconds = 1\nlistener = \"a\"\nmember = \"b\"";
    insta::assert_snapshot!(refused(format!("{CLUSTER}[[cluster.target_group]]\narn = \"{ARN}\"\n{lines}\n")).await, @r#"
    error: repoint.toml:6: `cluster.target_group.max_lag_bytes`: it is for readers: put `role = "reader"` beside it
      6 | max_lag_bytes = 1
    repoint.toml:7: `cluster.target_group.primary_fallback`: it is for readers: put `role = "reader"` beside it
      7 | primary_fallback = true
    repoint.toml:8: `cluster.target_group.leave_after_seconds`: it is for `strategy = "warm"`
      8 | leave_after_seconds = 1
    repoint.toml:9: `cluster.target_group.listener`: it is for `strategy = "weighted"`
      9 | listener = "a"
    repoint.toml:10: `cluster.target_group.member`: it is for `strategy = "weighted"`
      10 | member = "b"
    "#);
}

#[tokio::test]
async fn memory_is_kept_in_one_place() {
    let both = |lines: &str| format!("[state]\n{lines}\n{CLUSTER}");
    let ran = Repoint::new(both("file = \"state.json\"\ndynamodb_table = \"repoint\""))
        .without("REPOINT_STATE_FILE")
        .run(&["run"])
        .await;
    insta::assert_snapshot!(ran.to_string(), @r#"
    exit 2
    --- stdout
    --- stderr
    error: repoint.toml:2: `state.file`: memory is kept in one place: give `file` or `dynamodb_table`, not both
      2 | file = "state.json"
    "#);
    // The environment overrules the file, here as elsewhere.
    let table = Repoint::new(both("dynamodb_table = \"repoint\"")).run(&["check", "--format", "json"]).await;
    assert_eq!(table.json()["state"]["file"], "state.json", "{table}");
    let file = Repoint::new(both("file = \"state.json\""))
        .without("REPOINT_STATE_FILE")
        .with("REPOINT_STATE_DYNAMODB_TABLE", "repoint")
        .run(&["check", "--format", "json"])
        .await;
    assert_eq!(file.json()["state"]["dynamodb_table"], "repoint", "{file}");
    let both_variables =
        Repoint::new(CLUSTER).with("REPOINT_STATE_DYNAMODB_TABLE", "repoint").run(&["check"]).await;
    insta::assert_snapshot!(both_variables.stderr, @"error: environment variable REPOINT_STATE_FILE: memory is kept in one place: give `file` or `dynamodb_table`, not both");
    let ran = Repoint::new(both("file = \"\"")).without("REPOINT_STATE_FILE").run(&["run"]).await;
    insta::assert_snapshot!(ran.stderr, @r#"
    error: repoint.toml:2: `state.file`: it is empty
      2 | file = ""
    "#);
    let ran = Repoint::new(both("dynamodb_table = \" \"")).without("REPOINT_STATE_FILE").run(&["run"]).await;
    insta::assert_snapshot!(ran.stderr, @r#"
    error: repoint.toml:2: `state.dynamodb_table`: it is empty
      2 | dynamodb_table = " "
    "#);
    insta::assert_snapshot!(refused(both("required = \"no\"\ntable = \"repoint\"")).await, @r#"
    error: repoint.toml:2: `required`: invalid type: string "no", expected a boolean
      2 | required = "no"
    "#);
}

#[tokio::test]
async fn whether_memory_is_required_is_true_or_false() {
    let ran = Repoint::new(CLUSTER).with("REPOINT_STATE_REQUIRED", "no").run(&["run"]).await;
    insta::assert_snapshot!(ran.to_string(), @"
    exit 2
    --- stdout
    --- stderr
    error: environment variable REPOINT_STATE_REQUIRED: `no` is neither true nor false
    ");
    for (word, expected) in [("true", true), ("false", false)] {
        let ran = Repoint::new(format!("[state]\nrequired = {}\n{CLUSTER}", !expected))
            .with("REPOINT_STATE_REQUIRED", word)
            .run(&["check", "--format", "json"])
            .await;
        assert_eq!(ran.json()["state"]["required"], expected, "{ran}");
    }
}

#[tokio::test]
async fn memory_has_its_place_without_being_asked() {
    let state = |configuration: String| async move {
        let repoint = Repoint::new(configuration).without("REPOINT_STATE_FILE");
        repoint.run(&["check", "--format", "json"]).await.json()["state"].to_string()
    };
    insta::assert_snapshot!(state(CLUSTER.to_owned()).await, @r#"{"file":"/var/lib/repoint/state.json","required":true}"#);
    insta::assert_snapshot!(state(format!("[state]\nfile = \"var/state.json\"\n{CLUSTER}")).await, @r#"{"file":"var/state.json","required":true}"#);
    insta::assert_snapshot!(state(format!("[state]\ndynamodb_table = \"repoint\"\n{CLUSTER}")).await, @r#"{"dynamodb_table":"repoint","required":true}"#);
}

#[tokio::test]
async fn when_people_are_told_is_a_sensible_time() {
    let configuration = format!(
        "[alerts]\ngrace_seconds = -1\ncontested_grace_seconds = 604801\nreminder_seconds = 0\n{CLUSTER}"
    );
    insta::assert_snapshot!(refused(configuration).await, @"
    error: repoint.toml:2: `alerts.grace_seconds`: it must be a number of seconds not below 0, and at most 604800
      2 | grace_seconds = -1
    repoint.toml:3: `alerts.contested_grace_seconds`: it must be a number of seconds not below 0, and at most 604800
      3 | contested_grace_seconds = 604801
    repoint.toml:4: `alerts.reminder_seconds`: it must be a number of seconds above 0, and at most 604800
      4 | reminder_seconds = 0
    ");
    insta::assert_snapshot!(refused(format!("[alerts]\ngrace_seconds = nan\n{CLUSTER}")).await, @"
    error: repoint.toml:2: `alerts.grace_seconds`: it must be a number of seconds not below 0, and at most 604800
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
    error: environment variable REPOINT_ALERTS_GRACE_SECONDS: it must be a number of seconds not below 0, and at most 604800
    environment variable REPOINT_ALERTS_REMINDER_SECONDS: it must be a number of seconds above 0, and at most 604800
    ");
    let ran = Repoint::new(format!("[alerts]\nreminder_seconds = 3600\n{CLUSTER}"))
        .with("REPOINT_ALERTS_GRACE_SECONDS", "0")
        .run(&["check", "--format", "json"])
        .await;
    insta::assert_snapshot!(ran.json()["alerts"].to_string(), @r#"{"grace_seconds":0.0,"contested_grace_seconds":0.0,"reminder_seconds":3600.0}"#);
}

#[tokio::test]
async fn no_cluster_is_refused() {
    insta::assert_snapshot!(refused("").await, @"
    error: repoint.toml: it names no cluster
      hint: add a [[cluster]] with its `scope` and `members`
    ");
}

#[tokio::test]
async fn a_missing_file_is_refused() {
    let ran = Repoint::new(GOOD).run(&["run", "--config", "nowhere.toml"]).await;
    insta::assert_snapshot!(ran.to_string(), @"
    exit 2
    --- stdout
    --- stderr
    error: nowhere.toml: the configuration cannot be read: No such file or directory (os error 2)
      hint: name another one with --config FILE or REPOINT_CONFIG
    ");
}

#[tokio::test]
async fn a_file_that_is_not_utf_8_is_refused() {
    insta::assert_snapshot!(refused(b"# repoint\nscope = \"\xff\"\n").await, @"error: repoint.toml:2: the configuration is not UTF-8: a byte in this line is no text");
}

#[tokio::test]
async fn a_certificate_that_is_none_is_refused() {
    insta::assert_snapshot!(refused(format!("[patroni]\nca_file = \"repoint.toml\"\n{CLUSTER}")).await, @"error: `patroni.ca_file` holds no PEM certificate that can be read");
}

#[tokio::test]
async fn an_unknown_cluster_on_the_command_line_is_refused() {
    let ran = Repoint::new(GOOD).run(&["run", "--cluster", "joker"]).await;
    insta::assert_snapshot!(ran.to_string(), @"
    exit 2
    --- stdout
    --- stderr
    error: --cluster joker: repoint.toml has no such cluster; it has batman
    ");
}

fn readers(lines: &str) -> String {
    record(lines).replace("\"primary\"", "\"readers\"")
}

#[tokio::test]
async fn a_record_of_readers_has_its_limit_and_its_fallback_filled_in() {
    let shown = check(readers("")).await;
    let record = shown.split("[[cluster.record]]").nth(1).unwrap_or_default();
    for line in ["points_to = \"readers\"", "max_lag_bytes = 16777216", "primary_fallback = true"] {
        assert!(record.contains(line), "no `{line}` in {shown}");
    }
    let shown = check(readers("max_lag_bytes = 5\nprimary_fallback = false")).await;
    assert!(shown.contains("max_lag_bytes = 5") && shown.contains("primary_fallback = false"), "{shown}");
}

#[tokio::test]
async fn what_belongs_to_another_kind_of_record_is_named() {
    insta::assert_snapshot!(refused(record("max_lag_bytes = 1\nprimary_fallback = true")).await, @r#"
    error: repoint.toml:9: `cluster.record.max_lag_bytes`: it is for readers: put `points_to = "readers"` beside it
      9 | max_lag_bytes = 1
    repoint.toml:10: `cluster.record.primary_fallback`: it is for readers: put `points_to = "readers"` beside it
      10 | primary_fallback = true
    "#);
    insta::assert_snapshot!(refused(readers("").replace("\"A\"", "\"CNAME\"")).await, @r#"
    error: repoint.toml:8: `cluster.record.points_to`: a CNAME has one value, and there may be several readers: use `A` or `AAAA`
      8 | points_to = "readers"
    "#);
}
