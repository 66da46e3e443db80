//! Whole commands: two configurations with one state, several entries of one scope, a cluster that was replaced.

use repoint::adapters::state_file::StateFile;
use repoint::ports::Store as _;
use repoint_domain::state::{KnownMember, State};
use repoint_domain::values::cluster::{Address, ApiUrl, EntryName, MemberName, SystemId, Timeline};
use serde_json::json as value;

use crate::support::command::Repoint;
use crate::support::http::{Server, json};
use crate::support::site::{aws, group};

pub const OLD: &str = "7000000000000000001";
pub const NEW: &str = "7000000000000000002";

/// A member that leads a cluster of its own, whose PostgreSQL is at that address.
pub async fn leader(system: &'static str, host: &'static str, timeline: u32) -> Server {
    Server::start(move |request| {
        let name = format!("pg-{host}");
        if request.path == "/cluster" {
            let member = value!({"name": name, "role": "leader", "state": "running", "api_url": null, "host": host,
                "port": 5432, "timeline": timeline});
            return json(200, &value!({"members": [member], "scope": "batman"}));
        }
        let own = value!({"state": "running", "role": "primary", "timeline": timeline,
            "database_system_identifier": system, "patroni": {"version": "4.1.5", "scope": "batman", "name": name}});
        json(200, &own)
    })
    .await
}

/// A REST API that refuses.
pub const NOBODY: &str = "http://127.0.0.1:1";

pub fn head(aws: &Server) -> String {
    format!(
        "[aws]\nregion = \"us-east-1\"\nendpoint_url = \"{}\"\n[alerts]\nsns_topic_arn = \
         \"arn:aws:sns:us-east-1:123456789012:db-alerts\"\n",
        aws.url()
    )
}

/// An entry with the target group of that name.
pub fn entry(name: &str, members: &[String], target_group: &str) -> String {
    let name = if name.is_empty() { String::new() } else { format!("name = {name:?}\n") };
    let group = group().replace("pg-writer", target_group);
    format!("[[cluster]]\n{name}scope = \"batman\"\nmembers = {members:?}\n{group}")
}

async fn loaded(repoint: &Repoint, name: &str) -> State {
    StateFile::new(repoint.state_file()).load(&EntryName::new(name)).await.unwrap()
}

/// What the last run has left: it followed this member, which the configuration names no more.
async fn remember(repoint: &Repoint, member: &Server, host: &str) {
    let known = KnownMember {
        api_url: Some(ApiUrl::parse(&member.url()).unwrap()),
        address: Some(Address { host: host.to_owned(), port: 5432 }),
    };
    let state = State {
        revision: 1,
        system_id: Some(SystemId::new(OLD)),
        highest_timeline: Some(Timeline(3)),
        members: [(MemberName::new(format!("pg-{host}")), known)].into(),
        ..State::default()
    };
    StateFile::new(repoint.state_file()).save(&EntryName::new("batman"), &state).await.unwrap();
}

pub fn written(aws: &Server) -> Vec<String> {
    aws.actions().into_iter().filter(|action| action.ends_with("Targets")).collect()
}

/// The members that were registered.
pub fn registered(aws: &Server) -> Vec<String> {
    let registers = |request: &&crate::support::http::Request| request.action() == "RegisterTargets";
    let host = |request: &crate::support::http::Request| {
        let form = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect::<Vec<_>>();
        form.into_iter().find(|(name, _)| name.ends_with(".Id")).unwrap().1
    };
    aws.requests().iter().filter(registers).map(host).collect()
}

/// Staging and production; or the groups of a Citus cluster, each with a configuration of its own.
/// An entry whose state is kept for `pg-writer` moves nothing, says so at once, and says it once.
pub(super) async fn is_held_for_another_state(second: &Repoint, aws: &Server) {
    for command in ["plan", "run", "run"] {
        let ran = second.run(&[command, "--format", "json"]).await;
        let cluster = &ran.json()["clusters"][0];
        assert_eq!((ran.code, &cluster["outcome"]), (1, &value!("held")), "{command}: {ran}");
        let holds = cluster["holds"].as_array().unwrap();
        let held = holds.iter().find(|hold| hold["reason"] == "state_of_other_endpoints");
        let held = held.unwrap_or_else(|| panic!("{command}: {ran}"));
        assert!(held["message"].as_str().unwrap().contains("pg-writer"), "{held}");
        assert!(held["hint"].as_str().unwrap().contains("repoint adopt"), "{held}");
    }
    assert_eq!(written(aws), [""; 0]);
    let notified = aws.actions().into_iter().filter(|action| action == "Publish").count();
    assert_eq!(notified, 1, "told at once, and once");
}

#[tokio::test]
async fn two_configurations_with_one_state_never_follow_each_other() {
    for staging_answers in [true, false] {
        let (production, staging) = (leader(OLD, "10.0.1.12", 4).await, leader(NEW, "10.0.1.13", 9).await);
        let (ours, theirs) = (aws(|_| None).await, aws(|_| None).await);
        let first = Repoint::new(head(&ours) + &entry("", &[production.url()], "pg-writer"));
        assert_eq!(first.run(&["run"]).await.code, 0);
        assert_eq!(registered(&ours), ["10.0.1.12"]);
        let left = loaded(&first, "batman").await;

        let member = if staging_answers { staging.url() } else { NOBODY.to_owned() };
        let second = Repoint::new(head(&theirs) + &entry("", &[member], "staging-writer"));
        let state = first.state_file();
        let second = second.with("REPOINT_STATE_FILE", state.to_str().unwrap());
        is_held_for_another_state(&second, &theirs).await;
        let now = loaded(&first, "batman").await;
        assert_eq!((now.system_id, now.endpoints), (left.system_id, left.endpoints));
        // The first goes on as if nothing had been.
        assert_eq!(first.run(&["run"]).await.code, 0);
    }
}

#[tokio::test]
async fn each_entry_with_a_name_of_its_own_has_a_state_of_its_own() {
    let (coordinator, worker) = (leader(OLD, "10.0.1.12", 4).await, leader(NEW, "10.0.1.13", 9).await);
    let aws = aws(|_| None).await;
    let repoint = Repoint::new(
        head(&aws)
            + &entry("coordinator", &[coordinator.url()], "pg-writer")
            + &entry("worker-1", &[worker.url()], "pg-worker"),
    );
    let ran = repoint.run(&["run", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let of = |ran: &crate::support::command::Ran| -> Vec<(String, String, String)> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let clusters = ran.json()["clusters"].as_array().unwrap().clone();
        let of_one = |cluster: &serde_json::Value| {
            (text(&cluster["name"]), text(&cluster["scope"]), text(&cluster["verdict"]["host"]))
        };
        clusters.iter().map(of_one).collect()
    };
    let owned = |text: [&str; 3]| (text[0].to_owned(), text[1].to_owned(), text[2].to_owned());
    let coordinator = owned(["coordinator", "batman", "10.0.1.12"]);
    let worker = owned(["worker-1", "batman", "10.0.1.13"]);
    assert_eq!(of(&ran), [coordinator.clone(), worker.clone()]);
    let mut hosts = registered(&aws);
    hosts.sort();
    assert_eq!(hosts, ["10.0.1.12", "10.0.1.13"]);
    for (name, system) in [("coordinator", OLD), ("worker-1", NEW)] {
        assert_eq!(loaded(&repoint, name).await.system_id, Some(SystemId::new(system)));
    }
    assert_eq!(loaded(&repoint, "batman").await, State::default());

    let plan =
        async |called: &str| of(&repoint.run(&["plan", "--cluster", called, "--format", "json"]).await);
    assert_eq!(plan("worker-1").await, std::slice::from_ref(&worker));
    assert_eq!(plan("batman").await, [coordinator, worker]);
    let unknown = repoint.run(&["plan", "--cluster", "robin"]).await;
    assert!(
        unknown.code == 2 && unknown.stderr.contains("its clusters are coordinator, worker-1"),
        "{unknown}"
    );
    let status = repoint.run(&["status", "--cluster", "worker-1", "--format", "json"]).await.json();
    assert_eq!(status["clusters"][0]["name"], "worker-1");
    let text = repoint.run(&["status", "--cluster", "worker-1"]).await;
    assert!(text.stdout.starts_with("worker-1  "), "{text}");

    let several = repoint.run(&["adopt", "batman"]).await;
    assert_eq!(several.code, 2);
    assert!(several.stderr.contains("several entries have the scope `batman`"), "{several}");
    let one = repoint.run(&["adopt", "worker-1", "--format", "json"]).await;
    assert_eq!((one.code, one.json()["name"].as_str()), (0, Some("worker-1")), "{one}");
}

/// A new cluster takes the place of one that still runs, as in a major upgrade.
#[tokio::test]
async fn a_replaced_cluster_is_held_until_it_is_adopted_while_the_old_one_runs() {
    let (old, new) = (leader(OLD, "10.0.1.12", 4).await, leader(NEW, "10.0.1.13", 1).await);
    let aws = aws(|_| None).await;
    let repoint = Repoint::new(head(&aws) + &entry("", &[new.url()], "pg-writer"));
    remember(&repoint, &old, "10.0.1.12").await;
    insta::assert_snapshot!(repoint.run(&["run"]).await.seen(), @"
    exit 1
    --- stdout
    batman  held  N ms
      held     pg-10.0.1.13 belongs to another cluster: its system identifier is 7000000000000000002, expected 7000000000000000001
               check `scope`, `system_id` and `members`: an address may have changed hands; if the cluster was recreated, `repoint adopt` accepts it
      alert    repoint: batman: another cluster answers
    --- stderr
    ");
    assert_eq!(written(&aws), [""; 0]);
    let adopted = repoint.run(&["adopt", "batman"]).await;
    assert_eq!(adopted.code, 0, "{adopted}");
    let state = loaded(&repoint, "batman").await;
    assert_eq!((state.system_id, state.members.len()), (Some(SystemId::new(NEW)), 0));
    assert_eq!(written(&aws), [""; 0], "adopting moves nothing");
    assert_eq!(repoint.run(&["run"]).await.code, 0);
    assert_eq!(registered(&aws), ["10.0.1.13"]);
}

#[tokio::test]
async fn all_nodes_may_have_been_replaced_one_after_the_other() {
    let last = leader(OLD, "10.0.1.12", 4).await;
    let aws = aws(|_| None).await;
    let repoint = Repoint::new(head(&aws) + &entry("", &[NOBODY.to_owned()], "pg-writer"));
    remember(&repoint, &last, "10.0.1.12").await;
    let ran = repoint.run(&["run"]).await;
    assert_eq!((ran.code, registered(&aws)), (0, vec!["10.0.1.12".to_owned()]), "{ran}");
    // Nobody is adopted on the word of the state.
    assert_eq!(repoint.run(&["adopt", "batman"]).await.code, 1);
}
