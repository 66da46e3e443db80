//! The command line, before anything is asked.

use crate::support::command::Repoint;

const CLUSTER: &str = "[[cluster]]\nscope = \"batman\"\nmembers = [\"http://127.0.0.1:1\"]\n";

async fn usage(configuration: &str, arguments: &[&str]) -> String {
    let ran = Repoint::new(configuration).run(&[&["drill"], arguments].concat()).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
    ran.stderr
}

#[tokio::test]
async fn what_is_missing_is_a_usage_error() {
    insta::assert_snapshot!(usage(CLUSTER, &["robin"]).await, @"error: the configuration has no cluster `robin`");
    insta::assert_snapshot!(usage(CLUSTER, &["batman"]).await, @"error: --dsn: `host`: it is missing: give the endpoint's host name in --dsn, or in PGHOST");
    let dsn = "host=127.0.0.1 user=app";
    insta::assert_snapshot!(usage(CLUSTER, &["batman", "--dsn", dsn, "--read-dsn", "port=1"]).await, @"error: --read-dsn: `host`: it is missing: give the endpoint's host name in --dsn, or in PGHOST");
    insta::assert_snapshot!(usage(CLUSTER, &["batman", "--dsn", dsn, "--svg", "nowhere/drill.svg"]).await, @"error: --svg: the folder nowhere does not exist");
    let table = usage(CLUSTER, &["batman", "--dsn", dsn, "--table", "a; DROP"]).await;
    assert!(table.contains("use NAME or SCHEMA.NAME"), "{table}");
}

#[tokio::test]
async fn patronis_password_is_read_when_it_is_needed_and_never_shown() {
    let login = "[patroni]\nusername = \"admin\"\npassword_file = \"password\"\n";
    let repoint = Repoint::new(format!("{login}{CLUSTER}"));
    let checked = repoint.run(&["check"]).await;
    assert_eq!(checked.code, 0, "{checked}");
    assert!(checked.stdout.contains("username = \"admin\""), "{checked}");
    let drill = ["drill", "batman", "--dsn", "host=127.0.0.1 user=app"];
    let missing = repoint.run(&drill).await;
    assert_eq!(missing.code, 2, "{missing}");
    assert!(missing.stderr.contains("`patroni.password_file` cannot be read"), "{missing}");
    let alone = usage(&format!("[patroni]\nusername = \"admin\"\n{CLUSTER}"), &["batman"]).await;
    assert!(alone.contains("`patroni.username`: it requires `patroni.password_file`"), "{alone}");
}
