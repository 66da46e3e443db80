//! The policy that `repoint iam` prints, enforced: it is enough, and nothing of it is too much.

use futures::future::join_all;
use repoint_sandbox::aws::policy::Policy;
use repoint_sandbox::aws::route53::batch::{Change, ChangeAction};
use repoint_sandbox::aws::route53::record::RecordSet;
use repoint_sandbox::http::sandbox::Setup;
use repoint_sandbox::transport::{NAME, Shape};
use serde_json::Value;
use tokio::time::timeout;

use super::place::{PATIENCE, PG2, Place};

/// Every kind of endpoint, with memory in a table and everything waited for.
fn place() -> Place {
    let shape = Shape {
        is_filled: true,
        is_pair: true,
        has_instances: true,
        has_readers: true,
        has_warm: true,
        has_reader_record: true,
        has_weighted: true,
    };
    let place = Place::of("[pass]\nwait_insync_seconds = 20\n", Setup { shape, ..Setup::quick() });
    let file = place.folder.path().join("repoint.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("[state]\n").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let table = "[state]\ndynamodb_table = \"repoint\"\n";
    std::fs::write(file, format!("{before}{table}{after}")).unwrap();
    place.sandbox.with(|site| site.account.create_table(site.now, "repoint", "scope")).unwrap();
    place
}

/// What a command prints on stdout, as JSON.
async fn printed(place: &Place, arguments: &[&str]) -> Value {
    let output = timeout(PATIENCE, place.command(arguments).output()).await.unwrap().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn enforce(place: &Place, policy: &Value) {
    place.sandbox.with(|site| site.account.policy = Some(Policy::new(policy).unwrap()));
}

/// The statements and their actions.
fn actions(policy: &Value) -> Vec<(usize, usize, String)> {
    let statements = policy["Statement"].as_array().unwrap().iter().enumerate();
    let of = |(at, statement): (usize, &Value)| {
        let actions = statement["Action"].as_array().unwrap().clone();
        actions
            .into_iter()
            .enumerate()
            .map(move |(number, action)| (at, number, action.as_str().unwrap().to_owned()))
    };
    statements.flat_map(of).collect()
}

/// One pass makes memory, and another one follows a switchover. The report of the second.
async fn follow(place: &Place) -> Value {
    printed(place, &["run", "--format", "json"]).await;
    place.switchover(PG2).await;
    place.until(|site| site.cluster.leader().is_some_and(|(leader, _)| leader == PG2)).await;
    place.until(|site| site.cluster.is_settled(site.now)).await;
    printed(place, &["run", "--format", "json"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_enough_for_every_endpoint() {
    let place = place();
    let policy = printed(&place, &["iam"]).await;
    enforce(&place, &policy);
    let report = follow(&place).await;
    let cluster = &report["clusters"][0];
    // Members have ports of their own here, so that no health check of one port could ask them all.
    let reasons: Vec<_> = cluster["holds"].as_array().unwrap().iter().map(|hold| &hold["reason"]).collect();
    assert_eq!(reasons, ["health_check"], "{report}");
    let steps = cluster["steps"].as_array().unwrap();
    assert!(steps.len() == 10 && steps.iter().all(|step| step["result"] == "done"), "{report}");
    assert!(cluster.get("warnings").is_none(), "{report}");
    // Whatever it allows was called.
    let called = cluster["api_calls"].as_object().unwrap();
    let unused: Vec<_> =
        actions(&policy).into_iter().filter(|(.., action)| !called.contains_key(action)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_one_action_the_refusal_names_the_statement() {
    let policy = printed(&place(), &["iam"]).await;
    let all = actions(&policy);
    assert!(all.len() >= 11, "{all:?}");
    join_all(all.into_iter().map(|(statement, number, action)| async move {
        let place = place();
        let mut less = printed(&place, &["iam"]).await;
        let statement = &mut less["Statement"][statement];
        statement["Action"].as_array_mut().unwrap().remove(number);
        let sid = statement["Sid"].as_str().unwrap().to_owned();
        enforce(&place, &less);
        let report = follow(&place).await.to_string();
        let hint = format!("allow the IAM action `{action}` on ");
        let named = format!("(statement `{sid}` of `repoint iam`)");
        assert!(report.contains(&hint) && report.contains(&named), "{action}, {sid}: {report}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_takes_no_write_permission() {
    let place = place();
    enforce(&place, &printed(&place, &["iam", "--for", "plan"]).await);
    let report = printed(&place, &["plan", "--format", "json"]).await;
    assert!(!report.to_string().contains("AccessDenied"), "{report}");
    let before = place.sandbox.with(|site| site.writes().len());
    let (code, _) = place.run(&["run"]).await;
    assert_eq!((code, place.sandbox.with(|site| site.writes().len())), (1, before));
}

/// The zone has other records, and nobody replaces what they have not read.
#[tokio::test(flavor = "multi_thread")]
async fn other_records_of_the_zone_are_out_of_reach() {
    let place = place();
    enforce(&place, &printed(&place, &["iam"]).await);
    place.sandbox.with(|site| {
        let zone = site.resources.zone.clone();
        let mut refused = |action, name: &str, record_type: &str| {
            let set = RecordSet::simple(name, record_type, 60, &["192.0.2.7"]);
            let change = [Change { action, set }];
            let answer = site.account.change_resource_record_sets(site.now, &zone, &change);
            answer.unwrap_err().code == "AccessDenied"
        };
        assert!(refused(ChangeAction::Create, "new.db.example.com", "A"));
        assert!(refused(ChangeAction::Delete, "www.db.example.com", "A"));
        assert!(refused(ChangeAction::Upsert, NAME, "A"));
        assert!(refused(ChangeAction::Create, NAME, "TXT"));
        assert!(!refused(ChangeAction::Create, NAME, "A"), "it is refused for another reason");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_for_the_lambda_may_only_call_it() {
    let place = Place::new("");
    let topic = place.sandbox.with(|site| site.resources.topic.clone());
    let (code, said) = place.run(&["iam", "--for", "callback"]).await;
    assert_eq!(code, 2);
    assert!(said.contains("mode is not `sns`"), "{said}");
    place.configure(&format!("[callback]\nmode = \"sns\"\nsns_topic_arn = {topic:?}\n"));
    let policy = printed(&place, &["iam", "--for", "callback"]).await;
    assert_eq!(actions(&policy), [(0, 0, "sns:Publish".to_owned())]);
    enforce(&place, &policy);
    let (code, said) = place.run(&["callback", "on_role_change", "primary", "batman"]).await;
    assert_eq!(code, 0, "{said}");
    place.until(|site| site.account.published(&topic).len() == 1).await;
}
