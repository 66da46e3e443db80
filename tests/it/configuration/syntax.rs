//! What is not even a configuration: the line is named, and what would do.

use super::{ARN, CLUSTER, GOOD, record, refused};
use crate::support::command::Repoint;

#[tokio::test]
async fn an_unknown_key_is_named_with_its_line() {
    insta::assert_snapshot!(refused(format!("{CLUSTER}[[cluster.target_group]]\narn = \"{ARN}\"\nstrateggy = \"warm\"\n")).await, @r#"
    error: repoint.toml:6: `strateggy`: unknown field `strateggy`, expected one of `arn`, `role`, `strategy`, `port`, `availability_zone`, `max_lag_bytes`, `primary_fallback`, `deregister_after_seconds`, `listener`, `member`, `role_arn`, `external_id`
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
async fn no_cluster_is_refused() {
    insta::assert_snapshot!(refused("").await, @"
    error: repoint.toml: no cluster is configured
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
      hint: set another path with --config FILE or REPOINT_CONFIG
    ");
}

#[tokio::test]
async fn a_file_that_is_not_utf_8_is_refused() {
    insta::assert_snapshot!(refused(b"# repoint\nscope = \"\xff\"\n").await, @"error: repoint.toml:2: the configuration is not UTF-8: this line has an invalid byte");
}
