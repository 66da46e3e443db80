//! Records beside real clusters: they follow primary, standby and replicas, and what is not configured stays.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::infra::{record, with};
use crate::lab::Lab;
use crate::member::Member;
use crate::stage::Stage;
use crate::wait::wait_until;

const READERS: &str = "readers.db.example.test";
/// An address without a member.
const NOBODY: &str = "127.0.0.99";
const CHANGE: &str = "ChangeResourceRecordSets";
const TIMEOUT: Duration = Duration::from_mins(1);

pub fn trials(stage: &Arc<Stage>) -> Vec<Trial> {
    vec![stage.long_trial("records::a_pair_and_the_readers_follow_in_one_batch", follow)]
}

async fn follow(lab: &Lab) -> anyhow::Result<()> {
    let old = lab.cluster.leader().await?;
    let replicas = lab.cluster.replicas().await?;
    let mut deployment = Deployment::new(lab).await?;
    deployment.configure_pair(&old, &replicas[0]).await?;
    let readers = record(&format!("{READERS}."), "A", 77, &[NOBODY, &old.host]);
    let zone = deployment.zone.clone();
    deployment.infra.put_records(&zone, &[&[readers][..], &foreign()].concat()).await?;
    deployment.configure(&configured(&zone, READERS, "readers"));
    let mut before = sets(&deployment).await?;

    // The pair is right, and the readers are wrong.
    let after = moved_at_once(lab, &deployment, &before).await?;
    ensure!(changed(&before, &after) == [READERS], "{before:?} became {after:?}");
    ensure!(values(&after, READERS)? == hosts(&replicas), "{after:?}");
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "converged", "{report}");
    before = after;

    lab.cluster.kill9(&old).await?;
    let new = lab.cluster.wait_new_leader(&old).await?;
    let left: Vec<Member> = replicas.into_iter().filter(|member| *member != new).collect();
    wait_streaming(lab, &new, &left).await?;
    let after = moved_at_once(lab, &deployment, &before).await?;
    ensure!(values(&after, "primary")? == [new.host.clone()], "{after:?}");
    ensure!(values(&after, "secondary")? == hosts(&left), "{after:?}");
    ensure!(values(&after, READERS)? == hosts(&left), "{after:?}");

    // It comes back as a replica, and nothing else moves for that.
    lab.cluster.restart(&old).await?;
    lab.cluster.wait_healthy().await?;
    let replicas = lab.cluster.replicas().await?;
    wait_streaming(lab, &new, &replicas).await?;
    before = after;
    let after = moved_at_once(lab, &deployment, &before).await?;
    ensure!(changed(&before, &after) == [READERS], "{before:?} became {after:?}");
    ensure!(values(&after, READERS)? == hosts(&replicas), "{after:?}");

    // The standby takes over, so that all three have to move.
    lab.cluster.switchover(&left[0]).await?;
    let replicas = lab.cluster.replicas().await?;
    wait_streaming(lab, &left[0], &replicas).await?;
    before = after;
    let after = moved_at_once(lab, &deployment, &before).await?;
    ensure!(changed(&before, &after).len() == 3, "{before:?} became {after:?}");
    ensure!(values(&after, "primary")? == hosts(&left), "{after:?}");
    let standby = values(&after, "secondary")?;
    ensure!(standby.len() == 1 && hosts(&replicas).contains(&standby[0]), "{after:?}");
    ensure!(values(&after, READERS)? == hosts(&replicas), "{after:?}");
    Ok(())
}

/// What others have in the zone, beside the names of repoint and at them.
fn foreign() -> Vec<Value> {
    let of = |name: &str, kind, ttl, values: &[&str]| {
        record(&format!("{name}.db.example.test."), kind, ttl, values)
    };
    let blue = json!({ "SetIdentifier": "blue", "Weight": 7 });
    let green = json!({ "SetIdentifier": "green", "Weight": 3 });
    vec![
        of("writer", "TXT", 300, &["\"v=spf1 -all\"", "\"Two  Words\""]),
        of("readers", "AAAA", 60, &["2001:DB8::1", "2001:db8:0::2"]),
        of("www", "CNAME", 45, &["Elsewhere.Example.NET"]),
        of("x", "MX", 3600, &["10 mail.example.com"]),
        with(of("y", "A", 60, &["192.0.2.7"]), &blue),
        with(of("y", "A", 60, &["192.0.2.8", "192.0.2.3"]), &green),
    ]
}

/// The lines of a record of type A.
fn configured(zone: &str, name: &str, points_to: &str) -> String {
    format!(
        "\n[[cluster.record]]\nzone_id = \"{zone}\"\nname = \"{name}\"\ntype = \"A\"\npoints_to = \"{points_to}\"\n"
    )
}

/// The name without its dot, or the identifier of one of several.
fn called(set: &Value) -> &str {
    let name = set["SetIdentifier"].as_str().or(set["Name"].as_str()).unwrap_or_default();
    name.trim_end_matches('.')
}

/// All that stands in the zone, always in the same order.
async fn sets(deployment: &Deployment<'_>) -> anyhow::Result<Vec<Value>> {
    let sets = deployment.infra.records(&deployment.zone).await?;
    let mut sets = sets.as_array().context("a list of records")?.clone();
    sets.sort_by_key(|set| format!("{} {}", called(set), set["Type"]));
    Ok(sets)
}

/// The values of the A record that is called so, sorted.
fn values(sets: &[Value], name: &str) -> anyhow::Result<Vec<String>> {
    let set = sets.iter().find(|set| called(set) == name && set["Type"] == "A").context(name.to_owned())?;
    let records = set["ResourceRecords"].as_array().context("values")?;
    let mut values: Vec<String> =
        records.iter().filter_map(|record| record["Value"].as_str().map(str::to_owned)).collect();
    values.sort();
    Ok(values)
}

fn hosts(members: &[Member]) -> Vec<String> {
    let mut hosts: Vec<String> = members.iter().map(|member| member.host.clone()).collect();
    hosts.sort();
    hosts
}

/// What is another now.
fn changed<'a>(before: &[Value], after: &'a [Value]) -> Vec<&'a str> {
    let both = before.iter().zip(after);
    both.filter(|(before, after)| before != after).map(|(_, after)| called(after)).collect()
}

/// Nothing but values of repoint's own has changed.
fn ensure_carried_over(before: &[Value], after: &[Value]) -> anyhow::Result<()> {
    ensure!(before.len() == after.len(), "{before:?} became {after:?}");
    let foreign = foreign();
    for (before, after) in before.iter().zip(after) {
        let theirs = foreign.iter().any(|set| called(set) == called(before) && set["Type"] == before["Type"]);
        let rest = |set: &Value| with(set.clone(), &json!({ "ResourceRecords": null }));
        let is_kept = if theirs { before == after } else { rest(before) == rest(after) };
        ensure!(is_kept, "{before} became {after}");
    }
    Ok(())
}

/// How many record sets each batch has replaced since the recording began; nothing else was written.
async fn batches(deployment: &Deployment<'_>) -> anyhow::Result<Vec<usize>> {
    let mut batches = Vec::new();
    for call in deployment.written().await? {
        ensure!(call.operation == CHANGE, "{call:?}");
        let count = |action: &str| call.body.matches(&format!("<Action>{action}</Action>")).count();
        ensure!(count("DELETE") == count("CREATE") && count("UPSERT") == 0, "{call:?}");
        batches.push(count("CREATE"));
    }
    Ok(batches)
}

/// One run that changes something of `before` in one batch, and reports one call; the record sets afterwards.
async fn moved_at_once(
    lab: &Lab,
    deployment: &Deployment<'_>,
    before: &[Value],
) -> anyhow::Result<Vec<Value>> {
    lab.moto.start_recording().await?;
    let report = deployment.run(0).await?;
    ensure!(report["outcome"] == "changed", "{report}");
    let batches = batches(deployment).await?;
    let after = sets(deployment).await?;
    ensure_carried_over(before, &after)?;
    ensure!(batches == [changed(before, &after).len()], "{batches:?}: {report}");
    ensure!(zone_changes(&report) == 1, "{report}");
    Ok(after)
}

/// How many changes of zones a report counts.
fn zone_changes(report: &Value) -> u64 {
    report["api_calls"]["route53:ChangeResourceRecordSets"].as_u64().unwrap_or_default()
}

/// Waits until the leader says that they stream, and by how much they lag.
async fn wait_streaming(lab: &Lab, leader: &Member, replicas: &[Member]) -> anyhow::Result<()> {
    wait_until("the replicas stream", TIMEOUT, async || {
        let view = lab.cluster.ask(leader, "cluster").await?;
        for replica in replicas {
            let streams = view["members"].as_array().is_some_and(|members| {
                members.iter().any(|member| {
                    member["name"] == *replica.name
                        && member["state"] == "streaming"
                        && member["lag"].is_u64()
                })
            });
            ensure!(streams, "{} does not in {view}", replica.name);
        }
        Ok(())
    })
    .await
}
