//! The dead man's switch: a URL that is asked for while repoint works.

use repoint_sandbox::http::sandbox::Site;

use super::place::{PATIENCE, PG1, Place};
use crate::support::http::{Reply, Server, json};

const VARIABLE: &str = "REPOINT_ALERTS_HEARTBEAT_URL";
const SECRET: &str = "0b1d6c3e";

async fn taken() -> Server {
    Server::start(|_| json(200, "ok")).await
}

fn url(server: &Server) -> String {
    format!("{}/ping/{SECRET}", server.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_could_do_its_work_sends_a_heartbeat() {
    let (mut place, server) = (Place::new("[pass]\ndeadline_seconds = 2\n"), taken().await);
    place.set(VARIABLE, &url(&server));
    assert_eq!(place.run(&["run"]).await.0, 0);
    assert_eq!(server.actions(), [format!("GET /ping/{SECRET}")]);
    // To look is not to work.
    assert_eq!(place.run(&["plan"]).await.0, 0);
    place.sandbox.with(Site::throttle);
    assert_eq!(place.run(&["run"]).await.0, 1);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_sends_heartbeats_again_and_again() {
    let mut place = Place::new("[watch]\ninterval_seconds = 0.1\naudit_interval_seconds = 0.5\n");
    let server = taken().await;
    place.set(VARIABLE, &url(&server));
    let _daemon = place.daemon().await;
    place.until(|_| server.requests().len() >= 2).await;
}

/// Such as with keys that have expired: its alerts need the same ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_passes_fail_sends_no_heartbeat() {
    let mut place = Place::new(
        "[watch]\ninterval_seconds = 0.1\naudit_interval_seconds = 0.5\n[pass]\ndeadline_seconds = 1\n",
    );
    place.sandbox.with(Site::throttle);
    let server = taken().await;
    place.set(VARIABLE, &url(&server));
    let mut daemon = place.daemon().await;
    for _ in 0..3 {
        daemon.says("outcome=\"failed\"").await;
    }
    assert_eq!(server.requests().len(), 0);
    place.sandbox.with(Site::heal_aws);
    place.until(|_| !server.requests().is_empty()).await;
}

/// Nothing hinges on it, and what is said of it is not the secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_delays_and_changes_nothing() {
    let (mut place, server) = (Place::new(""), Server::start(|_| Reply::Hang).await);
    place.set(VARIABLE, &url(&server));
    let (code, said) = place.run(&["run"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("heartbeat to http://127.0.0.1/*** failed"), "{said}");
    assert!(!said.contains(SECRET), "{said}");

    let mut place = Place::new("[watch]\ninterval_seconds = 0.1\naudit_interval_seconds = 0.2\n");
    place.set(VARIABLE, &url(&server));
    let _daemon = place.daemon().await;
    place.until(|_| server.requests().len() >= 3).await;
    place.meddle(super::place::PG3);
    tokio::time::timeout(PATIENCE, place.until_right(PG1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_is_a_secret() {
    let place = |url: &str| {
        let mut place = Place::new("");
        place.set(VARIABLE, url);
        place
    };
    let checked = place(&format!("https://hc.example.com/{SECRET}"));
    let output = checked.command(&["check"]).output().await.unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("heartbeat_url = \"https://hc.example.com/***\""), "{shown}");

    let (code, said) = place(&format!("htps://hc.example.com/{SECRET}")).run(&["check"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains(VARIABLE) && said.contains("https://"), "{said}");
    assert!(!said.contains(SECRET), "{said}");

    let wrong = Place::new("");
    let path = wrong.folder.path().join("repoint.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let with = format!("[alerts]\nheartbeat_url = \"hc.example.com/{SECRET}\"");
    std::fs::write(&path, text.replace("[alerts]", &with)).unwrap();
    let (code, said) = wrong.run(&["check"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("`alerts.heartbeat_url`") && !said.contains(SECRET), "{said}");
}
