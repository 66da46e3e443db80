//! The REST API beyond what the recordings show.

use repoint_sandbox::http::exchange::Reply;
use repoint_sandbox::patroni::{Lag, Settings, Silence, Tags, Version};

use super::support::*;

#[test]
fn every_path_has_its_status() {
    let mut cluster = usual();
    cluster.set_tags(1, PG3, Tags { noloadbalance: true, ..Tags::default() });
    cluster.advance(20 * SECOND);
    let statuses = |path: &str| [PG1, PG2, PG3].map(|id| status(&cluster.answer(20 * SECOND, id, path, ME)));
    for path in ["/", "/primary", "/master", "/read-write", "/leader", "/primary?x=1"] {
        assert_eq!(statuses(path), [200, 503, 503], "{path}");
    }
    assert_eq!(statuses("/replica"), [503, 200, 503]);
    assert_eq!(statuses("/read-only"), [200, 200, 503]);
    assert_eq!(statuses("/standby-leader"), [503; 3]);
    assert_eq!(statuses("/nonsense"), [503; 3]);
    for path in ["/patroni", "/health", "/cluster", "/history", "/liveness", "/readiness"] {
        assert_eq!(statuses(path), [200; 3], "{path}");
    }
}

#[test]
fn both_transports_say_the_same() {
    for version in Version::ALL {
        let mut cluster = cluster(Settings { version, ..Settings::default() });
        cluster.switchover(5 * SECOND, PG2).unwrap();
        for now in (5_000..40_000).step_by(50) {
            cluster.advance(now);
            for id in cluster.ids() {
                let (ok, health) = cluster.health(now, id, ME).unwrap();
                let reply = cluster.answer(now, id, "/primary", ME);
                let json = body(&reply);
                assert_eq!(ok, status(&reply) == 200);
                assert_eq!(
                    (json["role"].as_str(), json["state"].as_str()),
                    (Some(health.role), Some(health.state))
                );
                assert_eq!(json["timeline"].as_u64(), health.timeline.map(u64::from));
                let view = cluster.view(now, id, ME).unwrap();
                let json = body(&cluster.answer(now, id, "/cluster", ME));
                let listed: Vec<_> = json["members"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|member| {
                        (
                            member["name"].as_str().unwrap(),
                            member["role"].as_str().unwrap(),
                            member["state"].as_str().unwrap(),
                        )
                    })
                    .collect();
                let typed: Vec<_> = view.members.iter().map(|m| (&*m.name, m.role, m.state)).collect();
                assert_eq!(listed, typed);
            }
        }
    }
}

#[test]
fn the_history_names_every_timeline_that_ended() {
    let mut cluster = usual();
    assert_eq!(body(&cluster.answer(0, PG1, "/history", ME)), serde_json::json!([]));
    cluster.switchover(5 * SECOND, PG3).unwrap();
    let settled = settle(&mut cluster, 6 * SECOND);
    let history = body(&cluster.answer(settled, PG2, "/history", ME));
    let line = &history[0];
    assert_eq!((line[0].as_u64(), line[2].as_str()), (Some(1), Some("no recovery target specified")));
    assert_eq!(line[4].as_str(), Some("pg3"));
}

#[test]
fn silences_have_their_replies() {
    let mut cluster = usual();
    cluster.hang(1, PG1);
    cluster.crash(1, PG2, Silence::Refused);
    cluster.cut_from_dcs(1, PG3);
    assert_eq!(cluster.answer(1, PG1, "/primary", ME), Reply::Hang);
    assert_eq!(cluster.answer(1, PG2, "/primary", ME), Reply::Reset);
    assert_eq!(cluster.answer(1, PG3, "/cluster", ME), Reply::Reset);
    assert_eq!(status(&cluster.answer(1, PG3, "/primary", ME)), 503);
}

#[test]
fn a_patroni_whose_loop_stopped_is_not_live() {
    let mut cluster = usual();
    cluster.dcs_down(1, repoint_sandbox::patroni::DcsOutage::Closes);
    cluster.advance(300 * SECOND);
    assert_eq!(status(&cluster.answer(300 * SECOND, PG2, "/liveness", ME)), 503);
}

#[test]
fn a_lag_is_in_bytes_or_unknown() {
    for version in [Version::V3_3, Version::V4_1] {
        let mut cluster = cluster(Settings { version, ..Settings::default() });
        cluster.set_lag(1, PG2, Lag::Bytes(4_096));
        cluster.set_lag(1, PG3, Lag::Unknown);
        cluster.advance(20 * SECOND);
        let view = cluster.view(20 * SECOND, PG1, ME).unwrap();
        let lags: Vec<_> = view.members.iter().map(|member| member.location.map(|at| at.lag)).collect();
        assert_eq!(lags, [None, Some(Lag::Bytes(4_096)), Some(Lag::Unknown)]);
        let json = body(&cluster.answer(20 * SECOND, PG1, "/cluster", ME));
        assert!(json["members"][0].get("lag").is_none());
        assert_eq!(
            (&json["members"][1]["lag"], &json["members"][2]["lag"]),
            (&4_096.into(), &"unknown".into())
        );
        let newest = version == Version::V4_1;
        assert_eq!(json["members"][2].get("replay_lag").is_some_and(|lag| lag == "unknown"), newest);
        assert_eq!(json["members"][1].get("receive_lsn").is_some_and(|lsn| lsn == "0/4FFF000"), newest);
    }
}
