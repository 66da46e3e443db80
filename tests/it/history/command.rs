//! `repoint history`, and what passes and adoptions leave for it.

use std::fs;

use repoint::adapters::state_file::StateFile;
use repoint::ports::Store as _;
use repoint_domain::state::{LastPrimary, State};
use repoint_domain::values::cluster::{Address, EntryName, MemberName, SystemId, Timeline};

use crate::support::command::{Ran, Repoint};
use crate::support::site::{SYSTEM, aws, configuration, everything, group, patroni, refused};

/// What a reader sees, without what changes from run to run.
fn seen(ran: &Ran) -> String {
    let mut text = ran.seen();
    for (pattern, with) in [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE AND TIME      "),
        (r"moved \d+ d \d+ h after", "moved N d after"),
        (r"(since|at) \d{4}-\d\d-\d\dT[\d:.]+Z", "$1 TIME"),
    ] {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

/// Endpoints have followed pg1 on timeline 3.
async fn followed_pg1(repoint: &Repoint) {
    let primary = LastPrimary {
        site: None,
        member: Some(MemberName::new("pg1")),
        address: Some(Address { host: "10.0.1.11".to_owned(), port: 5432 }),
        timeline: Timeline(3),
    };
    let state = State {
        revision: 1,
        highest_timeline: Some(Timeline(3)),
        system_id: Some(SystemId::new(SYSTEM)),
        primary: Some(primary),
        ..State::default()
    };
    StateFile::new(repoint.state_file()).save(&EntryName::new("batman"), &state).await.unwrap();
}

#[tokio::test]
async fn a_switchover_is_in_the_history_with_its_steps_and_its_promotion() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &everything());
    followed_pg1(&repoint).await;
    let none = repoint.run(&["history"]).await;
    assert_eq!((none.code, &*none.stderr), (0, ""), "{none}");
    insta::assert_snapshot!(none.stdout, @"no events yet: no endpoint has moved, and no condition was alerted, since the history began");

    let ran = repoint.run(&["run"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    insta::assert_snapshot!(Ran { stdout: String::new(), ..ran }.seen(), @"
    exit 0
    --- stdout
    --- stderr
    ");
    insta::assert_snapshot!(seen(&repoint.run(&["history"]).await), @"
    exit 0
    --- stdout
    when (UTC)           cluster  event
    DATE AND TIME        batman   switchover  pg1 -> pg2, timeline 4, moved N d after the promotion, the pass took N ms
                                    done      register target 10.0.1.12:5432 in target group pg-writer (us-east-1), N ms
                                    done      deregister target 10.0.1.11:5432 in target group pg-writer (us-east-1), N ms
                                    done      change record 10.0.1.11 -> 10.0.1.12 in Z1/a.example.com/A, N ms
                                    done      change record 10.0.1.11 -> 10.0.1.12 in Z1/b.example.com/A, N ms
    --- stderr
    ");
    insta::assert_snapshot!(seen(&repoint.run(&["history", "--since", "2100-01-01"]).await), @"
    exit 0
    --- stdout
    no events since TIME
    --- stderr
    ");

    let history = repoint.run(&["history", "--since", "1h", "--format", "json"]).await.json();
    let cluster = &history["clusters"][0];
    assert_eq!((&history["version"], &cluster["name"]), (&1.into(), &"batman".into()));
    let event = &cluster["events"][0];
    assert_eq!(event["promoted_at"], "2025-12-31T23:00:00.500Z");
    assert_eq!(
        (&event["kind"], &event["cause"], &event["timeline"]),
        (&"moved".into(), &"switchover".into(), &4.into())
    );
    assert!(event["steps"][0]["took_ms"].is_u64() && event["promoted_to_moved_ms"].is_u64(), "{event:#}");
    let state = StateFile::new(repoint.state_file()).load(&EntryName::new("batman")).await.unwrap();
    assert_eq!((state.last_event, state.pending_events), (1, vec![]));
}

/// Nothing of a failover rests on the history: the pass succeeds, and the event waits for another pass.
#[tokio::test]
async fn a_history_that_cannot_be_written_is_a_warning() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    fs::create_dir(repoint.state_file().with_file_name("state.json.history")).unwrap();
    let ran = repoint.run(&["run"]).await;
    insta::assert_snapshot!(ran.seen(), @"
    exit 0
    --- stdout
    batman  changed  N ms
      primary  pg2  10.0.1.12:5432  timeline 4, before: pg1  (adoption)
      done     register 10.0.1.12:5432    target group pg-writer (us-east-1)  at N ms
      done     deregister 10.0.1.11:5432  target group pg-writer (us-east-1)  at N ms
      alert    repoint: batman: first adoption, endpoints now point at the primary pg2
      warning  the history was not written, a later pass tries again: writing the history on state.json.history: Is a directory (os error 21)
    --- stderr
    ");
    let state = StateFile::new(repoint.state_file()).load(&EntryName::new("batman")).await.unwrap();
    assert_eq!((state.pending_events.len(), state.outbox), (1, vec![]));
    fs::remove_dir(repoint.state_file().with_file_name("state.json.history")).unwrap();
    let history = repoint.run(&["history", "--format", "json"]).await.json();
    assert_eq!(history["clusters"][0]["events"][0]["cause"], "adoption");
}

#[tokio::test]
async fn a_condition_and_an_adoption_are_in_the_history() {
    let members = patroni().await;
    let aws = aws(|request| {
        (request.action() == "RegisterTargets").then(|| refused(400, "InvalidTarget", "no such target"))
    })
    .await;
    let repoint = configuration(&members, &aws.url(), &group());
    followed_pg1(&repoint).await;
    assert_eq!(repoint.run(&["run"]).await.code, 1);
    assert_eq!(repoint.run(&["adopt", "batman"]).await.code, 0);
    insta::assert_snapshot!(seen(&repoint.run(&["history"]).await), @"
    exit 0
    --- stdout
    when (UTC)           cluster  event
    DATE AND TIME        batman   apply_failed  critical, target group pg-writer (us-east-1): elasticloadbalancing:RegisterTargets on arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/pg-writer/057ddce98af07a33: InvalidTarget: no such target
    DATE AND TIME        batman   adopted       system 7710341171024913225 on timeline 4, primary pg2; before: system 7710341171024913225 on timeline 4
    --- stderr
    ");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_an_error() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    insta::assert_snapshot!(seen(&repoint.run(&["history", "--cluster", "robin"]).await), @"
    exit 2
    --- stdout
    --- stderr
    error: --cluster robin: repoint.toml has no such cluster; its clusters are batman
    ");
    insta::assert_snapshot!(seen(&repoint.run(&["history", "--since", "yesterday"]).await), @"
    exit 2
    --- stdout
    --- stderr
    error: invalid value 'yesterday' for '--since <WHEN>': use a duration such as 90m, 12h, 3d or 2w, or a time such as 2026-11-29 or TIME

    For more information, try '--help'.
    ");
    fs::write(repoint.state_file(), "{").unwrap();
    insta::assert_snapshot!(seen(&repoint.run(&["history"]).await), @"
    exit 1
    --- stdout
    error: batman: reading the state file on state.json: it is damaged (EOF while parsing an object at line 1 column 1), and was not changed; restore it from a backup, or move it away: repoint then starts with empty state, so check first with `patronictl list` that the right primary leads
    --- stderr
    ");
}

#[tokio::test]
async fn no_entry_has_the_name_of_another_ones_events() {
    for key in ["name", "scope"] {
        let other = if key == "name" { "scope = \"x\"\n" } else { "" };
        let repoint = Repoint::new(format!(
            "[[cluster]]\n{other}{key} = \"batman/history/1\"\nmembers = [\"http://10.0.1.11:8008\"]\n"
        ));
        let ran = repoint.run(&["check"]).await;
        assert!(ran.code == 2 && ran.stderr.contains("must not contain `/history/`"), "{ran}");
    }
}
