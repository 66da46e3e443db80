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
        (r"moved \d+ h \d+ min after", "moved N h after"),
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
    insta::assert_snapshot!(none.stdout, @"");

    let ran = repoint.run(&["run"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    insta::assert_snapshot!(Ran { stdout: String::new(), ..ran }.seen(), @"");
    insta::assert_snapshot!(seen(&repoint.run(&["history"]).await), @"");
    insta::assert_snapshot!(seen(&repoint.run(&["history", "--since", "2100-01-01"]).await), @"");

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
    insta::assert_snapshot!(ran.seen(), @"");
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
    insta::assert_snapshot!(seen(&repoint.run(&["history"]).await), @"");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_an_error() {
    let (members, aws) = (patroni().await, aws(|_| None).await);
    let repoint = configuration(&members, &aws.url(), &group());
    insta::assert_snapshot!(seen(&repoint.run(&["history", "--cluster", "robin"]).await), @"");
    insta::assert_snapshot!(seen(&repoint.run(&["history", "--since", "yesterday"]).await), @"");
    fs::write(repoint.state_file(), "{").unwrap();
    insta::assert_snapshot!(seen(&repoint.run(&["history"]).await), @"");
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
