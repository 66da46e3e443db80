//! Text of any length, with anything in it: bounded and cleaned where it enters, or refused, which says so.

use proptest::prelude::*;
use repoint_domain::decide::verdict::verdict;
use repoint_domain::plan::Plan;
use repoint_domain::report::holds;
use repoint_domain::state::State;
use repoint_domain::values::text::{LONGEST_MESSAGE, LONGEST_NAME, LONGEST_WORD, is_control, message};
use serde_json::{Value, json as value};

use super::*;

/// A bell, an escape sequence of a terminal, one of C1, and one that turns the direction of writing.
const ODD: [&str; 4] = ["\u{7}", "\u{1b}[2J", "\u{9b}31m", "\u{202e}"];

fn health() -> Value {
    value!({"state": "running", "role": "primary", "timeline": 3, "database_system_identifier": "7",
        "patroni": {"scope": "batman", "name": "pg1", "version": "4.0.0"},
        "replication": [{"application_name": "pg2", "state": "streaming"}]})
}

fn cluster() -> Value {
    value!({"scope": "batman", "members": [{"name": "pg1", "role": "leader", "state": "running", "timeline": 3,
        "api_url": "http://10.0.1.11:8008/patroni", "host": "10.0.1.11", "port": 5432}]})
}

async fn notified(health: &Value, cluster: &Value) -> MemberAnswer {
    ask(json(200, health), json(200, cluster)).await
}

fn set(whole: &mut Value, path: &str, to: &str) {
    *whole.pointer_mut(path).unwrap() = to.into();
}

#[tokio::test]
async fn what_identifies_something_is_refused_if_it_has_control_characters_or_is_too_long() {
    let long = "x".repeat(1000);
    for bad in ODD.into_iter().chain([long.as_str()]) {
        for (path, what) in [
            ("/patroni/name", "the member's name"),
            ("/patroni/scope", "the scope"),
            ("/database_system_identifier", "the system identifier"),
        ] {
            let mut odd = health();
            set(&mut odd, path, &format!("pg1{bad}"));
            let answer = notified(&odd, &cluster()).await;
            let failure = answer.status.unwrap_err();
            says(&failure.message, what);
            says(&failure.to_string(), "GET /primary on http://127.0.0.1:");
            assert!(answer.view.is_ok());
            assert!(!failure.to_string().chars().any(is_control));
        }
        for (path, what) in [
            ("/scope", "the scope"),
            ("/members/0/name", "a member's name"),
            ("/members/0/host", "a member's host"),
            ("/members/0/api_url", "a member's api_url"),
        ] {
            let mut odd = cluster();
            set(&mut odd, path, &format!("pg1{bad}"));
            let answer = notified(&health(), &odd).await;
            let failure = answer.view.unwrap_err();
            says(&failure.message, what);
            says(&failure.message, if bad.len() > 100 { "more than" } else { "control characters" });
            assert!(answer.status.is_ok());
        }
    }
    let mut empty = cluster();
    set(&mut empty, "/members/0/name", "");
    says(&notified(&health(), &empty).await.view.unwrap_err().message, "a member's name is empty");
}

#[tokio::test]
async fn words_are_cleaned_and_cut_off() {
    for bad in ODD {
        let (mut own, mut odd) = (health(), cluster());
        for path in ["/state", "/role"] {
            set(&mut own, path, &format!("stop{bad}ping{}", "x".repeat(1000)));
        }
        for path in ["/members/0/state", "/members/0/role"] {
            set(&mut odd, path, &format!("stop{bad}ping{}", "x".repeat(1000)));
        }
        let answer = notified(&own, &odd).await;
        let (own, view) = (answer.status.unwrap(), answer.view.unwrap());
        let listed = &view.members[0];
        for word in
            [own.state.to_string(), own.role.to_string(), listed.state.to_string(), listed.role.to_string()]
        {
            assert!(
                word.len() <= LONGEST_WORD && !word.chars().any(is_control) && word.starts_with("stop"),
                "{word:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_client_that_streams_under_an_odd_name_is_passed_over() {
    let mut odd = health();
    set(&mut odd, "/replication/0/application_name", "pg2\u{1b}[2J");
    assert!(notified(&odd, &cluster()).await.status.unwrap().feeds.is_empty());
}

#[tokio::test]
async fn more_members_than_any_cluster_has_are_refused() {
    let mut many = cluster();
    let one = many["members"][0].clone();
    many["members"] = Value::Array(vec![one; 257]);
    says(&notified(&health(), &many).await.view.unwrap_err().message, "more than 256 members");
}

#[tokio::test]
async fn what_the_parser_quotes_is_cleaned() {
    let mut odd = health();
    odd["timeline"] = "\u{1b}[2J".repeat(1000).into();
    let failure = notified(&odd, &cluster()).await.status.unwrap_err();
    assert!(!failure.message.chars().any(is_control), "{failure}");
    assert!(failure.message.len() < LONGEST_MESSAGE + 100, "{}", failure.message.len());
}

#[tokio::test]
async fn a_leader_without_a_host_is_no_failure() {
    let mut bare = cluster();
    let leader = bare["members"][0].as_object_mut().unwrap();
    leader.remove("host");
    leader.remove("port");
    let view = notified(&health(), &bare).await.view.unwrap();
    assert!(view.members[0].role.leads() && view.members[0].address.is_none());
}

#[test]
fn a_message_is_cut_off_between_two_characters() {
    let cut = message(&"ä".repeat(LONGEST_MESSAGE));
    assert!(cut.len() <= LONGEST_MESSAGE && cut.ends_with('…') && cut.starts_with("ää"), "{}", cut.len());
    assert_eq!(message("two\nlines\u{1b}[0m "), "two lines\u{fffd}[0m");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a member says, none of it reaches a report that is more than text, or without end.
    #[test]
    fn invariant_10_bounded_no_control_character_of_a_member_is_reported(
        odd in proptest::collection::vec("\\PC{0,6}[\\x00-\\x1f\\x7f-\\x9f\u{202a}-\u{202e}a-z]{0,4}[a-z]{0,300}", 9),
    ) {
        let (mut own, mut listed) = (health(), cluster());
        let paths = ["/state", "/role", "/patroni/name", "/patroni/scope"];
        let of_list = ["/members/0/name", "/members/0/host", "/members/0/api_url", "/members/0/state", "/scope"];
        for (number, path) in paths.iter().enumerate().filter(|(number, _)| odd[*number].len() % 3 > 0) {
            set(&mut own, path, &odd[number]);
        }
        for (number, path) in of_list.iter().enumerate().filter(|(number, _)| odd[4 + *number].len() % 3 > 0) {
            set(&mut listed, path, &odd[4 + number]);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(notified(&own, &listed));
        let mut said: Vec<String> = Vec::new();
        said.extend(answer.status.as_ref().err().map(ToString::to_string));
        said.extend(answer.view.as_ref().err().map(ToString::to_string));
        for member in answer.view.iter().flat_map(|view| &view.members) {
            said.extend([member.name.to_string(), member.role.to_string(), member.state.to_string()]);
            said.extend(member.address.as_ref().map(ToString::to_string));
            said.extend(member.api_url.as_ref().map(ToString::to_string));
        }
        let members = BTreeMap::from([(ApiUrl::parse("http://10.0.1.11:8008").unwrap(), answer)]);
        let observed = Observed { sites: BTreeMap::from([(None, members)]), ..Observed::default() };
        let verdict = verdict(&spec(), &observed, &State::default());
        said.push(format!("{verdict:?}").replace("\\u{", ""));
        said.extend(holds(&verdict, &Plan::default()).into_iter().map(|hold| hold.message));
        for line in said {
            prop_assert!(!line.chars().any(is_control), "{:?}", line);
            prop_assert!(line.len() < 4 * LONGEST_MESSAGE + 4 * LONGEST_NAME, "{}", line.len());
        }
    }
}
