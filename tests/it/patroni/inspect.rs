//! What doctor reads of Patroni beyond what a pass reads.

use serde_json::{Value, json};

use super::{recorded, rest};
use crate::support::http::{Reply, Request, Server, json as reply};
use repoint_domain::doctor::facts::patroni::PatroniConfig;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::failure::Kind;

async fn serving(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> (Server, ApiUrl) {
    let server = Server::start(answer).await;
    let url = ApiUrl::parse(&server.url()).unwrap();
    (server, url)
}

async fn config(json: Value) -> PatroniConfig {
    let (_server, url) = serving(move |_| reply(200, &json)).await;
    rest().config(&url).await.unwrap()
}

#[tokio::test]
async fn every_recorded_version_is_inspected() {
    for (version, situation, fixture) in recorded() {
        if situation != "healthy" {
            continue;
        }
        for (_, member) in fixture["members"].as_object().unwrap() {
            let (health, cluster) = (member["primary"]["body"].clone(), member["cluster"]["body"].clone());
            let served = (health.clone(), cluster.clone());
            let (_server, url) = serving(move |request| match request.path.as_str() {
                "/patroni" => reply(200, &served.0),
                _ => reply(200, &served.1),
            })
            .await;
            let facts = rest().inspect(&url, false, false).await;
            let (own, listed) = (facts.health.unwrap(), facts.cluster.unwrap().members);
            assert!(own.version.as_ref().unwrap().starts_with(&version), "{own:?}");
            assert_eq!(own.server_version, health["server_version"].as_u64());
            assert_eq!(listed.len(), 3, "{version}: {listed:?}");
            assert!(
                listed.iter().all(|member| member.runs() && member.host.is_some()),
                "{version}: {listed:?}"
            );
            assert_eq!(listed.iter().filter(|member| member.leads()).count(), 1, "{version}");
            assert!(facts.history.is_none() && facts.switchover_status.is_none());
        }
    }
}

#[tokio::test]
async fn ages_are_by_the_members_own_clock() {
    let body = json!({"patroni": {"version": "4.1.5"}, "dcs_last_seen": 784_111_770, "pending_restart": true,
        "watchdog_failed": true, "tags": {"nofailover": true, "zone": "a"}});
    let (_server, url) = serving(move |_| {
        // Patroni answers so, 7 s after it last reached the DCS; its clock is decades behind.
        let head = "HTTP/1.0 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/json\r\n\r\n";
        Reply::Raw(format!("{head}{body}").into_bytes())
    })
    .await;
    let health = rest().inspect(&url, false, false).await.health.unwrap();
    assert_eq!(health.dcs_age_seconds, Some(7));
    assert!(health.clock_ahead_seconds.unwrap() < -900_000_000);
    assert!(health.is_restart_pending && health.has_watchdog_failed);
    assert_eq!(health.tags["nofailover"], "true");
}

#[tokio::test]
async fn the_dynamic_configuration_is_read_as_patroni_reads_it() {
    let read = config(json!({"ttl": "25", "loop_wait": 5, "synchronous_mode": "Quorum", "failsafe_mode": "on",
        "master_start_timeout": 60, "standby_cluster": {"host": "", "port": 0, "create_replica_methods": ["a"]},
        "postgresql": {"use_pg_rewind": "yes", "parameters": {"wal_log_hints": "off", "max_connections": 100}}}))
    .await;
    let parameters = [("max_connections", "100"), ("wal_log_hints", "off")];
    let expected = PatroniConfig {
        ttl: Some(25),
        loop_wait: Some(5),
        synchronous_mode: Some("quorum".to_owned()),
        failsafe_mode: Some(true),
        primary_start_timeout: Some(60),
        use_pg_rewind: Some(true),
        parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..PatroniConfig::default()
    };
    assert_eq!(read, expected);
    assert!(config(json!({"standby_cluster": {"restore_command": "cp"}})).await.is_standby_cluster);
    let off = config(json!({"synchronous_mode": false, "ttl": "soon"})).await;
    assert_eq!((off.synchronous_mode.as_deref(), off.ttl), (Some("off"), None));
}

#[tokio::test]
async fn what_is_not_patronis_is_a_failure() {
    let (_server, url) = serving(|_| reply(200, r#"{"status": "ok"}"#)).await;
    let facts = rest().inspect(&url, true, false).await;
    for failure in
        [facts.health.unwrap_err(), facts.cluster.unwrap_err(), facts.history.unwrap().unwrap_err()]
    {
        assert_eq!(failure.kind, Kind::Invalid, "{failure}");
    }
    let (_server, url) = serving(|_| reply(502, "null")).await;
    assert_eq!(rest().config(&url).await.unwrap_err().kind, Kind::Invalid);
}

#[tokio::test]
async fn a_scheduled_switchover_is_read() {
    let (_server, url) = serving(|_| {
        let at = "2026-12-01T02:00:00+00:00";
        reply(200, &json!({"members": [], "scheduled_switchover": {"at": at, "from": "pg1", "to": "pg2"}}))
    })
    .await;
    let cluster = rest().inspect(&url, false, false).await.cluster.unwrap();
    assert_eq!(cluster.scheduled_switchover.unwrap(), "at 2026-12-01T02:00:00+00:00 from pg1 to pg2");
}

#[tokio::test]
async fn the_probe_has_neither_body_nor_length_nor_credentials() {
    let (server, url) =
        serving(|request| reply(if request.method == "POST" { 411 } else { 404 }, "{}")).await;
    let facts = rest().inspect(&url, false, true).await;
    assert_eq!(facts.switchover_status, Some(Ok(411)));
    let requests = server.requests();
    let posts: Vec<&Request> = requests.iter().filter(|request| request.method == "POST").collect();
    let [post] = posts[..] else { panic!("{posts:?}") };
    assert_eq!((post.path.as_str(), post.body.as_str()), ("/switchover", ""));
    for absent in ["content-length", "transfer-encoding", "authorization"] {
        assert!(!post.headers.contains_key(absent), "{post:?}");
    }
}
