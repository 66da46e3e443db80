//! Target groups: what belongs to which strategy.

use super::{ARN, CLUSTER, check, refused};
use crate::support::command::Repoint;

#[tokio::test]
async fn what_is_no_arn_of_a_target_group_is_refused() {
    insta::assert_snapshot!(refused(format!("{CLUSTER}[[cluster.target_group]]\narn = \"pg-writer\"\n")).await, @r#"
    error: repoint.toml:5: `cluster.target_group.arn`: `pg-writer`: it is not an ARN, for example arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33
      5 | arn = "pg-writer"
    "#);
    let balancer = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188";
    insta::assert_snapshot!(refused(format!("{CLUSTER}[[cluster.target_group]]\narn = \"{balancer}\"\n")).await, @r#"
    error: repoint.toml:5: `cluster.target_group.arn`: `arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188`: it is not the ARN of a target group, for example arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33
      5 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/pg/50dc6c495c0c9188"
    "#);
}

#[tokio::test]
async fn groups_are_shown_with_what_they_mean() {
    let groups = [
        "role = \"reader\"",
        "role = \"reader\"\nmax_lag_bytes = 1000\nprimary_fallback = false",
        "strategy = \"warm\"",
        "strategy = \"warm\"\nderegister_after_seconds = 1.5",
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

    name = "batman"
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
    deregister_after_seconds = 600.0

    [[cluster.target_group]]
    arn = "group-3/057ddce98af07a33"
    role = "writer"
    strategy = "warm"
    deregister_after_seconds = 1.5
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
    error: repoint.toml:5: `cluster.target_group.strategy`: `strategy = "weighted"` requires `listener`
      5 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    repoint.toml:5: `cluster.target_group.strategy`: `strategy = "weighted"` requires `member`
      5 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    error: repoint.toml:8: `cluster.target_group.member`: it is empty
      8 | member = " "
    error: repoint.toml:5: `cluster.target_group.role`: `strategy = "weighted"` sends every connection to one member, so it is not possible for readers
      5 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33"
    error: repoint.toml:7: `cluster.target_group.listener`: the listener is in another Region or account than the target group
      7 | listener = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2"
    error: repoint.toml:7: `cluster.target_group.listener`: `arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/pg/50dc6c495c0c9188/f2f7dc8efc522ab2`: it is not the ARN of a Network Load Balancer's listener, for example arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2
      7 | listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/pg/50dc6c495c0c9188/f2f7dc8efc522ab2"
    error: repoint.toml:13: `cluster.target_group.member`: member `pg1` has two target groups behind the same listener
      13 | member = "pg1"
    error: repoint.toml:10: `cluster.target_group.arn`: target group `batman-pg1` is configured twice, first by cluster `batman` in line 5
      10 | arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/batman-pg1/057ddce98af07a33"
    error: repoint.toml:15: `cluster.target_group.listener`: listener `pg/f2f7dc8efc522ab2` is configured twice, first by cluster `batman` in line 7
      15 | listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/pg/50dc6c495c0c9188/f2f7dc8efc522ab2"
    "#);
}

/// PostgreSQL's port and a pooler's, before the same groups.
#[tokio::test]
async fn a_set_of_groups_may_stand_behind_several_listeners() {
    let second = LISTENER.replace("f2f7dc8efc522ab2", "a2f7dc8efc522ab2");
    let one = format!("listener = \"{LISTENER}\"");
    let both = format!("listener = [\"{LISTENER}\", \"{second}\"]");
    let good = weighted("batman", &[("pg1", LISTENER), ("pg2", LISTENER)]).replace(&one, &both);
    let shown = check(&good).await;
    assert_eq!((shown.matches(&second).count(), shown.matches(LISTENER).count()), (2, 2), "{shown}");
    let policy = Repoint::new(&good).run(&["iam"]).await.stdout;
    assert!(policy.contains(LISTENER) && policy.contains(&second), "{policy}");
    let said = [
        refused(good.replacen(&both, &one, 1)).await,
        refused(good.replace(&second, LISTENER)).await,
        refused(weighted("batman", &[("pg1", LISTENER)]).replace(&one, "listener = []")).await,
        refused(weighted("batman", &[("pg1", LISTENER)]).replace(&one, "listener = [1]")).await,
        refused(good.clone() + &weighted("robin", &[("pg1", &second)])).await,
    ];
    for (said, line, why) in [
        (&said[0], 12, "target group `batman-pg1` shares some of its listeners with this group, but not all"),
        (&said[1], 7, "it names a listener twice"),
        (&said[2], 7, "it is empty: it must name a listener"),
        (&said[3], 7, "expected a string"),
        (&said[4], 20, "is configured twice, first by cluster `batman` in line 7"),
    ] {
        assert!(
            said.starts_with("error: repoint.toml:") && said.contains(&format!("repoint.toml:{line}: ")),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn more_groups_than_a_listener_takes_are_refused() {
    let members: Vec<String> = (1..=6).map(|number| format!("pg{number}")).collect();
    let of = |count: usize| {
        let groups: Vec<(&str, &str)> =
            members[..count].iter().map(|name| (name.as_str(), LISTENER)).collect();
        weighted("batman", &groups)
    };
    assert!(check(of(5)).await.starts_with("exit 0"));
    let said = refused(of(6)).await;
    assert!(
        said.contains("a listener forwards to at most 5 target groups, and this one exceeds that"),
        "{said}"
    );
}

#[tokio::test]
async fn what_belongs_to_another_kind_of_group_is_named() {
    let lines = "max_lag_bytes = 1\nprimary_fallback = true\nderegister_after_seconds = 1\nlistener = \"a\"\nmember = \"b\"";
    insta::assert_snapshot!(refused(format!("{CLUSTER}[[cluster.target_group]]\narn = \"{ARN}\"\n{lines}\n")).await, @r#"
    error: repoint.toml:6: `cluster.target_group.max_lag_bytes`: it applies only to readers: it requires `role = "reader"`
      6 | max_lag_bytes = 1
    repoint.toml:7: `cluster.target_group.primary_fallback`: it applies only to readers: it requires `role = "reader"`
      7 | primary_fallback = true
    repoint.toml:8: `cluster.target_group.deregister_after_seconds`: it applies only to `strategy = "warm"`
      8 | deregister_after_seconds = 1
    repoint.toml:9: `cluster.target_group.listener`: it applies only to `strategy = "weighted"`
      9 | listener = "a"
    repoint.toml:10: `cluster.target_group.member`: it applies only to `strategy = "weighted"`
      10 | member = "b"
    "#);
}
