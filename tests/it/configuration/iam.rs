//! The policy for a configuration: on what it names, and on nothing else.

use serde_json::Value;

use super::{CLUSTER, GOOD};
use crate::support::command::Repoint;

async fn policy(configuration: &str, arguments: &[&str]) -> Value {
    let repoint = Repoint::new(configuration).without("REPOINT_STATE_FILE");
    let ran = repoint.run(&[&["iam"], arguments].concat()).await;
    assert_eq!(ran.code, 0, "{ran}");
    ran.json()
}

/// The actions by statement.
fn statements(policy: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let statement = |statement: &Value| {
        (text(&statement["Sid"]), statement["Action"].as_array().unwrap().iter().map(text).collect())
    };
    policy["Statement"].as_array().unwrap().iter().map(statement).collect()
}

#[tokio::test]
async fn it_is_for_the_groups_and_record_sets_that_are_configured() {
    let ran = Repoint::new(GOOD).run(&["iam"]).await;
    insta::assert_snapshot!(ran, @r#"
    exit 0
    --- stdout
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "ReadTargetGroups",
          "Effect": "Allow",
          "Action": [
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth"
          ],
          "Resource": [
            "*"
          ]
        },
        {
          "Sid": "ReadInstances",
          "Effect": "Allow",
          "Action": [
            "ec2:DescribeInstances"
          ],
          "Resource": [
            "*"
          ],
          "Condition": {
            "StringEquals": {
              "ec2:Region": [
                "us-east-1"
              ]
            }
          }
        },
        {
          "Sid": "MoveTargets",
          "Effect": "Allow",
          "Action": [
            "elasticloadbalancing:DeregisterTargets",
            "elasticloadbalancing:RegisterTargets"
          ],
          "Resource": [
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
          ]
        },
        {
          "Sid": "ReadRecords",
          "Effect": "Allow",
          "Action": [
            "route53:ListResourceRecordSets"
          ],
          "Resource": [
            "arn:aws:route53:::hostedzone/Z0123456789"
          ]
        },
        {
          "Sid": "MoveRecordsZ0123456789",
          "Effect": "Allow",
          "Action": [
            "route53:ChangeResourceRecordSets"
          ],
          "Resource": [
            "arn:aws:route53:::hostedzone/Z0123456789"
          ],
          "Condition": {
            "ForAllValues:StringEquals": {
              "route53:ChangeResourceRecordSetsNormalizedRecordNames": [
                "writer.db.example.com"
              ],
              "route53:ChangeResourceRecordSetsRecordTypes": [
                "A"
              ],
              "route53:ChangeResourceRecordSetsActions": [
                "CREATE",
                "DELETE"
              ]
            }
          }
        },
        {
          "Sid": "PublishAlerts",
          "Effect": "Allow",
          "Action": [
            "sns:Publish"
          ],
          "Resource": [
            "arn:aws:sns:us-east-1:123456789012:db-alerts"
          ]
        }
      ]
    }
    --- stderr
    "#);
}

#[tokio::test]
async fn what_is_not_configured_is_not_in_it() {
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/pg/057ddce98af07a33";
    let one_group = format!("{CLUSTER}[[cluster.target_group]]\narn = \"{arn}\"\n");
    let sids =
        |policy: &Value| -> Vec<String> { statements(policy).into_iter().map(|(sid, _)| sid).collect() };
    assert_eq!(sids(&policy(&one_group, &["--no-instances"]).await), ["ReadTargetGroups", "MoveTargets"]);
    assert_eq!(sids(&policy(&one_group, &["--no-instances", "--for", "plan"]).await), ["ReadTargetGroups"]);
    let table = format!("[state]\ndynamodb_table = \"repoint\"\n{one_group}");
    let with_table = policy(&table, &["--no-instances"]).await;
    assert_eq!(sids(&with_table), ["ReadTargetGroups", "MoveTargets", "ReadWriteState"]);
    let remember = &with_table["Statement"][2];
    assert_eq!(remember["Resource"][0], "arn:aws:dynamodb:*:123456789012:table/repoint");
    assert_eq!(remember["Action"], serde_json::json!(["dynamodb:GetItem", "dynamodb:PutItem"]));
    let read_only = policy(&table, &["--no-instances", "--for", "plan"]).await;
    assert_eq!(read_only["Statement"][1]["Action"], serde_json::json!(["dynamodb:GetItem"]));
    let elsewhere = "arn:aws:dynamodb:us-east-2:210987654321:table/repoint";
    let with_arn =
        policy(&table.replace("\"repoint\"", &format!("{elsewhere:?}")), &["--no-instances"]).await;
    assert_eq!(with_arn["Statement"][2]["Resource"][0], elsewhere);
}

/// A node that was broken into writes no other cluster's state.
#[tokio::test]
async fn state_is_limited_to_the_entries_of_the_configuration() {
    let named = |name: &str| CLUSTER.replace("scope =", &format!("name = \"{name}\"\nscope ="));
    let configuration =
        ["[state]\ndynamodb_table = \"repoint\"\n", &named("one"), &named("${aws:username}*?")].concat();
    let keys = |policy: &Value| {
        let remember =
            policy["Statement"].as_array().unwrap().iter().find(|it| it["Sid"] == "ReadWriteState").unwrap();
        remember["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"].clone()
    };
    let all = policy(&configuration, &[]).await;
    assert_eq!(
        keys(&all),
        serde_json::json!([
            "${$}{aws:username}${*}${?}",
            "${$}{aws:username}${*}${?}/history/*",
            "one",
            "one/history/*"
        ])
    );
    let own = policy(&configuration, &["--cluster", "one"]).await;
    assert_eq!(keys(&own), serde_json::json!(["one", "one/history/*"]));
}

#[tokio::test]
async fn each_role_has_a_policy_of_its_own() {
    let dns = "arn:aws:iam::210987654321:role/repoint-dns";
    let configuration =
        GOOD.replace("  type = \"A\"\n", &format!("  type = \"A\"\n  role_arn = \"{dns}\"\n"));
    let all = policy(&configuration, &[]).await;
    let policies = all["policies"].as_array().unwrap();
    let sids = |policy: &Value| statements(policy).into_iter().map(|(sid, _)| sid).collect::<Vec<_>>();
    assert_eq!(
        (policies.len(), &policies[0]["role_arn"], &policies[1]["role_arn"]),
        (2, &Value::Null, &dns.into())
    );
    let own = &policies[0]["policy"];
    assert_eq!(
        sids(own),
        ["ReadTargetGroups", "ReadInstances", "MoveTargets", "AssumeRoles", "PublishAlerts"]
    );
    assert_eq!(own["Statement"][3]["Resource"], serde_json::json!([dns]));
    assert_eq!(own["Statement"][3]["Action"], serde_json::json!(["sts:AssumeRole"]));
    assert_eq!(sids(&policies[1]["policy"]), ["ReadRecords", "MoveRecordsZ0123456789"]);
    assert_eq!(policy(&configuration, &["--role", "self"]).await, *own);
    assert_eq!(policy(&configuration, &["--role", dns]).await, policies[1]["policy"]);
    let ran = Repoint::new(&configuration).run(&["iam", "--role", "arn:aws:iam::1:role/x"]).await;
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.stderr.contains(&format!("its roles are self, {dns}")), "{ran}");
}

/// In China, for example, ARNs begin otherwise.
#[tokio::test]
async fn it_is_of_the_partition_of_what_is_configured() {
    let arn =
        "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:targetgroup/pg/057ddce98af07a33";
    let record = "[[cluster.record]]\nzone_id = \"Z1\"\nname = \"a.example.com\"\ntype = \"A\"\npoints_to = \"primary\"\n";
    let configuration = format!(
        "[pass]\nwait_insync_seconds = 5\n[state]\ndynamodb_table = \"repoint\"\n\
         {CLUSTER}[[cluster.target_group]]\narn = \"{arn}\"\n{record}"
    );
    let policy = policy(&configuration, &[]).await.to_string();
    assert!(!policy.contains("arn:aws:"), "{policy}");
    for start in ["hostedzone/Z1", "change/*"] {
        assert!(policy.contains(&format!("arn:aws-us-gov:route53:::{start}")), "{policy}");
    }
}

#[tokio::test]
async fn the_policy_of_a_plan_is_a_part_of_that_of_a_run() {
    let all: Vec<String> =
        statements(&policy(GOOD, &[]).await).into_iter().flat_map(|(_, actions)| actions).collect();
    for (sid, actions) in statements(&policy(GOOD, &["--for", "plan"]).await) {
        for action in actions {
            let (_, name) = action.split_once(':').unwrap();
            assert!(
                ["Describe", "List", "Get"].iter().any(|reads| name.starts_with(reads)),
                "{sid}: {action}"
            );
            assert!(all.contains(&action), "{sid}: {action}");
        }
    }
}

/// What each section of the configuration adds to what doctor may read, and that it may change nothing.
#[tokio::test]
async fn doctor_may_read_what_is_around_what_is_configured() {
    let sids = |policy: &Value| statements(policy).into_iter().map(|(sid, _)| sid).collect::<Vec<_>>();
    let resource = |policy: &Value, sid: &str| {
        let statements = policy["Statement"].as_array().unwrap();
        statements.iter().find(|it| it["Sid"] == sid).unwrap()["Resource"].to_string()
    };
    let doctor = ["--for", "doctor"];
    assert_eq!(sids(&policy(CLUSTER, &doctor).await), Vec::<String>::new());
    let some = policy(GOOD, &doctor).await;
    assert_eq!(
        sids(&some),
        [
            "ReadTargetGroups",
            "ReadInstances",
            "ReadLoadBalancers",
            "ReadNetwork",
            "ReadRecords",
            "ReadZones",
            "ReadHealthChecks",
            "ReadTopics"
        ]
    );
    assert_eq!(resource(&some, "ReadTopics"), r#"["arn:aws:sns:us-east-1:123456789012:db-alerts"]"#);

    let callback =
        "[callback]\nmode = \"sns\"\nsns_topic_arn = \"arn:aws:sns:eu-west-1:123456789012:db-callbacks\"\n";
    let called = policy(&[callback, CLUSTER].concat(), &doctor).await;
    assert_eq!(sids(&called), ["ReadTopics", "ReadSubscriptions", "ReadFunction", "ReadNetwork"]);
    assert_eq!(resource(&called, "ReadFunction"), r#"["arn:aws:lambda:eu-west-1:123456789012:function:*"]"#);

    let lambda = "[lambda]\nfunction = \"repoint:live\"\nschedule_group = \"every-minute\"\n";
    let table = "[state]\ndynamodb_table = \"repoint\"\n";
    let all = policy(&[table, callback, lambda, GOOD].concat(), &doctor).await;
    let of_function = "arn:aws:lambda:eu-west-1:123456789012:function:repoint";
    assert_eq!(resource(&all, "ReadFunction"), format!(r#"["{of_function}","{of_function}:*"]"#));
    let schedules = r#"["arn:aws:scheduler:eu-west-1:123456789012:schedule/every-minute/*"]"#;
    assert_eq!(resource(&all, "ReadSchedules"), schedules);
    assert_eq!(resource(&all, "ReadTable"), r#"["arn:aws:dynamodb:eu-west-1:123456789012:table/repoint"]"#);
    for (sid, actions) in statements(&all) {
        for action in actions {
            let (_, name) = action.split_once(':').unwrap();
            assert!(["Describe", "List", "Get"].iter().any(|verb| name.starts_with(verb)), "{sid}: {action}");
        }
    }
}

/// Under a role doctor reads that role's endpoints, and nothing of the process's own.
#[tokio::test]
async fn doctor_reads_each_account_under_its_role() {
    let dns = "arn:aws:iam::210987654321:role/repoint-dns";
    let configuration =
        GOOD.replace("  type = \"A\"\n", &format!("  type = \"A\"\n  role_arn = \"{dns}\"\n"));
    let sids = |policy: &Value| statements(policy).into_iter().map(|(sid, _)| sid).collect::<Vec<_>>();
    let its = policy(&configuration, &["--for", "doctor", "--role", dns]).await;
    assert_eq!(sids(&its), ["ReadRecords", "ReadZones", "ReadHealthChecks"]);
    let own = policy(&configuration, &["--for", "doctor", "--role", "self"]).await;
    assert_eq!(
        sids(&own),
        [
            "ReadTargetGroups",
            "ReadInstances",
            "ReadLoadBalancers",
            "ReadNetwork",
            "AssumeRoles",
            "ReadTopics"
        ]
    );
}

/// A zone's statement names all of its record sets, of whichever cluster, and those of no other zone.
#[tokio::test]
async fn each_zone_has_a_statement_of_its_own() {
    let record = |zone: &str, name: &str, record_type: &str| {
        format!(
            "[[cluster.record]]\nzone_id = \"{zone}\"\nname = \"{name}\"\ntype = \"{record_type}\"\npoints_to = \"primary\"\n"
        )
    };
    let other = CLUSTER.replace("batman", "robin").replace("10.0.1.11", "10.0.2.11");
    let configuration = [
        CLUSTER,
        &record("Z1", "*.Example.com", "A"),
        &record("Z2", "db.example.org", "AAAA"),
        &other,
        &record("Z1", "robin.example.com.", "A"),
    ];
    let policy = policy(&configuration.concat(), &[]).await;
    let conditions = |sid: &str| {
        let statements = policy["Statement"].as_array().unwrap();
        let statement = statements.iter().find(|statement| statement["Sid"] == sid).unwrap();
        let of = &statement["Condition"]["ForAllValues:StringEquals"];
        let key = |name: &str| of[format!("route53:ChangeResourceRecordSets{name}")].to_string();
        (statement["Resource"].to_string(), key("NormalizedRecordNames"), key("RecordTypes"))
    };
    let texts = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        conditions("MoveRecordsZ1"),
        texts(
            r#"["arn:aws:route53:::hostedzone/Z1"]"#,
            r#"["\\052.example.com","robin.example.com"]"#,
            r#"["A"]"#
        )
    );
    assert_eq!(
        conditions("MoveRecordsZ2"),
        texts(r#"["arn:aws:route53:::hostedzone/Z2"]"#, r#"["db.example.org"]"#, r#"["AAAA"]"#)
    );
}

#[tokio::test]
async fn a_policy_that_is_too_long_for_iam_is_reported() {
    let cluster = |number: usize| {
        format!(
            "[[cluster]]\nscope = \"c{number}\"\nmembers = [\"http://10.1.{number}.11:8008\"]\n[[cluster.target_group]]\n\
             arn = \"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/pg{number}/057ddce98af07a33\"\n"
        )
    };
    let many: String = (0..100).map(cluster).collect();
    let ran = Repoint::new(&many).run(&["iam"]).await;
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("a managed policy may have 6144"), "{}", ran.stderr);
    let part = Repoint::new(&many).run(&["iam", "--cluster", "c7"]).await;
    assert_eq!(part.stderr, "");
    assert!(part.stdout.contains("targetgroup/pg7/") && !part.stdout.contains("targetgroup/pg8/"), "{part}");
}
