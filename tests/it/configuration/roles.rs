//! Roles and partitions: which endpoint is reached under which role, and what cannot be.

use super::{ARN, CLUSTER, check, refused};

const ROLE: &str = "arn:aws:iam::210987654321:role/repoint";
const DNS: &str = "arn:aws:iam::345678901234:role/dns/repoint";

fn group(lines: &str) -> String {
    format!("  [[cluster.target_group]]\n  arn = \"{ARN}\"\n{lines}\n")
}

fn record(name: &str, lines: &str) -> String {
    format!(
        "  [[cluster.record]]\n  zone_id = \"Z1\"\n  name = \"{name}\"\n  type = \"A\"\n  points_to = \"primary\"\n{lines}\n"
    )
}

#[tokio::test]
async fn an_endpoint_s_own_role_beats_the_cluster_s() {
    let own = format!("  role_arn = \"{DNS}\"\n");
    let cluster = format!("{CLUSTER}role_arn = \"{ROLE}\"\nexternal_id = \"secret/1\"\n");
    let shown =
        check([cluster, group(""), record("a.example.com", &own), record("b.example.com", "")].concat())
            .await;
    let sections: Vec<&str> = shown.split("[[").collect();
    let section = |name: &str| *sections.iter().find(|section| section.contains(name)).unwrap();
    let both = format!("role_arn = \"{ROLE}\"\nexternal_id = \"secret/1\"");
    assert!(section("pg-writer").contains(&both), "{shown}");
    assert!(section("b.example.com").contains(&both), "{shown}");
    let dns = section("a.example.com");
    // The external id is the other role's.
    assert!(dns.contains(DNS) && !dns.contains("external_id"), "{shown}");
}

#[tokio::test]
async fn a_malformed_role_is_named_with_its_line() {
    for (role, words) in [
        ("repoint", "it is not an ARN, for example arn:aws:iam::123456789012:role/repoint-dns"),
        ("arn:aws:iam::123456789012:user/x", "it is not the ARN of an IAM role"),
        ("arn:aws:iam::1234:role/x", "it is not the ARN of an IAM role"),
        ("arn:aws:sts::123456789012:assumed-role/x/y", "it is not the ARN of an IAM role"),
        ("arn:aws:iam::123456789012:role/", "it is not the ARN of an IAM role"),
    ] {
        let said = refused([CLUSTER, &group(&format!("  role_arn = \"{role}\""))].concat()).await;
        assert!(said.contains("repoint.toml:6: `cluster.target_group.role_arn`: "), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn an_external_id_needs_its_role_and_the_form_that_sts_takes() {
    let said = refused([CLUSTER, &record("a.example.com", "  external_id = \"x1\"")].concat()).await;
    assert!(said.contains("`cluster.record.external_id`: it requires `role_arn`"), "{said}");
    let lines = format!("  role_arn = \"{ROLE}\"\n  external_id = \"not so\"");
    let said = refused([CLUSTER, &record("a.example.com", &lines)].concat()).await;
    assert!(said.contains("`cluster.record.external_id`: `not so`: it must have 2 to 1,224"), "{said}");
}

/// What is read in one call, or changed in one, is under one role.
#[tokio::test]
async fn what_shares_a_call_has_one_role() {
    let listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/0123456789abcdef/0123456789abcdef";
    let weighted = |id: u32, lines: &str| {
        format!(
            "  [[cluster.target_group]]\n  arn = \"{ARN}{id}\"\n  strategy = \"weighted\"\n  listener = \"{listener}\"\n  \
             member = \"pg{id}\"\n{lines}\n"
        )
    };
    let own = format!("  role_arn = \"{ROLE}\"");
    let said = refused([CLUSTER, &weighted(1, ""), &weighted(2, &own)].concat()).await;
    assert!(said.contains("groups behind one listener must have the same role"), "{said}");

    let end = |end: &str, lines: &str| {
        record("a.example.com", &format!("  set_identifier = \"{end}\"\n  failover = \"{end}\"\n{lines}"))
    };
    let said = refused([CLUSTER, &end("PRIMARY", ""), &end("SECONDARY", &own)].concat()).await;
    assert!(said.contains("the record in line 6 has the same name and another role"), "{said}");
}

/// Neither keys nor roles of one partition are good in another one.
#[tokio::test]
async fn two_partitions_take_two_configurations() {
    let china = "arn:aws-cn:iam::210987654321:role/repoint";
    let said = refused([CLUSTER, &group(&format!("  role_arn = \"{china}\""))].concat()).await;
    assert!(said.contains("belongs to the partition `aws`, and line 6 to `aws-cn`"), "{said}");
    let topic = "[alerts]\nsns_topic_arn = \"arn:aws-us-gov:sns:us-gov-west-1:123456789012:alerts\"\n";
    let said = refused([topic, CLUSTER, &group("")].concat()).await;
    assert!(
        said.contains(
            "`cluster.target_group.arn`: it belongs to the partition `aws`, and line 2 to `aws-us-gov`"
        ),
        "{said}"
    );
    let region = "[aws]\nregion = \"cn-north-1\"\n";
    let said = refused([region, CLUSTER, &group("")].concat()).await;
    assert!(said.contains("and line 2 to `aws-cn`"), "{said}");
}
