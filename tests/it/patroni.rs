//! Patroni's REST API: the answers of real nodes, and what else may listen on that port.

mod inspect;
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use repoint::adapters::patroni::{Options, Rest};
use repoint::limits::Asked;
use repoint::ports::Patroni;
use repoint_domain::decide::verdict::{HoldKind, Verdict, verdict};
use repoint_domain::observed::{MemberAnswer, Observed, Wal};
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::cluster::{ApiUrl, Scope};
use serde_json::Value;

use crate::support::evidence::spec;
use crate::support::http::{Reply, Request, Server, json};

const SITUATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/patroni");

fn rest() -> Rest {
    let second = Duration::from_secs(1);
    Rest::new(&Options {
        connect_timeout: second,
        timeout: second,
        ca: None,
        identity: None,
        verify_hostname: true,
        at_once: 8,
    })
    .unwrap()
}

// Real nodes, version by version.

/// What the verdict must be in each recorded situation.
fn expected(situation: &str) -> Expected {
    match situation {
        "healthy" | "synchronous" | "quorum" | "tags" | "single" | "after_failover" | "after_stop"
        | "hung" | "lag_unknown" | "paused" | "start_failed" | "stopped_postgres" | "switchover"
        | "two_primaries" => Expected::Primary,
        // `/cluster` needs the DCS, and the members' addresses stand there alone.
        "dcs_down" | "failsafe" | "paused_dcs_down" => Expected::PrimaryWithoutAddress,
        "no_leader" => Expected::Hold(HoldKind::NoPrimary),
        "dcs_down_demoted" | "election" => Expected::Hold(HoldKind::Unreachable),
        "promoting" | "promoting_failover" | "stopping" | "stopped_200" => {
            Expected::Hold(HoldKind::Promoting)
        }
        "standby_cluster" => Expected::Hold(HoldKind::StandbyCluster),
        other => panic!("no expectation for `{other}`"),
    }
}

enum Expected {
    Primary,
    PrimaryWithoutAddress,
    Hold(HoldKind),
}

/// Serves a recorded member on the address it was recorded at, over the wire.
async fn replay(members: &Value) -> (BTreeMap<ApiUrl, MemberAnswer>, Vec<Server>) {
    let mut servers = Vec::new();
    let mut answers = BTreeMap::new();
    for (url, recorded) in members.as_object().unwrap() {
        let recorded = recorded.clone();
        let server = Server::start(move |request: &Request| {
            let answer = &recorded[request.path.trim_start_matches('/')];
            match answer["status"].as_u64() {
                Some(status) => json(u16::try_from(status).unwrap(), &answer["body"]),
                None => Reply::Raw(Vec::new()),
            }
        });
        let server = server.await;
        let mut answer = rest().ask(&ApiUrl::parse(&server.url()).unwrap(), &Asked::default()).await;
        // Stands where it was recorded, so that `/cluster` names it by its own address.
        let url = ApiUrl::parse(url).unwrap();
        answer.peer = answer.peer.map(|_| format!("{}:{}", url.host(), url.port()).parse().unwrap());
        answers.insert(url, answer);
        servers.push(server);
    }
    (answers, servers)
}

fn recorded() -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for version in fs::read_dir(SITUATIONS).unwrap() {
        let version = version.unwrap().path();
        for file in fs::read_dir(&version).unwrap() {
            let file = file.unwrap().path();
            let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&file).unwrap();
            let folder = version.file_name().unwrap().to_str().unwrap().to_owned();
            found.push((folder, name(&file), serde_json::from_str(&text).unwrap()));
        }
    }
    found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    found
}

#[tokio::test]
async fn every_recorded_version_and_situation_is_understood() {
    let recorded = recorded();
    let versions: Vec<&str> = {
        let mut versions: Vec<&str> = recorded.iter().map(|(version, ..)| version.as_str()).collect();
        versions.dedup();
        versions
    };
    assert_eq!(versions, ["2.1", "3.0", "3.3", "4.0", "4.1"]);
    for (version, situation, fixture) in &recorded {
        let what = format!("{version} {situation}");
        let (members, _servers) = replay(&fixture["members"]).await;
        let observed = Observed { sites: BTreeMap::from([(None, members)]), ..Observed::default() };
        let spec = Spec { scope: Scope::new("batman"), ..spec() };
        let expected = expected(situation);
        match (verdict(&spec, &observed, &State::default()), &expected) {
            (Verdict::Primary(primary), Expected::Primary | Expected::PrimaryWithoutAddress) => {
                let has_address = matches!(expected, Expected::Primary);
                assert_eq!(primary.address.is_some(), has_address, "{what}: {primary:?}");
                assert!(primary.member.is_some() || !has_address, "{what}");
                assert!(primary.rivals.is_empty(), "{what}");
            }
            (Verdict::Hold(hold), Expected::Hold(kind)) => assert_eq!(hold.kind(), *kind, "{what}: {hold}"),
            (found, _) => panic!("{what}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn every_version_says_where_its_members_are_in_the_wal() {
    for (version, situation, fixture) in &recorded() {
        let what = format!("{version} {situation}");
        let (members, _servers) = replay(&fixture["members"]).await;
        for (url, answer) in members {
            let body = &fixture["members"][url.to_string()]["primary"]["body"];
            let Ok(status) = answer.status else { continue };
            let positions = [status.wal.written, status.wal.received, status.wal.replayed];
            let expected = ["location", "received_location", "replayed_location"];
            assert_eq!(positions, expected.map(|name| body["xlog"][name].as_u64()), "{what} {url}");
            let modes = (status.paused, status.failsafe);
            assert_eq!(
                modes,
                (body["pause"] == true, body["failsafe_mode_is_active"] == true),
                "{what} {url}"
            );
            let Ok(view) = answer.view else { continue };
            let body = &fixture["members"][url.to_string()]["cluster"]["body"]["members"];
            for (listed, body) in view.members.iter().zip(body.as_array().unwrap()) {
                let lags = (listed.lag_bytes, listed.replay_lag_bytes);
                assert_eq!(lags, (body["lag"].as_u64(), body["replay_lag"].as_u64()), "{what} {url}");
            }
        }
    }
}

// Edges of the JSON that no recording has.

async fn ask(primary: Reply, cluster: Reply) -> MemberAnswer {
    let server = Server::start(
        move |request: &Request| {
            if request.path == "/primary" { primary.clone() } else { cluster.clone() }
        },
    );
    let server = server.await;
    rest().ask(&ApiUrl::parse(&server.url()).unwrap(), &Asked::default()).await
}

#[tokio::test]
async fn unknown_words_and_fields_are_passed_over() {
    let primary = json(
        503,
        r#"{"state": "levitating", "role": "oracle", "new": {"deep": [1]}, "patroni": {"x": 1}, "xlog": null,
            "pause": "perhaps", "failsafe_mode_is_active": null}"#,
    );
    let cluster = json(
        200,
        r#"{"members": [{"name": "pg1", "role": "oracle", "state": "levitating", "api_url": null, "lag": "unknown",
            "receive_lag": "unknown", "replay_lag": "unknown", "timeline": null, "port": "5432", "host": "pg1.internal",
            "tags": {"noloadbalance": "yes", "failover_priority": 0, "other": {}}}],
            "scheduled_switchover": {"at": "tomorrow"}, "pause": true}"#,
    );
    let answer = ask(primary, cluster).await;
    let status = answer.status.unwrap();
    assert!(!status.state.is_up() && !status.paused && !status.failsafe && status.wal == Wal::default());
    let view = answer.view.unwrap();
    let pg1 = &view.members[0];
    assert!(view.paused && pg1.noloadbalance && pg1.nofailover && pg1.api_url.is_none());
    assert_eq!((pg1.lag_bytes, pg1.replay_lag_bytes), (None, None));
    assert_eq!(pg1.address.as_ref().unwrap().to_string(), "pg1.internal:5432");
}

// What is not Patroni.

async fn reason(reply: Reply) -> String {
    let answer = ask(reply.clone(), reply).await;
    assert!(answer.status.is_err() && answer.view.is_err(), "{answer:?}");
    answer.status.unwrap_err().message
}

#[track_caller]
fn says(reason: &str, words: &str) {
    assert!(reason.contains(words), "{reason}");
}

#[tokio::test]
async fn a_web_page_is_not_patroni() {
    says(
        &reason(Reply::Full(200, "text/html", "<html>It works!</html>".to_owned())).await,
        "not Patroni's JSON",
    );
}

#[tokio::test]
async fn json_of_another_server_is_not_patroni() {
    says(&reason(json(200, r#"{"status": "ok"}"#)).await, "missing field");
    says(&reason(json(200, "[]")).await, "not Patroni's JSON");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(|_| json(200, "{}")).await;
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: {}/primary\r\nContent-Length: 0\r\n\r\n", elsewhere.url());
    says(&reason(Reply::Raw(redirect.into_bytes())).await, "302");
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn other_statuses_are_not_patronis() {
    for status in [401, 404, 500] {
        says(&reason(json(status, r#"{"state": "running", "role": "primary"}"#)).await, &status.to_string());
    }
}

#[tokio::test]
async fn json_that_breaks_off_is_a_failure() {
    says(&reason(json(200, r#"{"state": "runn"#)).await, "not Patroni's JSON");
    let torn = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"state\": \"running\"".to_vec();
    reason(Reply::Raw(torn)).await;
}

#[tokio::test]
async fn json_without_end_is_cut_off() {
    let endless = Reply::Endless(vec![b' '; 64 * 1024]);
    // Neither the size nor the time of an answer is left to the other side.
    let head = ask(endless.clone(), endless).await;
    assert!(head.status.is_err());
    let server = Server::start(|_| {
        let mut answer = b"HTTP/1.0 200 OK\r\n\r\n{\"state\": \"".to_vec();
        answer.resize(2 * 1024 * 1024, b'x');
        Reply::Raw(answer)
    });
    let answer = rest().ask(&ApiUrl::parse(&server.await.url()).unwrap(), &Asked::default()).await;
    says(&answer.status.unwrap_err().message, "exceeds 1048576 bytes");
}

#[tokio::test]
async fn a_port_that_accepts_and_never_answers_is_given_up() {
    says(&reason(Reply::Hang).await, "before the timeout");
}

#[tokio::test]
async fn a_closed_port_and_a_closed_connection_are_distinguished() {
    let refused = rest().ask(&ApiUrl::parse("http://127.0.0.1:9").unwrap(), &Asked::default()).await;
    says(&refused.status.unwrap_err().message.to_lowercase(), "refused");
    let closed = reason(Reply::Raw(Vec::new())).await;
    assert!(!closed.to_lowercase().contains("refused"), "{closed}");
}

#[tokio::test]
async fn garbage_is_a_failure() {
    reason(Reply::Raw(vec![0, 159, 146, 150, b'\r', b'\n'])).await;
}
