//! Where memory is kept.

use super::{CLUSTER, refused};
use crate::support::command::Repoint;

#[tokio::test]
async fn there_is_one_state_store() {
    let both = |lines: &str| format!("[state]\n{lines}\n{CLUSTER}");
    let ran = Repoint::new(both("file = \"state.json\"\ndynamodb_table = \"repoint\""))
        .without("REPOINT_STATE_FILE")
        .run(&["run"])
        .await;
    insta::assert_snapshot!(ran.to_string(), @r#"
    exit 2
    --- stdout
    --- stderr
    error: repoint.toml:2: `state.file`: there is one state store: set `file` or `dynamodb_table`, not both
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
    insta::assert_snapshot!(both_variables.stderr, @"error: environment variable REPOINT_STATE_FILE: there is one state store: set `file` or `dynamodb_table`, not both");
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
    let ran =
        Repoint::new(both("dynamodb_table = \"a/b\"")).without("REPOINT_STATE_FILE").run(&["run"]).await;
    assert!(ran.stderr.contains("`a/b`: it is not a table's name or ARN"), "{ran}");
    insta::assert_snapshot!(refused(both("required = \"no\"\ntable = \"repoint\"")).await, @r#"
    error: repoint.toml:2: `required`: invalid type: string "no", expected a boolean
      2 | required = "no"
    "#);
}

#[tokio::test]
async fn whether_state_is_required_is_true_or_false() {
    let ran = Repoint::new(CLUSTER).with("REPOINT_STATE_REQUIRED", "no").run(&["run"]).await;
    insta::assert_snapshot!(ran.to_string(), @"
    exit 2
    --- stdout
    --- stderr
    error: environment variable REPOINT_STATE_REQUIRED: `no` is not a boolean: use true or false
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
async fn the_state_has_a_default_place() {
    let state = |configuration: String| async move {
        let repoint = Repoint::new(configuration).without("REPOINT_STATE_FILE");
        repoint.run(&["check", "--format", "json"]).await.json()["state"].to_string()
    };
    insta::assert_snapshot!(state(CLUSTER.to_owned()).await, @r#"{"file":"/var/lib/repoint/state.json","required":true}"#);
    insta::assert_snapshot!(state(format!("[state]\nfile = \"var/state.json\"\n{CLUSTER}")).await, @r#"{"file":"var/state.json","required":true}"#);
    insta::assert_snapshot!(state(format!("[state]\ndynamodb_table = \"repoint\"\n{CLUSTER}")).await, @r#"{"dynamodb_table":"repoint","required":true}"#);
}
