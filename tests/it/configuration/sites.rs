//! The sites of a cluster, as they are configured.

use super::{CLUSTER, check, refused};

const SITES: &str = r#"[[cluster]]
scope = "batman"

[[cluster.site]]
region = "us-east-1"
members = ["http://10.0.1.11:8008"]
alias = { zone_id = "Z26RNL4JYFTOTI", dns_name = "pg-1a2b.elb.us-east-1.amazonaws.com" }

[[cluster.site.target_group]]
arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"

[[cluster.site]]
name = "dr"
region = "us-west-2"
scope = "batman-dr"
members = ["http://10.1.1.11:8008"]
alias = { zone_id = "Z18D5FSROUN65G", dns_name = "pg-3c4d.elb.us-west-2.amazonaws.com" }

[[cluster.record]]
zone_id = "Z1"
name = "a.example.com"
type = "A"
set_identifier = "secondary"
failover = "SECONDARY"
points_to = "site"
"#;

#[tokio::test]
async fn sites_are_shown_as_they_were_understood() {
    let ran = check(SITES).await;
    insta::assert_snapshot!(ran.split_once("[[cluster]]").unwrap().1, @r#"

    name = "batman"
    scope = "batman"

    [[cluster.site]]
    name = "us-east-1"
    region = "us-east-1"
    scope = "batman"
    members = ["http://10.0.1.11:8008"]

    [cluster.site.alias]
    zone_id = "Z26RNL4JYFTOTI"
    dns_name = "pg-1a2b.elb.us-east-1.amazonaws.com"
    evaluate_target_health = true

    [[cluster.site.target_group]]
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    role = "writer"
    strategy = "exclusive"

    [[cluster.site]]
    name = "dr"
    region = "us-west-2"
    scope = "batman-dr"
    members = ["http://10.1.1.11:8008"]

    [cluster.site.alias]
    zone_id = "Z18D5FSROUN65G"
    dns_name = "pg-3c4d.elb.us-west-2.amazonaws.com"
    evaluate_target_health = true

    [[cluster.record]]
    zone_id = "Z1"
    name = "a.example.com"
    type = "A"
    set_identifier = "secondary"
    failover = "SECONDARY"
    points_to = "site"
    --- stderr
    "#);
}

#[tokio::test]
async fn a_senseless_site_is_refused() {
    let members = "members = [\"http://10.0.1.11:8008\"]\n";
    let both = SITES.replace("scope = \"batman\"\n", &format!("scope = \"batman\"\n{members}"));
    insta::assert_snapshot!(refused(both).await, @r#"
    error: repoint.toml:3: `cluster.members`: in a cluster with sites it belongs in each [[cluster.site]]
      3 | members = ["http://10.0.1.11:8008"]
    "#);
    insta::assert_snapshot!(refused("[[cluster]]\nscope = \"batman\"\n").await, @r#"
    error: repoint.toml:2: `cluster.members`: it is missing: list at least one member, as in ["http://10.0.1.11:8008"], or set `discover`
      2 | scope = "batman"
    "#);
    insta::assert_snapshot!(refused(SITES.replace("name = \"dr\"", "name = \"us-east-1\"")).await, @r#"
    error: repoint.toml:13: `cluster.site.name`: two sites have the name `us-east-1`: give each a unique `name`
      13 | name = "us-east-1"
    "#);
    insta::assert_snapshot!(refused(SITES.replace("name = \"dr\"", "name = \"the/other\"")).await, @r#"
    error: repoint.toml:13: `cluster.site.name`: it must consist of letters, digits, `-`, `_` and `.`
      13 | name = "the/other"
    "#);
    insta::assert_snapshot!(refused(SITES.replace("http://10.1.1.11:8008", "http://10.0.1.11:8008")).await, @r#"
    error: repoint.toml:16: `cluster.site.members`: `http://10.0.1.11:8008` is listed twice: a member belongs to one site
      16 | members = ["http://10.0.1.11:8008"]
    "#);
    insta::assert_snapshot!(refused(SITES.replace("elasticloadbalancing:us-east-1", "elasticloadbalancing:eu-west-1")).await, @r#"
    error: repoint.toml:10: `cluster.site.target_group.arn`: it is in eu-west-1, but the site is in us-east-1
      10 | arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    "#);
}

#[tokio::test]
async fn a_record_that_cannot_lead_to_a_site_is_refused() {
    let record = SITES.split_once("[[cluster.record]]").unwrap().1;
    insta::assert_snapshot!(refused(format!("{CLUSTER}[[cluster.record]]{record}")).await, @r#"
    error: repoint.toml:10: `cluster.record.points_to`: the cluster has no sites: add a [[cluster.site]] with an `alias` for each
      10 | points_to = "site"
    "#);
    let blind = "amazonaws.com\", evaluate_target_health = false }";
    insta::assert_snapshot!(refused(SITES.replacen("amazonaws.com\" }", blind, 1)).await, @r#"
    error: repoint.toml:25: `cluster.record.points_to`: a failover alias must evaluate the health of its target, but the `alias` of site `us-east-1` has `evaluate_target_health = false`
      25 | points_to = "site"
    "#);
    let one = SITES.replacen("alias = { zone_id = \"Z26RNL4JYFTOTI\"", "# ", 1);
    insta::assert_snapshot!(refused(one).await, @r#"
    error: repoint.toml:25: `cluster.record.points_to`: site `us-east-1` has no `alias` to point to
      25 | points_to = "site"
    "#);
    insta::assert_snapshot!(refused(SITES.replace("type = \"A\"", "type = \"CNAME\"\nttl = 5")).await, @r#"
    error: repoint.toml:26: `cluster.record.points_to`: an alias of a load balancer must have type A or AAAA
      26 | points_to = "site"
    repoint.toml:23: `cluster.record.ttl`: a record that points to a site is an alias, which has the TTL of its target
      23 | ttl = 5
    "#);
    let (first, rest) = SITES.split_once("[[cluster.site]]\nname").unwrap();
    let last = rest.split_once("[[cluster.record]]").unwrap().1;
    insta::assert_snapshot!(refused(format!("{first}[[cluster.record]]{last}")).await, @r#"
    error: repoint.toml:18: `cluster.record.points_to`: the SECONDARY points to another site, but the cluster has only one
      18 | points_to = "site"
    "#);
}
