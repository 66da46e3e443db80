//! Paths: what a shell would expand is refused, since it would make a folder of that name.

use super::{CLUSTER, check};
use crate::support::command::Repoint;

#[tokio::test]
async fn what_a_shell_would_expand_is_refused_in_every_path() {
    for (section, key) in [
        ("state", "file"),
        ("watch", "socket"),
        ("patroni", "ca_file"),
        ("patroni", "certificate_file"),
        ("patroni", "key_file"),
    ] {
        for path in ["~/x", "~postgres/x", "$HOME/x", "/srv/${USER}/x", "%h/x", "/run/%t/x"] {
            let ran = Repoint::new(format!("[{section}]\n{key} = \"{path}\"\n{CLUSTER}"))
                .without("REPOINT_STATE_FILE")
                .run(&["run"])
                .await;
            let said = format!("error: repoint.toml:2: `{section}.{key}`: `{path}`: ");
            assert!(ran.code == 2 && ran.stderr.starts_with(&said), "{ran}");
            assert!(ran.stderr.contains("write the full path"), "{ran}");
            assert!(!ran.stderr.contains("cannot be read"), "said once: {ran}");
        }
    }
    let ran = Repoint::new(CLUSTER).with("REPOINT_STATE_FILE", "~/state.json").run(&["run"]).await;
    insta::assert_snapshot!(ran.stderr, @"error: environment variable REPOINT_STATE_FILE: `~/state.json`: `~` is not expanded here: write the full path");
    let ran = Repoint::new(CLUSTER).run(&["check", "--config", "~/repoint.toml"]).await;
    assert!(ran.code == 2 && ran.stderr.contains("`~` is not expanded here: write the full path"), "{ran}");
}

#[tokio::test]
async fn signs_that_nothing_expands_are_part_of_a_name() {
    for path in ["/var/lib/a~b", "/var/lib/100%", "/var/lib/%20x", "/var/lib/a$", "cost$1/x"] {
        let shown = check(format!("[watch]\nsocket = \"{path}\"\n{CLUSTER}")).await;
        assert!(shown.starts_with("exit 0"), "{shown}");
    }
}
