//! Whole commands against a cluster and an AWS that answer over loopback: exit code, stdout, stderr.

mod pages;
mod primary;
mod test_alert;

use serde_json::json as value;

use crate::support::command::Repoint;
use crate::support::http::{Request, Server, json, xml};
use crate::support::site::{
    CHANGE, LIST, SYSTEM, aws, configuration, everything, group, health, listing, patroni, patroni_with,
    record, refused,
};

#[tokio::test]
async fn help_has_examples() {
    for arguments in [
        &["--help"][..],
        &["run", "--help"],
        &["plan", "--help"],
        &["status", "--help"],
        &["adopt", "--help"],
        &["check", "--help"],
        &["test-alert", "--help"],
        &["primary", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let ran = Repoint::new("").run(arguments).await;
        assert!(ran.code == 0 && ran.stdout.contains("\nExample"), "{ran}");
    }
    assert_eq!(Repoint::new("").run(&["--nonsense"]).await.code, 2);
}

#[tokio::test]
async fn plan_shows_and_changes_nothing() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let ran = configuration(&members, &aws.url(), &everything()).run(&["plan"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 0
    --- stdout
    batman  planned  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1  (adoption)
      would    register 10.0.1.12:5432        target group pg-writer (us-east-1)
      would    deregister 10.0.1.11:5432      target group pg-writer (us-east-1)
      would    change 10.0.1.11 -> 10.0.1.12  record Z1/a.example.com/A
      would    change 10.0.1.11 -> 10.0.1.12  record Z1/b.example.com/A
    --- stderr
    ");
    let mut actions = aws.actions();
    actions.sort();
    assert_eq!(actions, ["DescribeTargetHealth", LIST]);
}

#[tokio::test]
async fn run_changes_what_differs_open_before_close() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let ran = configuration(&members, &aws.url(), &everything()).run(&["run"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 0
    --- stdout
    batman  changed  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1  (adoption)
      done     register 10.0.1.12:5432        target group pg-writer (us-east-1)  at N ms
      done     deregister 10.0.1.11:5432      target group pg-writer (us-east-1)  at N ms
      done     change 10.0.1.11 -> 10.0.1.12  record Z1/a.example.com/A  at N ms
      done     change 10.0.1.11 -> 10.0.1.12  record Z1/b.example.com/A  at N ms
      alert    repoint: batman: first adoption, endpoints now point at the primary pg2
    --- stderr
    ");
    let actions = aws.actions();
    let at = |action: &str| actions.iter().position(|known| known == action).unwrap();
    assert!(at("RegisterTargets") < at("DeregisterTargets"));
    assert_eq!(actions.last().unwrap(), "Publish");
    assert_eq!(actions.len(), 6);
    let change = &aws.requests()[at(CHANGE)].body;
    assert!(change.find("DELETE").unwrap() < change.find("CREATE").unwrap(), "{change}");
    assert_eq!(
        (change.matches("<TTL>60</TTL>").count(), change.matches("UPSERT").count()),
        (4, 0),
        "{change}"
    );
}

#[tokio::test]
async fn the_json_report_keeps_its_names() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let ran = configuration(&members, &aws.url(), &group()).run(&["run", "--format", "json"]).await;
    let mut report = ran.json();
    report["clusters"][0]["duration_ms"] = value!(0);
    for step in report["clusters"][0]["steps"].as_array_mut().unwrap() {
        step["at_ms"] = value!(0);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap(), @r#"
    {
      "version": 1,
      "dry_run": false,
      "clusters": [
        {
          "scope": "batman",
          "name": "batman",
          "outcome": "changed",
          "verdict": {
            "kind": "primary",
            "member": "pg2",
            "host": "10.0.1.12",
            "port": 5432,
            "timeline": 4,
            "system_id": "7710341171024913225"
          },
          "cause": "adoption",
          "previous_primary": "pg1",
          "steps": [
            {
              "action": "register_target",
              "endpoint": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33",
              "target": "10.0.1.12:5432",
              "result": "done",
              "at_ms": 0
            },
            {
              "action": "deregister_target",
              "endpoint": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33",
              "target": "10.0.1.11:5432",
              "result": "done",
              "at_ms": 0
            }
          ],
          "holds": [],
          "alerts": [
            "repoint: batman: first adoption, endpoints now point at the primary pg2"
          ],
          "duration_ms": 0,
          "api_calls": {
            "elasticloadbalancing:DeregisterTargets": 1,
            "elasticloadbalancing:DescribeTargetHealth": 1,
            "elasticloadbalancing:RegisterTargets": 1,
            "sns:Publish": 1
          }
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_pass_that_finds_all_right_reads_once_and_writes_nothing() {
    let aws = aws(|request| match request.action().as_str() {
        "DescribeTargetHealth" => Some(health(&["10.0.1.12"])),
        LIST => Some(listing(&[("a.example.com.", "", "10.0.1.12"), ("b.example.com.", "", "10.0.1.12")])),
        _ => None,
    });
    let (members, aws) = (patroni().await, aws.await);
    let ran = configuration(&members, &aws.url(), &everything()).run(&["run"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 0
    --- stdout
    batman  converged  N ms
      primary  pg2  10.0.1.12:5432  timeline 4
    --- stderr
    ");
    assert_eq!(aws.requests().len(), 2, "{:?}", aws.actions());
}

#[tokio::test]
async fn without_a_primary_nothing_is_changed_and_an_alert_is_published() {
    let members = patroni_with(|number, _| {
        (
            503,
            value!({"state": "running", "role": "replica", "timeline": 4, "patroni": {"name": format!("pg{number}")}}),
        )
    });
    let (members, aws) = (members.await, aws(|_| None).await);
    let repoint =
        configuration(&members, &aws.url(), &everything()).with("REPOINT_ALERTS_GRACE_SECONDS", "0");
    let ran = repoint.run(&["run"]).await;
    assert_eq!(repoint.run(&["run"]).await.code, 1);
    insta::assert_snapshot!(ran.seen(), @"
    exit 1
    --- stdout
    batman  held  N ms
      held     the cluster has no primary: pg2 is named as leader but says it is not the primary
               wait for the election, or see `patronictl list` and Patroni's log if it does not end
      alert    repoint: batman: no primary
    --- stderr
    ");
    assert!(!aws.actions().iter().any(|action| action.contains("Targets") || action == CHANGE));
    assert_eq!(aws.actions().iter().filter(|action| *action == "Publish").count(), 1);
}

#[tokio::test]
async fn members_that_only_cluster_names_are_asked_too() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let known: Vec<_> = (1..=3)
        .zip(&members)
        .map(|(number, server)| {
            let role = if number == 2 { "leader" } else { "replica" };
            value!({"name": format!("pg{number}"), "role": role, "state": "running", "timeline": 4,
                "api_url": format!("{}/patroni", server.url()), "host": format!("10.0.1.1{number}"), "port": 5432})
        })
        .collect();
    let seed = Server::start(move |request: &Request| match request.path.as_str() {
        "/cluster" => json(200, &value!({"members": known})),
        _ => json(
            503,
            &value!({"state": "running", "role": "replica", "timeline": 4, "patroni": {"name": "pg1"}}),
        ),
    });
    let ran = configuration(&[seed.await], &aws.url(), &group()).run(&["plan"]).await;
    assert!(ran.code == 0 && ran.stdout.contains("register 10.0.1.12:5432"), "{ran}");
    let asked: Vec<usize> = members.iter().map(|member| member.requests().len()).collect();
    assert_eq!(asked, [0, 2, 2], "pg1 answered already, under another address");
}

#[tokio::test]
async fn missing_credentials_are_said() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    let ran = repoint.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY").run(&["run"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 1
    --- stdout
    batman  failed  N ms
      primary  pg2  10.0.1.12:5432  timeline 4
      held     target group pg-writer (us-east-1): elasticloadbalancing:DescribeTargetHealth on arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33: no AWS credentials were found: attach an instance or task role, or set a profile (AWS_PROFILE), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    --- stderr
    ");
    assert!(aws.requests().is_empty());
}

#[tokio::test]
async fn a_promotion_is_waited_for() {
    let members = patroni_with(|number, before| {
        let role = if number == 2 && before >= 20 { "primary" } else { "replica" };
        let status = if number == 2 { 200 } else { 503 };
        (
            status,
            value!({"state": "running", "role": role, "timeline": 4, "database_system_identifier": SYSTEM, "patroni": {"name": format!("pg{number}")}}),
        )
    });
    let (members, aws) = (members.await, aws(|_| None).await);
    let ran = configuration(&members, &aws.url(), &group()).run(&["run"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert!(
        ran.stdout.contains("register 10.0.1.12:5432") && ran.stderr.contains("asking the members again"),
        "{ran}"
    );
    let reads = aws.actions().iter().filter(|action| *action == "DescribeTargetHealth").count();
    assert_eq!(reads, 2, "AWS is asked before and after, not meanwhile");
}

#[tokio::test]
async fn a_promotion_that_does_not_end_is_held_at_the_deadline() {
    let members = patroni_with(|number, _| {
        (if number == 2 { 200 } else { 503 }, value!({"state": "running", "role": "replica", "timeline": 4}))
    });
    let (members, aws) = (members.await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group()).with("REPOINT_PASS_DEADLINE_SECONDS", "6");
    let ran = repoint.run(&["run", "--format", "json"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(ran.json()["clusters"][0]["verdict"]["kind"], "promoting");
    assert!(!aws.actions().contains(&"RegisterTargets".to_owned()));
}

#[tokio::test]
async fn a_register_that_fails_stops_the_deregister() {
    let aws = aws(|request| {
        (request.action() == "RegisterTargets")
            .then(|| refused(400, "InvalidTarget", "The IP address is not valid"))
    });
    let (members, aws) = (patroni().await, aws.await);
    let ran = configuration(&members, &aws.url(), &everything()).run(&["run"]).await;
    insta::assert_snapshot!(ran.seen(), @r#"
    exit 1
    --- stdout
    batman  failed  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1  (adoption)
      failed   register 10.0.1.12:5432        target group pg-writer (us-east-1)  at N ms
               elasticloadbalancing:RegisterTargets on arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33: InvalidTarget: The IP address is not valid
               the target does not match the group: compare its VPC, address family and type with the group's; an address outside the VPC needs `availability_zone = "all"`
      skipped  deregister 10.0.1.11:5432      target group pg-writer (us-east-1)
      done     change 10.0.1.11 -> 10.0.1.12  record Z1/a.example.com/A  at N ms
      done     change 10.0.1.11 -> 10.0.1.12  record Z1/b.example.com/A  at N ms
      alert    repoint: batman: first adoption, endpoints now point at the primary pg2, 1 not moved
      alert    repoint: batman: FAILED to change pg-writer
    --- stderr
    "#);
    assert!(!aws.actions().contains(&"DeregisterTargets".to_owned()));
}

#[tokio::test]
async fn a_batch_that_is_refused_is_sent_again_without_the_guilty_change() {
    let aws = aws(|request| {
        let is_guilty = request.action() == CHANGE && request.body.contains("a.example.com");
        let message =
            "Tried to delete resource record set [name='a.example.com.', type='A'] but it was not found";
        is_guilty.then(|| xml(400, format!(
            "<InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Messages><Message>{message}</Message>\
             </Messages></InvalidChangeBatch>"
        )))
    });
    let (members, aws) = (patroni().await, aws.await);
    let records = format!("{}{}", record("a.example.com"), record("b.example.com"));
    let ran = configuration(&members, &aws.url(), &records).run(&["run"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 1
    --- stdout
    batman  failed  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1  (adoption)
      done     change 10.0.1.11 -> 10.0.1.12  record Z1/b.example.com/A  at N ms
      failed   change 10.0.1.11 -> 10.0.1.12  record Z1/a.example.com/A  at N ms
               route53:ChangeResourceRecordSets on Z1/a.example.com/A: InvalidChangeBatch: Tried to delete resource record set [name='a.example.com.', type='A'] but it was not found
               the record set changed between the read and the write; the next pass reads it again
      alert    repoint: batman: first adoption, endpoints now point at the primary pg2, 1 not moved
      alert    repoint: batman: FAILED to change a.example.com/A
    --- stderr
    ");
    assert_eq!(aws.actions().iter().filter(|action| *action == CHANGE).count(), 3);
}

#[tokio::test]
async fn an_alert_that_is_not_published_is_reported_and_hinders_nothing() {
    let aws = aws(|request| {
        (request.action() == "Publish").then(|| refused(403, "AuthorizationError", "User is not authorized"))
    });
    let (members, aws) = (patroni().await, aws.await);
    let ran = configuration(&members, &aws.url(), &group()).run(&["run"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 1
    --- stdout
    batman  changed  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1  (adoption)
      done     register 10.0.1.12:5432    target group pg-writer (us-east-1)  at N ms
      done     deregister 10.0.1.11:5432  target group pg-writer (us-east-1)  at N ms
      alert    repoint: batman: first adoption, endpoints now point at the primary pg2
      warning  an alert was not published: sns:Publish on arn:aws:sns:us-east-1:123456789012:db-alerts: AuthorizationError: User is not authorized (allow the IAM action `sns:Publish` on `arn:aws:sns:us-east-1:123456789012:db-alerts` (statement `PublishAlerts` of `repoint iam`), or use other credentials)
    --- stderr
    ");
}

#[tokio::test]
async fn status_is_a_table() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &everything());
    repoint.run(&["run"]).await;
    let ran = repoint.run(&["status"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 1
    --- stdout
    batman  primary pg2 on timeline 4
      last move: adoption, pg1 -> pg2, TIME UTC, N s ago

      member  address         role     state      timeline  receive lag  replay lag
      pg1     10.0.1.11:5432  replica  streaming  4         0 B          -
      pg2     10.0.1.12:5432  leader   running    4         -            -
      pg3     10.0.1.13:5432  replica  streaming  4         0 B          -

      endpoint                            points at                          
      target group pg-writer (us-east-1)  10.0.1.11:5432 (healthy)  differs  register 10.0.1.12:5432, deregister 10.0.1.11:5432
      record Z1/a.example.com/A           10.0.1.11                 differs  change 10.0.1.11 -> 10.0.1.12
      record Z1/b.example.com/A           10.0.1.11                 differs  change 10.0.1.11 -> 10.0.1.12
    --- stderr
    ");
    let ran = configuration(&members, &aws.url(), &group()).run(&["status", "--format", "json"]).await;
    assert_eq!(ran.json()["clusters"][0]["endpoints"][0]["standing"], "differs");
}

#[tokio::test]
async fn only_the_chosen_cluster_is_checked() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let other = "[[cluster]]\nscope = \"robin\"\nmembers = [\"http://127.0.0.1:9\"]\n";
    let repoint = configuration(&members, &aws.url(), &format!("{}{other}", group()));
    let ran = repoint.run(&["plan", "--cluster", "batman", "--format", "json"]).await;
    assert_eq!((ran.code, ran.json()["clusters"].as_array().unwrap().len()), (0, 1), "{ran}");
    let ran = repoint.run(&["plan", "--format", "json"]).await;
    assert_eq!(
        (ran.code, ran.json()["clusters"][1]["verdict"]["kind"].as_str()),
        (1, Some("unreachable")),
        "{ran}"
    );
}

#[tokio::test]
async fn colour_is_for_terminals() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let ran = configuration(&members, &aws.url(), &group()).without("NO_COLOR").run(&["plan"]).await;
    assert!(!ran.stdout.contains('\u{1b}'), "{ran}");
    let forced =
        configuration(&members, &aws.url(), &group()).without("NO_COLOR").with("CLICOLOR_FORCE", "1");
    assert!(forced.run(&["plan"]).await.stdout.contains('\u{1b}'));
}

/// What AWS says, and what Patroni says, may hold anything.
#[tokio::test]
async fn text_from_outside_cannot_write_to_the_terminal() {
    let odd = "\u{1b}]0;owned\u{7}\u{9b}31m";
    let members = patroni_with(move |number, _| {
        (
            503,
            value!({"state": format!("running{odd}"), "role": format!("replica{odd}"), "timeline": 4,
                "patroni": {"name": format!("pg{number}")}}),
        )
    });
    // XML has no such characters; DEL and C1 it has.
    let aws = aws(|request| match request.action().as_str() {
        "DescribeTargetHealth" => Some(refused(400, "Odd\u{9b}", "in \u{9b}31m red\u{7f}")),
        _ => None,
    });
    let (members, aws) = (members.await, aws.await);
    let colour = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    for command in ["run", "status"] {
        let forced = configuration(&members, &aws.url(), &group()).without("NO_COLOR");
        let ran = forced.with("CLICOLOR_FORCE", "1").with("REPOINT_LOG", "debug").run(&[command]).await;
        let plain = colour.replace_all(&ran.to_string(), "").into_owned();
        assert!(
            ran.to_string().contains('\u{1b}') && !plain.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{7f}']),
            "{plain:?}"
        );
    }
}

#[tokio::test]
async fn the_exit_code_of_a_plan_says_whether_anything_would_change() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    assert_eq!(repoint.run(&["plan"]).await.code, 0);
    assert_eq!(repoint.run(&["plan", "--exit-code"]).await.code, 3);
    assert_eq!(repoint.run(&["plan", "--exit-code", "--format", "json"]).await.code, 3);
    let right = converged().await;
    let repoint = configuration(&members, &right.url(), &group());
    assert_eq!(repoint.run(&["plan", "--exit-code"]).await.code, 0);
    // Of what is planned and what is held, the latter needs somebody.
    let other = "[[cluster]]\nscope = \"robin\"\nmembers = [\"http://127.0.0.1:9\"]\n";
    let repoint = configuration(&members, &aws.url(), &format!("{}{other}", group()));
    assert_eq!(repoint.run(&["plan", "--exit-code"]).await.code, 1);
    assert_eq!(Repoint::new("").run(&["plan", "--exit-code"]).await.code, 2);
}

/// An AWS in which the group holds the primary.
async fn converged() -> Server {
    aws(|request| (request.action() == "DescribeTargetHealth").then(|| health(&["10.0.1.12"]))).await
}

/// Cron mails whatever is printed, every minute.
#[tokio::test]
async fn a_quiet_run_reports_only_what_it_changed_or_could_not() {
    let (members, wrong, right) = (patroni().await, aws(|_| None).await, converged().await);
    for command in ["run", "plan"] {
        for format in ["text", "json"] {
            let arguments = [command, "--quiet", "--format", format];
            let calm = configuration(&members, &right.url(), &group()).run(&arguments).await;
            assert_eq!((calm.code, calm.stdout.as_str(), calm.stderr.as_str()), (0, "", ""), "{calm}");
            let news = configuration(&members, &wrong.url(), &group()).run(&arguments).await;
            assert!(news.code == 0 && news.stdout.contains("batman"), "{news}");
        }
    }
    let unavailable = [Server::start(|_| json(503, "{}")).await];
    let held = configuration(&unavailable, &right.url(), &group()).run(&["run", "--quiet"]).await;
    assert!(held.code == 1 && held.stdout.contains("held"), "{held}");
    // Others of the file are not spoken of.
    let other = "[[cluster]]\nscope = \"robin\"\nmembers = [\"http://127.0.0.1:9\"]\n";
    let both = configuration(&members, &right.url(), &format!("{}{other}", group()));
    let ran = both.run(&["run", "--quiet"]).await;
    assert!(ran.stdout.contains("robin") && !ran.stdout.contains("batman"), "{ran}");
    let ran = both.run(&["run", "--quiet", "--format", "json"]).await;
    assert_eq!(ran.json()["clusters"].as_array().unwrap().len(), 2, "{ran}");
}
