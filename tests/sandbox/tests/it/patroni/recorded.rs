//! The model's JSON beside that of real clusters, version by version and situation by situation.
//!
//! An answer is compared with the recorded answers of its own kind (status, role, state) in the same situation: the same
//! keys with the same JSON types. A key may be there or not only if it came and went in those recordings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use repoint_sandbox::Millis;
use repoint_sandbox::http::exchange::Reply;
use repoint_sandbox::patroni::{Cluster, DcsOutage, Settings, Silence, Tags, Version};
use serde_json::Value;

use super::support::*;

/// Where the recordings are, from this crate's root.
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../it/fixtures/patroni");

/// What the model does not do.
const NOT_MODELLED: [&str; 3] = ["quorum", "start_failed", "synchronous"];

const VERSIONS: [(&str, Version); 5] = [
    ("2.1", Version::V2_1),
    ("3.0", Version::V3_0),
    ("3.3", Version::V3_3),
    ("4.0", Version::V4_0),
    ("4.1", Version::V4_1),
];

/// Brings a cluster into a recorded situation and says when it is there.
fn stage(situation: &str, version: Version) -> (Cluster, Millis) {
    let failsafe_mode = situation == "failsafe";
    let standby_cluster = situation == "standby_cluster";
    let settings = Settings {
        version,
        failsafe_mode,
        standby_cluster,
        stop_time: 3 * SECOND,
        promotion_time: 4 * SECOND,
        ..Settings::default()
    };
    let mut members = vec![spec(1), spec(2), spec(3)];
    members.truncate(match situation {
        "single" => 1,
        "standby_cluster" => 2,
        _ => 3,
    });
    let mut cluster = Cluster::new("batman", SYSTEM, 1, settings, members, 0);
    let calm = settle(&mut cluster, 12 * SECOND);
    let now = calm;
    let later = match situation {
        "healthy" | "single" | "standby_cluster" => now,
        "tags" => {
            cluster.set_tags(now, PG2, Tags { noloadbalance: true, nofailover: false });
            cluster.set_tags(now, PG3, Tags { noloadbalance: false, nofailover: true });
            now
        }
        "paused" | "stopped_postgres" => {
            cluster.pause(now);
            if situation == "stopped_postgres" {
                cluster.crash_postgres(now + SECOND, PG3);
            }
            now + 15 * SECOND
        }
        "lag_unknown" => {
            cluster.leave(now, PG3);
            let away = settle(&mut cluster, now + SECOND);
            cluster.join(away, spec(4));
            away + 5 * SECOND
        }
        "stopping" | "stopped_200" | "promoting" | "switchover" => switchover(&mut cluster, now, situation),
        "election" | "no_leader" | "promoting_failover" | "after_failover" => {
            failover(&mut cluster, now, situation)
        }
        "after_stop" => {
            cluster.stop(now, PG1);
            until(&mut cluster, now, |cluster, _| cluster.leader().is_some_and(|(id, _)| id == PG2))
        }
        "hung" | "two_primaries" => {
            cluster.hang(now, PG1);
            let promoted = until(&mut cluster, now, |cluster, _| cluster.takes_writes().len() == 2);
            let published = promoted + 12 * SECOND;
            if situation == "two_primaries" {
                // Just after its slot, so that its loop is some seconds off.
                let woken = published.next_multiple_of(10 * SECOND) + 4 * SECOND;
                cluster.unhang(woken, PG1);
                woken
            } else {
                published
            }
        }
        "dcs_down" | "dcs_down_demoted" | "failsafe" => {
            cluster.dcs_down(now, DcsOutage::Closes);
            match situation {
                "dcs_down" => now,
                "failsafe" => now + 55 * SECOND,
                _ => until(&mut cluster, now, |cluster, now| {
                    let unlocked = |id| cluster.health(now, id, ME).unwrap().1.cluster_unlocked;
                    let is_back = cluster.health(now, PG1, ME).unwrap().1.state == "running";
                    is_back && cluster.ids().all(unlocked)
                }),
            }
        }
        "paused_dcs_down" => {
            cluster.pause(now);
            cluster.dcs_down(now + 12 * SECOND, DcsOutage::Closes);
            now + 60 * SECOND
        }
        other => panic!("no stage for `{other}`"),
    };
    cluster.advance(later);
    (cluster, later)
}

fn switchover(cluster: &mut Cluster, now: Millis, situation: &str) -> Millis {
    cluster.switchover(now, PG2).unwrap();
    let state =
        |cluster: &Cluster, now: Millis, id| cluster.health(now, id, ME).map(|(_, health)| health.state);
    match situation {
        "stopping" => until(cluster, now, |cluster, now| state(cluster, now, PG1) == Ok("stopping")),
        "stopped_200" => until(cluster, now, |cluster, now| state(cluster, now, PG1) == Ok("stopped")),
        "promoting" => until(cluster, now, |cluster, now| claimants(cluster, now) == [PG2]),
        _ => settle(cluster, now + SECOND),
    }
}

fn failover(cluster: &mut Cluster, now: Millis, situation: &str) -> Millis {
    if situation == "no_leader" {
        for id in [PG2, PG3] {
            cluster.set_lag(now, id, repoint_sandbox::patroni::Lag::Bytes(2_000_000));
        }
    }
    cluster.crash(now, PG1, Silence::Refused);
    match situation {
        "election" => now + 2 * SECOND,
        "no_leader" => {
            until(cluster, now, |cluster, _| cluster.key_holder().is_none());
            now + 45 * SECOND
        }
        "promoting_failover" => until(cluster, now, |cluster, now| !claimants(cluster, now).is_empty()) + 100,
        // Promoted, and its key not yet rewritten.
        _ => until(cluster, now, |cluster, _| cluster.leader().is_some()),
    }
}

/// A JSON object or list as its paths and the types found there.
type Shape = BTreeMap<String, BTreeSet<&'static str>>;

fn shape(json: &Value) -> Shape {
    let mut shape = Shape::new();
    walk(json, "", &mut shape);
    shape
}

fn walk(json: &Value, path: &str, shape: &mut Shape) {
    let kind = match json {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    shape.entry(path.to_owned()).or_default().insert(kind);
    match json {
        Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), shape)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| walk(value, &format!("{path}.{name}"), shape));
        }
        _ => {}
    }
}

/// One answer, or one entry of `/cluster`, by its kind.
type Pieces = Vec<(String, Shape)>;

/// Takes apart what a member answered on one path.
fn pieces(path: &str, status: Option<u64>, body: &Value, error: Option<&str>) -> Pieces {
    // 4.0 renamed it, and is otherwise the same.
    let word = |value: &Value| value.as_str().unwrap_or("-").replace("master", "primary");
    match (path, status) {
        ("cluster", Some(status)) => {
            let mut without_members = body.clone();
            without_members["members"] = Value::Array(Vec::new());
            let mut pieces = vec![(format!("/cluster {status}"), shape(&without_members))];
            for member in body["members"].as_array().unwrap() {
                let kind = format!("listed {} {}", word(&member["role"]), word(&member["state"]));
                pieces.push((kind, shape(member)));
            }
            pieces
        }
        (_, Some(status)) => {
            let kind = format!("/{path} {status} {} {}", word(&body["role"]), word(&body["state"]));
            vec![(kind, shape(body))]
        }
        (_, None) => vec![(format!("/{path} {}", error.unwrap()), Shape::new())],
    }
}

fn recorded(version: &str, situation: &str) -> Option<Pieces> {
    let file = Path::new(RECORDINGS).join(version).join(format!("{situation}.json"));
    let recording: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).unwrap();
    let mut found = Pieces::new();
    for member in recording["members"].as_object().unwrap().values() {
        for path in ["primary", "cluster"] {
            let answer = &member[path];
            found.extend(pieces(path, answer["status"].as_u64(), &answer["body"], answer["error"].as_str()));
        }
    }
    Some(found)
}

fn modelled(version: Version, situation: &str) -> Pieces {
    let (cluster, now) = stage(situation, version);
    let mut found = Pieces::new();
    for id in cluster.ids().filter(|id| !cluster.has_left(*id)) {
        for path in ["primary", "cluster"] {
            let silence = match cluster.reach(id, ME) {
                Err(Silence::Refused) => Some("connection refused"),
                Err(Silence::TimedOut) => Some("timed out"),
                _ => None,
            };
            let reply = cluster.answer(now, id, &format!("/{path}"), ME);
            found.extend(match &reply {
                Reply::Full { status, .. } => pieces(path, Some(u64::from(*status)), &body(&reply), None),
                Reply::Hang | Reply::Reset => {
                    pieces(path, None, &Value::Null, Some(silence.unwrap_or("connection closed")))
                }
            });
        }
    }
    found
}

fn situations() -> Vec<String> {
    let files = fs::read_dir(Path::new(RECORDINGS).join("4.1")).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !NOT_MODELLED.contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// Every path that a version ever writes in answers of this sort, with all its types.
fn vocabulary(version: &str, sort: &str) -> Shape {
    let mut all = Shape::new();
    for situation in situations() {
        for (kind, shape) in recorded(version, &situation).unwrap_or_default() {
            if kind.split(' ').next() == Some(sort) {
                for (path, types) in shape {
                    all.entry(path).or_default().extend(types);
                }
            }
        }
    }
    all
}

fn same_kind<'a>(
    version: &'a str,
    pieces: &'a Pieces,
    kind: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Shape)> {
    pieces.iter().filter(move |(other, _)| other == kind).map(move |(_, shape)| (version, shape))
}

#[test]
fn every_version_and_situation_has_the_shape_of_the_real_thing() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let vocabularies: BTreeMap<(&str, &str), Shape> = VERSIONS
        .iter()
        .flat_map(|(name, _)| ["/primary", "/cluster", "listed"].map(|sort| (*name, sort)))
        .map(|(version, sort)| ((version, sort), vocabulary(version, sort)))
        .collect();
    let ever: BTreeMap<&str, Pieces> = VERSIONS
        .iter()
        .map(|(version, _)| {
            let all = situations().into_iter().filter_map(|situation| recorded(version, &situation));
            (*version, all.flatten().collect())
        })
        .collect();
    for situation in situations() {
        // A key came and went if it did so in any version that knows it.
        let all: Vec<(&str, Pieces)> =
            VERSIONS.iter().filter_map(|(name, _)| Some((*name, recorded(name, &situation)?))).collect();
        for (name, version) in VERSIONS {
            if !all.iter().any(|(recorded, _)| *recorded == name) {
                continue;
            }
            for (kind, modelled) in modelled(version, &situation) {
                let sort = kind.split(' ').next().unwrap();
                let here = all.iter().flat_map(|(version, pieces)| same_kind(version, pieces, &kind));
                let mut alike: Vec<(&str, &Shape)> = here.collect();
                // Timing makes one state or another; then it must be a word that this version uses elsewhere.
                if !alike.is_empty() && alike.iter().all(|(version, _)| *version != name) {
                    let elsewhere: Vec<_> = same_kind(name, &ever[name], &kind).collect();
                    if elsewhere.is_empty() {
                        alike.clear();
                    }
                    alike.extend(elsewhere);
                }
                compared += 1;
                if alike.is_empty() {
                    wrong.push(format!("{name} {situation}: `{kind}` was never recorded"));
                    continue;
                }
                let Some(known) = vocabularies.get(&(name, sort)) else { continue };
                let paths: BTreeSet<&String> = known.keys().chain(modelled.keys()).collect();
                for path in paths {
                    let has: BTreeSet<bool> = alike
                        .iter()
                        .filter(|(version, _)| {
                            vocabularies[&(*version, sort)].contains_key(path) || *version == name
                        })
                        .map(|(_, shape)| shape.contains_key(path))
                        .collect();
                    match modelled.get(path) {
                        Some(_) if !has.contains(&true) => {
                            wrong.push(format!("{name} {situation}: `{kind}` has {path}"));
                        }
                        None if !has.contains(&false) => {
                            wrong.push(format!("{name} {situation}: `{kind}` lacks {path}"));
                        }
                        Some(types) if !known.get(path).is_some_and(|known| known.is_superset(types)) => {
                            wrong.push(format!("{name} {situation}: `{kind}` has {path} as {types:?}"));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}: {wrong:#?}", wrong.len());
    assert!(compared > 500, "{compared}");
}

#[test]
fn every_recorded_answer_of_a_member_is_answered_in_the_model() {
    let mut missing = Vec::new();
    for situation in situations() {
        for (name, version) in VERSIONS {
            let Some(recorded) = recorded(name, &situation) else { continue };
            let modelled: BTreeSet<String> =
                modelled(version, &situation).into_iter().map(|(kind, _)| kind).collect();
            let kinds: BTreeSet<String> = recorded.into_iter().map(|(kind, _)| kind).collect();
            for kind in kinds.difference(&modelled).filter(|kind| !kind.starts_with("listed")) {
                missing.push(format!("{name} {situation}: `{kind}`"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
