//! The request to Patroni: sent once, and what each answer means.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use repoint::adapters::patroni::switchover::{BasicAuth, SwitchoverAnswer};
use repoint::adapters::patroni::{Options, Rest};
use repoint_domain::drill::gates::Switch;
use repoint_domain::values::cluster::{ApiUrl, MemberName};

use crate::support::http::{Reply, Server};

fn rest() -> Rest {
    let second = Duration::from_secs(1);
    let options = Options {
        connect_timeout: second,
        timeout: second,
        ca: None,
        identity: None,
        verify_hostname: true,
        at_once: 8,
    };
    Rest::new(&options).unwrap()
}

fn switch(url: &str) -> Switch {
    let leader_url = ApiUrl::parse(url).unwrap();
    Switch { leader_url, from: MemberName::new("pg1"), to: MemberName::new("pg2") }
}

/// What is made of such an answer.
async fn answered(reply: Reply) -> SwitchoverAnswer {
    let server = Server::start(move |_| reply.clone()).await;
    let answer = rest().switchover(&switch(&server.url()), None).await;
    // Whatever it is, it is not asked for again.
    assert_eq!(server.actions(), ["POST /switchover"]);
    answer
}

fn said(status: u16, words: &str) -> Reply {
    Reply::Full(status, "text/html", words.to_owned())
}

#[tokio::test]
async fn the_request_names_leader_and_candidate_and_has_the_login() {
    let server = Server::start(|_| said(200, "Successfully switched over to \"pg2\"")).await;
    let auth = BasicAuth { username: "admin".to_owned(), password: "se:cret".to_owned() };
    let answer = rest().switchover(&switch(&server.url()), Some(&auth)).await;
    assert_eq!(answer, SwitchoverAnswer::Done("200: Successfully switched over to \"pg2\"".to_owned()));
    let request = &server.requests()[0];
    assert_eq!(request.body, r#"{"leader":"pg1","candidate":"pg2"}"#);
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["authorization"], format!("Basic {}", STANDARD.encode("admin:se:cret")));
}

#[tokio::test]
async fn a_refusal_changes_nothing() {
    for status in [400, 412] {
        let answer = answered(said(status, "no good candidates have been found")).await;
        let words = format!("{status}: no good candidates have been found");
        assert_eq!(answer, SwitchoverAnswer::Refused(words));
    }
    for status in [401, 403] {
        let answer = answered(said(status, "no auth header received")).await;
        let SwitchoverAnswer::Refused(message) = answer else { panic!("{answer:?}") };
        assert!(message.contains("set `patroni.username` and `patroni.password_file`"), "{message}");
    }
}

#[tokio::test]
async fn an_answer_that_may_mean_either_is_unclear() {
    let unclear = |answer: &SwitchoverAnswer| matches!(answer, SwitchoverAnswer::Unclear(_));
    // Scheduled, failed or status unknown, an error, the connection closed without an answer.
    for reply in [
        said(202, "scheduled"),
        said(503, "Switchover status unknown"),
        said(500, ""),
        Reply::Raw(Vec::new()),
    ] {
        let answer = answered(reply).await;
        assert!(unclear(&answer), "{answer:?}");
    }
}

#[tokio::test]
async fn what_was_not_sent_is_known_not_to_be_done() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let answer = rest().switchover(&switch(&url), None).await;
    assert!(matches!(answer, SwitchoverAnswer::NotSent(_)), "{answer:?}");
}
