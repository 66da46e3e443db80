//! `[http]` and `[metrics]`.

use super::{CLUSTER, refused};
use crate::support::command::Repoint;

#[tokio::test]
async fn an_address_is_an_ip_address_and_a_port() {
    insta::assert_snapshot!(
        refused(format!("[http]\nlisten = \"localhost:9598\"\n[metrics]\ntextfile = \"repoint.txt\"\n{CLUSTER}")).await,
        @r#"
    error: repoint.toml:2: `http.listen`: `localhost:9598`: it must be an IP address and a port, for example 127.0.0.1:9598
      2 | listen = "localhost:9598"
    repoint.toml:4: `metrics.textfile`: `repoint.txt`: its name must end in `.prom`: node_exporter reads no other file
      4 | textfile = "repoint.txt"
    "#
    );
}

/// What is served there is not for every machine.
#[tokio::test]
async fn an_address_that_others_reach_is_a_warning() {
    let check = async |listen: &str| {
        let ran = Repoint::new(format!("[http]\nlisten = \"{listen}\"\n{CLUSTER}")).run(&["check"]).await;
        assert_eq!(ran.code, 0, "{ran}");
        assert!(ran.stdout.contains(&format!("listen = \"{listen}\"")), "{ran}");
        ran.stderr
    };
    for alone in ["127.0.0.1:9598", "[::1]:9598"] {
        assert_eq!(check(alone).await, "");
    }
    for reached in ["0.0.0.0:9598", "[::]:9598", "10.0.1.11:9598"] {
        let said = check(reached).await;
        assert!(said.contains(&format!("WARN `http.listen`: {reached} is not a loopback address")), "{said}");
    }
}
