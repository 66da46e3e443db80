//! Seeing: one wave of reads, all at once.
//!
//! Laws: a trigger carries no facts (1), so everything is read anew; unknown is not absent (2), so what cannot be read
//! stands in the [`World`] as a failure; bounded (10), so no read outlasts the deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use crate::domain::cluster::{ApiUrl, MemberName, Scope, SiteName};
use crate::domain::endpoint::{GroupArn, TargetGroup, TargetType};
use crate::domain::failure::{Failure, Kind};
use crate::domain::intent::{Intent, Site, Strategy};
use crate::domain::listener::{Listener, ListenerArn};
use crate::domain::memory::Memory;
use crate::domain::record::{RecordPlace, RecordSet, ZoneId};
use crate::domain::world::{Answers, InstancesByAddress, MemberAnswer, Read, Sites, World};
use crate::ports::Ports;

/// The most members that are asked: far above any real cluster, and a bound on what a strange `/cluster` can set off.
const MOST_MEMBERS: usize = 64;

/// The longest wait for memory: both stores answer within milliseconds, and no pass should hang on a dead one.
const RECALL_WITHIN: Duration = Duration::from_secs(3);

/// Reads everything that bears on the cluster, and what is remembered of it. Endpoints are read after memory: what another
/// one has done and told of is then no change of somebody else's. Target groups of sites are read by [`observe_site`].
pub async fn observe(intent: &Intent, ports: &Ports, deadline: Instant) -> (World, Read<Memory>) {
    let configured = members(intent, ports, deadline);
    let of_no_site = &intent.with_groups(|group| group.site.is_none());
    let remembered = async {
        let memory = recall(intent, ports, deadline).await;
        let (groups, listeners, records) = tokio::join!(
            groups(of_no_site, ports, deadline),
            listeners(of_no_site, ports, deadline),
            records(intent, ports, deadline)
        );
        (memory, groups, listeners, records)
    };
    let (configured, (memory, groups, listeners, records)) = tokio::join!(configured, remembered);
    let sites = and_forgotten(configured, memory.as_ref().ok(), intent, ports, deadline).await;
    let hosts = hosts(&sites, memory.as_ref().ok());
    let names = names(&hosts, ports, deadline).await;
    let instances = instances(&hosts, &groups, &names, ports, deadline).await;
    (World { sites, groups, listeners, records, names, instances }, memory)
}

/// Reads the target groups of one site as well: the one that holds the primary. The others' are left alone, so that a
/// Region whose API is away, as it well may be when its site is lost, holds up nobody.
pub async fn observe_site(
    mut world: World,
    memory: Option<&Memory>,
    site: &SiteName,
    intent: &Intent,
    ports: &Ports,
    deadline: Instant,
) -> World {
    let its = &intent.with_groups(|group| group.site.as_ref() == Some(site));
    let (groups, listeners) = tokio::join!(groups(its, ports, deadline), listeners(its, ports, deadline));
    let hosts = hosts(&world.sites, memory);
    world.groups.extend(groups);
    world.listeners.extend(listeners);
    world.instances = instances(&hosts, &world.groups, &world.names, ports, deadline).await;
    world
}

/// What is remembered, or why it cannot be told.
///
/// # Errors
/// The store's own, or that it took too long.
pub async fn recall(intent: &Intent, ports: &Ports, deadline: Instant) -> Read<Memory> {
    let deadline = deadline.min(Instant::now() + RECALL_WITHIN);
    by(deadline, "reading memory", &intent.name, ports.store.load(&intent.name)).await
}

/// Members that are remembered and that nobody names any more are asked as well.
async fn and_forgotten(
    mut sites: Sites,
    memory: Option<&Memory>,
    intent: &Intent,
    ports: &Ports,
    deadline: Instant,
) -> Sites {
    let asked = intent.sites.iter().map(|site| {
        let answers = sites.remove(&site.name).unwrap_or_default();
        let forgotten = memory.into_iter().flat_map(|memory| memory.unasked(site.name.as_ref(), &answers));
        let forgotten: Vec<ApiUrl> = forgotten.filter(|url| !is_asked(&answers, url)).cloned().collect();
        ask(site, ports, deadline, forgotten, answers)
    });
    by_site(intent, join_all(asked).await)
}

/// Asks every configured member, and then those that only `/cluster` names: each site for itself.
pub async fn members(intent: &Intent, ports: &Ports, deadline: Instant) -> Sites {
    let asked =
        intent.sites.iter().map(|site| ask(site, ports, deadline, site.members.clone(), Answers::new()));
    by_site(intent, join_all(asked).await)
}

fn by_site(intent: &Intent, answers: Vec<Answers>) -> Sites {
    intent.sites.iter().map(|site| site.name.clone()).zip(answers).collect()
}

async fn ask(
    site: &Site,
    ports: &Ports,
    deadline: Instant,
    mut wave: Vec<ApiUrl>,
    mut answers: Answers,
) -> Answers {
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
        wave = unasked(&site.scope, &answers);
        wave.truncate(MOST_MEMBERS.saturating_sub(answers.len()));
    }
    answers
}

/// The members that some `/cluster` of this scope lists and that have not been asked under any name.
fn unasked(expected: &Scope, answers: &Answers) -> Vec<ApiUrl> {
    let named: BTreeSet<&MemberName> =
        answers.values().filter_map(|answer| answer.health.as_ref().ok()?.name.as_ref()).collect();
    let views = answers.values().filter_map(|answer| answer.view.as_ref().ok());
    let unasked: BTreeSet<&ApiUrl> = views
        .filter(|view| view.scope.as_ref().is_none_or(|scope| scope == expected))
        .flat_map(|view| &view.members)
        .filter(|listed| !named.contains(&listed.name))
        .filter_map(|listed| listed.api_url.as_ref())
        .filter(|url| !is_asked(answers, url))
        .collect();
    unasked.into_iter().cloned().collect()
}

/// Whether the URL, or the address that it stands for, has answered.
fn is_asked(answers: &Answers, url: &ApiUrl) -> bool {
    let mut peers = answers.values().filter_map(|answer| answer.peer);
    let address = url.host().parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, url.port()));
    answers.contains_key(url) || address.is_some_and(|address| peers.any(|peer| peer == address))
}

async fn groups(intent: &Intent, ports: &Ports, deadline: Instant) -> BTreeMap<GroupArn, Read<TargetGroup>> {
    let reads = intent.groups.iter().map(|group| async {
        let read = by(
            deadline,
            "elasticloadbalancing:DescribeTargetHealth",
            &group.arn,
            // What a warm group holds rests on its health check.
            ports.groups.read(&group.arn, matches!(group.strategy, Strategy::Warm { .. })),
        );
        (group.arn.clone(), read.await)
    });
    join_all(reads).await.into_iter().collect()
}

/// The listeners whose weights follow the primary.
async fn listeners(
    intent: &Intent,
    ports: &Ports,
    deadline: Instant,
) -> BTreeMap<ListenerArn, Read<Listener>> {
    let reads = intent.listeners().into_keys().map(|arn| async move {
        let read = ports.listeners.read(arn);
        (arn.clone(), by(deadline, "elasticloadbalancing:DescribeListeners", arn, read).await)
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

/// Where the members' PostgreSQL listens, as they say or as is remembered.
fn hosts(sites: &Sites, memory: Option<&Memory>) -> BTreeSet<String> {
    let answers = sites.values().flat_map(BTreeMap::values);
    let views = answers.filter_map(|answer| answer.view.as_ref().ok());
    let listed = views.flat_map(|view| &view.members).filter_map(|listed| listed.address.as_ref());
    let known = memory
        .into_iter()
        .flat_map(|memory| sites.keys().flat_map(|site| memory.members_of(site.as_ref()).values()));
    let known = known.filter_map(|known| known.address.as_ref());
    listed.chain(known).map(|address| address.host.clone()).collect()
}

/// Looks up the hosts that are names.
async fn names(
    hosts: &BTreeSet<String>,
    ports: &Ports,
    deadline: Instant,
) -> BTreeMap<String, Read<Vec<IpAddr>>> {
    let names = hosts.iter().filter(|host| host.parse::<IpAddr>().is_err());
    let reads = names.map(|host| async {
        let read = by(deadline, "DNS", host, ports.resolver.resolve(host)).await;
        (host.clone(), read)
    });
    join_all(reads).await.into_iter().collect()
}

/// Finds the members' instances, in each Region that has a group of instances.
async fn instances(
    hosts: &BTreeSet<String>,
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
        hosts.iter().filter_map(|host| host.parse().ok()).chain(resolved).collect();
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
