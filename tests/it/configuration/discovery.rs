//! `discover`, as it is configured, and what follows from it.

use serde_json::json;

use super::{ARN, check, refused};
use crate::support::command::Repoint;

/// A cluster with this discovery and a target group.
fn discovered(discover: &str) -> String {
    format!("[[cluster]]\nscope = \"batman\"\n{discover}\n[[cluster.target_group]]\narn = \"{ARN}\"\n")
}

async fn shown(configuration: &str) -> String {
    let ran = check(configuration).await;
    ran.split_once("[cluster.discover]\n")
        .unwrap_or_else(|| panic!("{ran}"))
        .1
        .lines()
        .take(4)
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn it_takes_the_place_of_members() {
    let tag = discovered("discover = { ec2_tag = \"patroni-scope\" }");
    insta::assert_snapshot!(shown(&tag).await, @r#"
    ec2_tag = "patroni-scope"
    region = "us-east-1"
    port = 8008
    scheme = "http"
    "#);
    let group = discovered(
        "discover = { autoscaling_group = \"pg\", region = \"eu-west-1\", port = 8009, scheme = \"https\" }",
    );
    insta::assert_snapshot!(shown(&group).await, @r#"
    autoscaling_group = "pg"
    region = "eu-west-1"
    port = 8009
    scheme = "https"
    "#);
    let name = discovered("members = [\"http://10.0.1.11:8008\"]\ndiscover = { dns = \"pg.example.com\" }");
    insta::assert_snapshot!(shown(&name).await, @r#"
    dns = "pg.example.com"
    port = 8008
    scheme = "http"
    "#);
}

#[tokio::test]
async fn srv_records_are_for_a_build_that_has_them() {
    let name = discovered("discover = { dns = \"_patroni._tcp.example.com\" }");
    if cfg!(feature = "srv") {
        assert!(shown(&name).await.starts_with("dns = \"_patroni._tcp.example.com\"\nscheme = \"http\""));
    } else {
        let message = refused(name).await;
        assert!(message.contains("this build of repoint does without SRV records"), "{message}");
    }
}

#[tokio::test]
async fn each_site_has_its_own() {
    let sites = "[[cluster]]\nscope = \"batman\"\n[[cluster.site]]\nregion = \"us-east-1\"\nscope = \"east\"\n\
                 discover = { ec2_tag = \"patroni-scope\" }\n[[cluster.site]]\nregion = \"us-west-2\"\n\
                 members = [\"http://10.0.2.11:8008\"]\n";
    let ran = check(sites).await;
    assert!(
        ran.contains("[cluster.site.discover]\nec2_tag = \"patroni-scope\"\nregion = \"us-east-1\""),
        "{ran}"
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    for (discover, problem) in [
        ("discover = {}", "`cluster.discover`: it needs one of `ec2_tag`, `autoscaling_group` and `dns`"),
        ("discover = { ec2_tag = \"a\", dns = \"b\" }", "`cluster.discover`: it needs one of"),
        ("discover = { ec2_tag = \" \" }", "`cluster.discover.ec2_tag`: ` `: it must be the key of a tag"),
        ("discover = { autoscaling_group = \"arn:aws:x\" }", "it must be the name of an Auto Scaling group"),
        ("discover = { dns = \"a b.example.com\" }", "it must be a DNS name"),
        (
            "discover = { dns = \"_patroni._tcp.example.com\", port = 8008 }",
            "SRV records have their own ports",
        ),
        ("discover = { dns = \"pg.example.com\", region = \"us-east-1\" }", "DNS has no Regions"),
        ("discover = { ec2_tag = \"a\", port = 0 }", "a port must not be 0"),
        ("discover = { ec2_tags = \"a\" }", "unknown field `ec2_tags`"),
        ("members = []\ndiscover = { ec2_tag = \"a\" }", "`cluster.members`: it is empty"),
    ] {
        let message = refused(discovered(discover)).await;
        assert!(message.contains(problem), "{discover}: {message}");
    }
    let in_cluster = "[[cluster]]\nscope = \"batman\"\ndiscover = { ec2_tag = \"a\" }\n[[cluster.site]]\nregion = \"us-east-1\"\n\
                      members = [\"http://10.0.2.11:8008\"]\n";
    assert!(refused(in_cluster).await.contains("`cluster.discover`: in a cluster with sites"));
}

#[tokio::test]
async fn its_right_is_in_the_policy_whatever_the_groups_hold() {
    let right = |policy: &serde_json::Value| {
        let statements = policy["Statement"].as_array().unwrap().clone();
        statements.into_iter().find(|statement| statement["Sid"] == "ReadInstances").unwrap_or_default()
    };
    let tag = discovered("discover = { ec2_tag = \"patroni-scope\", region = \"eu-west-1\" }");
    for arguments in [&["iam", "--no-instances"][..], &["iam", "--no-instances", "--for", "plan"]] {
        let statement = right(&Repoint::new(&tag).run(arguments).await.json());
        assert_eq!(statement["Action"], json!(["ec2:DescribeInstances"]));
        assert_eq!(statement["Condition"], json!({ "StringEquals": { "ec2:Region": ["eu-west-1"] } }));
    }
    let statement = right(&Repoint::new(&tag).run(&["iam"]).await.json());
    assert_eq!(statement["Condition"]["StringEquals"]["ec2:Region"], json!(["eu-west-1", "us-east-1"]));
    let name = discovered("discover = { dns = \"pg.example.com\" }");
    assert!(right(&Repoint::new(&name).run(&["iam", "--no-instances"]).await.json()).is_null());
    // Only the SDK knows the Region of the process.
    let own = "[[cluster]]\nscope = \"batman\"\ndiscover = { ec2_tag = \"patroni-scope\" }\n";
    assert!(right(&Repoint::new(own).run(&["iam"]).await.json())["Condition"].is_null());
    let bundle =
        Repoint::new(&tag).without("REPOINT_STATE_FILE").run(&["bundle", "--no-instances"]).await.json();
    assert_eq!(bundle["services"], json!(["ec2", "elasticloadbalancing"]));
}

#[tokio::test]
async fn it_is_made_under_the_role_of_the_cluster() {
    let role = "arn:aws:iam::210987654321:role/repoint";
    let with_role =
        discovered(&format!("role_arn = \"{role}\"\ndiscover = {{ ec2_tag = \"patroni-scope\" }}"));
    let of_role = Repoint::new(&with_role).run(&["iam", "--no-instances", "--role", role]).await.json();
    assert!(of_role.to_string().contains("ec2:DescribeInstances"), "{of_role}");
    let own = Repoint::new(&with_role).run(&["iam", "--no-instances"]).await.json();
    let own = own["policies"][0].to_string();
    assert!(!own.contains("ec2:DescribeInstances"), "{own}");
}
