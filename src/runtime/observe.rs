//! Seeing: one wave of reads, all at once.
//!
//! Laws: a trigger carries no facts (1), so everything is read anew; unknown is not absent (2), so what cannot be read
//! stands in the [`World`] as a failure; bounded (10), so no read outlasts the deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::IpAddr;

use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use crate::domain::cluster::{ApiUrl, MemberName};
use crate::domain::endpoint::{GroupArn, TargetGroup, TargetType};
use crate::domain::failure::{Failure, Kind};
use crate::domain::intent::Intent;
use crate::domain::record::{RecordPlace, RecordSet, ZoneId};
use crate::domain::world::{InstancesByAddress, MemberAnswer, Read, World};
use crate::ports::Ports;

/// The most members that are asked: far above any real cluster, and a bound on what a strange `/cluster` can set off.
const MOST_MEMBERS: usize = 64;

/// Reads everything that bears on the cluster.
pub async fn observe(intent: &Intent, ports: &Ports, deadline: Instant) -> World {
    let (members, groups, records) = tokio::join!(
        members(intent, ports, deadline),
        groups(intent, ports, deadline),
        records(intent, ports, deadline),
    );
    let names = names(&members, ports, deadline).await;
    let instances = instances(&members, &groups, &names, ports, deadline).await;
    World { members, groups, records, names, instances }
}

/// Asks every configured member, and then those that only `/cluster` names.
pub async fn members(intent: &Intent, ports: &Ports, deadline: Instant) -> BTreeMap<ApiUrl, MemberAnswer> {
    let mut answers: BTreeMap<ApiUrl, MemberAnswer> = BTreeMap::new();
    let mut wave: Vec<ApiUrl> = intent.members.clone();
    while !wave.is_empty() {
        let asked = join_all(wave.iter().map(|url| async {
            let answer = timeout_at(deadline, ports.patroni.ask(url)).await;
            answer.unwrap_or_else(|_| MemberAnswer {
                peer: None,
                health: Err(too_late("GET /primary", url)),
                view: Err(too_late("GET /cluster", url)),
            })
        }));
        let asked = asked.await;
        answers.extend(wave.into_iter().zip(asked));
        wave = unasked(intent, &answers);
        wave.truncate(MOST_MEMBERS.saturating_sub(answers.len()));
    }
    answers
}

/// The members that some `/cluster` of this scope lists and that have not been asked under any name.
fn unasked(intent: &Intent, answers: &BTreeMap<ApiUrl, MemberAnswer>) -> Vec<ApiUrl> {
    let named: BTreeSet<&MemberName> =
        answers.values().filter_map(|answer| answer.health.as_ref().ok()?.name.as_ref()).collect();
    let peers: BTreeSet<(IpAddr, u16)> =
        answers.values().filter_map(|answer| answer.peer).map(|peer| (peer.ip(), peer.port())).collect();
    let is_asked = |url: &ApiUrl| {
        let address = url.host().parse().ok().map(|ip: IpAddr| (ip, url.port()));
        answers.contains_key(url) || address.is_some_and(|address| peers.contains(&address))
    };
    let views = answers.values().filter_map(|answer| answer.view.as_ref().ok());
    let unasked: BTreeSet<&ApiUrl> = views
        .filter(|view| view.scope.as_ref().is_none_or(|scope| *scope == intent.scope))
        .flat_map(|view| &view.members)
        .filter(|listed| !named.contains(&listed.name))
        .filter_map(|listed| listed.api_url.as_ref())
        .filter(|url| !is_asked(url))
        .collect();
    unasked.into_iter().cloned().collect()
}

async fn groups(intent: &Intent, ports: &Ports, deadline: Instant) -> BTreeMap<GroupArn, Read<TargetGroup>> {
    let reads = intent.groups.iter().map(|group| async {
        let read = by(
            deadline,
            "elasticloadbalancing:DescribeTargetHealth",
            &group.arn,
            ports.groups.read(&group.arn),
        );
        (group.arn.clone(), read.await)
    });
    join_all(reads).await.into_iter().collect()
}

async fn records(
    intent: &Intent,
    ports: &Ports,
    deadline: Instant,
) -> BTreeMap<RecordPlace, Read<Vec<RecordSet>>> {
    let mut zones: BTreeMap<&ZoneId, BTreeSet<RecordPlace>> = BTreeMap::new();
    for record in &intent.records {
        zones.entry(&record.key.place.zone).or_default().insert(record.key.place.clone());
    }
    let reads = zones.iter().map(|(zone, places)| async move {
        let read = by(deadline, "route53:ListResourceRecordSets", zone, ports.zones.read(zone, places)).await;
        let of_place = |place: &RecordPlace| match &read {
            Ok(sets) => Ok(sets.get(place).cloned().unwrap_or_default()),
            Err(failure) => Err(failure.clone()),
        };
        places.iter().map(|place| (place.clone(), of_place(place))).collect::<Vec<_>>()
    });
    join_all(reads).await.into_iter().flatten().collect()
}

fn hosts(members: &BTreeMap<ApiUrl, MemberAnswer>) -> BTreeSet<String> {
    let views = members.values().filter_map(|answer| answer.view.as_ref().ok());
    views
        .flat_map(|view| &view.members)
        .filter_map(|listed| listed.address.as_ref())
        .map(|address| address.host.clone())
        .collect()
}

/// Looks up the hosts that are names.
async fn names(
    members: &BTreeMap<ApiUrl, MemberAnswer>,
    ports: &Ports,
    deadline: Instant,
) -> BTreeMap<String, Read<Vec<IpAddr>>> {
    let hosts = hosts(members).into_iter().filter(|host| host.parse::<IpAddr>().is_err());
    let reads = hosts.map(|host| async {
        let read = by(deadline, "DNS", &host, ports.resolver.resolve(&host)).await;
        (host, read)
    });
    join_all(reads).await.into_iter().collect()
}

/// Finds the members' instances, in each Region that has a group of instances.
async fn instances(
    members: &BTreeMap<ApiUrl, MemberAnswer>,
    groups: &BTreeMap<GroupArn, Read<TargetGroup>>,
    names: &BTreeMap<String, Read<Vec<IpAddr>>>,
    ports: &Ports,
    deadline: Instant,
) -> BTreeMap<String, Read<InstancesByAddress>> {
    let Some(ec2) = &ports.instances else { return BTreeMap::new() };
    let regions: BTreeSet<&str> = groups
        .iter()
        .filter(|(_, group)| group.as_ref().is_ok_and(|group| group.target_type == TargetType::Instance))
        .map(|(arn, _)| arn.region())
        .collect();
    let resolved = names.values().flatten().flatten().copied();
    let addresses: BTreeSet<IpAddr> =
        hosts(members).iter().filter_map(|host| host.parse().ok()).chain(resolved).collect();
    if addresses.is_empty() {
        return BTreeMap::new();
    }
    let addresses = &addresses;
    let reads = regions.into_iter().map(|region| async move {
        let read = by(deadline, "ec2:DescribeInstances", &"*", ec2.find(region, addresses)).await;
        (region.to_owned(), read)
    });
    join_all(reads).await.into_iter().collect()
}

/// A read that ends by the deadline.
async fn by<T>(
    deadline: Instant,
    call: &str,
    resource: &impl ToString,
    read: impl Future<Output = Read<T>>,
) -> Read<T> {
    timeout_at(deadline, read).await.unwrap_or_else(|_| Err(too_late(call, resource)))
}

/// The failure of a call that the pass could not wait for.
pub fn too_late(call: &str, resource: &impl ToString) -> Failure {
    Failure {
        kind: Kind::Unavailable,
        call: call.to_owned(),
        resource: resource.to_string(),
        message: "no answer before the pass's deadline".to_owned(),
    }
}
