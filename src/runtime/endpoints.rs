//! Reading one part of the endpoints, and what that part rests on.
//!
//! Invariants: unknown is not absent (2), so what cannot be read stands there as a failure; bounded (10), so no read
//! outlasts its end; independent (15), so a part waits for its own reads and for no other's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{Shared, join_all};
use tokio::sync::{OnceCell, oneshot};
use tokio::time::Instant;

use super::deadline::by;
use crate::ports::Ports;
use repoint_domain::decide::verdict::Verdict;
use repoint_domain::observed::{InstancesByAddress, Observed, Read, Sites};
use repoint_domain::spec::part::Part;
use repoint_domain::spec::{Spec, Strategy};
use repoint_domain::state::State;
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::haproxy::{Backend, BackendKey};
use repoint_domain::values::listener::Listener;
use repoint_domain::values::record::{RecordPlace, RecordSet, ZoneId};
use repoint_domain::values::target::{TargetGroup, TargetType};

/// Where the members' PostgreSQL listens, by what members say and by the state.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    primary: Option<String>,
    all: BTreeSet<String>,
}

impl Hosts {
    /// Of all that is known.
    #[must_use]
    pub fn of(sites: &Sites, state: Option<&State>, verdict: &Verdict) -> Self {
        let answers = sites.values().flat_map(BTreeMap::values);
        let views = answers.filter_map(|answer| answer.view.as_ref().ok());
        let listed = views.flat_map(|view| &view.members).filter_map(|listed| listed.address.as_ref());
        let known = state
            .into_iter()
            .flat_map(|state| sites.keys().flat_map(|site| state.members_of(site.as_ref()).values()));
        let known = known.filter_map(|known| known.address.as_ref());
        let primary = match verdict {
            Verdict::Primary(primary) => primary.address.as_ref().map(|address| address.host.clone()),
            Verdict::Hold(_) => None,
        };
        Self { primary, all: listed.chain(known).map(|address| address.host.clone()).collect() }
    }

    /// What a part rests on: a group or a record that follows the primary, where the primary is and nothing else.
    fn of_part(&self, part: &Part) -> BTreeSet<String> {
        if part.needs_every_member() { self.all.clone() } else { self.primary.iter().cloned().collect() }
    }
}

/// The hosts, as soon as members have answered. Waiting parts are woken in the order in which they came.
pub type KnownHosts = Shared<oneshot::Receiver<Hosts>>;

/// Names and instances that were looked up in one observation, each once for all parts.
#[derive(Clone, Default)]
pub struct Lookups {
    names: Cells<String, Vec<IpAddr>>,
    instances: Cells<(String, Option<AssumedRole>, BTreeSet<IpAddr>), InstancesByAddress>,
}

type Cells<K, V> = Arc<Mutex<BTreeMap<K, Arc<OnceCell<Read<V>>>>>>;

/// The cell of one result, which the first part that needs it fills.
fn cell<K: Ord, V>(cells: &Cells<K, V>, key: K) -> Arc<OnceCell<Read<V>>> {
    // A panic leaves nothing half done: each change is one insertion.
    cells.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
}

impl Lookups {
    /// The addresses of a host name.
    async fn name(&self, host: &str, ports: &Ports, until: Instant) -> Read<Vec<IpAddr>> {
        let cell = cell(&self.names, host.to_owned());
        cell.get_or_init(|| by(until, "DNS", &host, ports.resolver.resolve(host))).await.clone()
    }

    /// The running instances with these addresses in a Region.
    async fn instances(
        &self,
        (region, role): (&str, Option<&AssumedRole>),
        addresses: &BTreeSet<IpAddr>,
        ports: &Ports,
        until: Instant,
    ) -> Option<Read<InstancesByAddress>> {
        let ec2 = ports.instances.as_ref()?;
        let cell = cell(&self.instances, (region.to_owned(), role.cloned(), addresses.clone()));
        let find = || by(until, "ec2:DescribeInstances", &"*", ec2.find(region, role, addresses));
        Some(cell.get_or_init(find).await.clone())
    }
}

/// Reads the endpoints of a part at once, and what they rest on as soon as `hosts` are known. Members are left out.
pub async fn read(
    part: &Part,
    ports: &Ports,
    until: Instant,
    hosts: KnownHosts,
    lookups: &Lookups,
) -> Observed {
    let (groups, listeners, records, backends) = tokio::join!(
        groups(&part.spec, ports, until),
        listeners(&part.spec, ports, until),
        records(&part.spec, ports, until),
        backends(&part.spec, ports, until)
    );
    let read = Observed { groups, listeners, records, backends, ..Observed::default() };
    with_places(read, part, ports, until, hosts, lookups).await
}

/// Adds what the places of members rest on in these endpoints of a part.
pub async fn with_places(
    read: Observed,
    part: &Part,
    ports: &Ports,
    until: Instant,
    hosts: KnownHosts,
    lookups: &Lookups,
) -> Observed {
    // If the sender is gone, the observation was given up and needs no answer.
    let hosts = hosts.await.unwrap_or_default().of_part(part);
    let names = names(&hosts, ports, until, lookups).await;
    let instances = instances(&part.spec, &hosts, &read.groups, &names, ports, until, lookups).await;
    Observed { names, instances, ..read }
}

async fn groups(spec: &Spec, ports: &Ports, until: Instant) -> BTreeMap<GroupArn, Read<TargetGroup>> {
    let reads = spec.groups.iter().map(|group| async {
        let read = by(
            until,
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
async fn listeners(spec: &Spec, ports: &Ports, until: Instant) -> BTreeMap<ListenerArn, Read<Listener>> {
    let reads = spec.listeners().into_iter().map(|arn| async move {
        let read = ports.listeners.read(arn);
        (arn.clone(), by(until, "elasticloadbalancing:DescribeListeners", arn, read).await)
    });
    join_all(reads).await.into_iter().collect()
}

async fn records(spec: &Spec, ports: &Ports, until: Instant) -> BTreeMap<RecordPlace, Read<Vec<RecordSet>>> {
    let mut zones: BTreeMap<&ZoneId, BTreeSet<RecordPlace>> = BTreeMap::new();
    for record in &spec.records {
        let place = &record.key.place;
        // What may stand in the way is of the same name, and so on the same page of the listing.
        zones.entry(&place.zone).or_default().extend(place.excluded().chain([place.clone()]));
    }
    let reads = zones.iter().map(|(zone, places)| async move {
        let read = by(until, "route53:ListResourceRecordSets", zone, ports.zones.read(zone, places)).await;
        let of_place = |place: &RecordPlace| match &read {
            Ok(sets) => Ok(sets.get(place).cloned().unwrap_or_default()),
            Err(failure) => Err(failure.clone()),
        };
        places.iter().map(|place| (place.clone(), of_place(place))).collect::<Vec<_>>()
    });
    join_all(reads).await.into_iter().flatten().collect()
}

/// The backends of HAProxy.
pub async fn backends(spec: &Spec, ports: &Ports, until: Instant) -> BTreeMap<BackendKey, Read<Backend>> {
    let reads = spec.backends.iter().map(|backend| async {
        let read = ports.backends.read(&backend.key);
        (backend.key.clone(), by(until, "show servers state", &backend.key, read).await)
    });
    join_all(reads).await.into_iter().collect()
}

/// Looks up the hosts that are names.
async fn names(
    hosts: &BTreeSet<String>,
    ports: &Ports,
    until: Instant,
    lookups: &Lookups,
) -> BTreeMap<String, Read<Vec<IpAddr>>> {
    let names = hosts.iter().filter(|host| host.parse::<IpAddr>().is_err());
    let reads = names.map(|host| async { (host.clone(), lookups.name(host, ports, until).await) });
    join_all(reads).await.into_iter().collect()
}

/// Finds the instances at these hosts, in each Region that has a group of instances. The groups of a part have one role.
async fn instances(
    spec: &Spec,
    hosts: &BTreeSet<String>,
    groups: &BTreeMap<GroupArn, Read<TargetGroup>>,
    names: &BTreeMap<String, Read<Vec<IpAddr>>>,
    ports: &Ports,
    until: Instant,
    lookups: &Lookups,
) -> BTreeMap<String, Read<InstancesByAddress>> {
    let has_instances = |arn: &GroupArn| {
        let read = groups.get(arn).and_then(|read| read.as_ref().ok());
        read.is_some_and(|group| group.target_type == TargetType::Instance)
    };
    let with_instances = spec.groups.iter().filter(|group| has_instances(&group.arn));
    let regions: BTreeMap<&str, Option<&AssumedRole>> =
        with_instances.map(|group| (group.arn.region(), group.assume.as_ref())).collect();
    let resolved = names.values().flatten().flatten().copied();
    let addresses: BTreeSet<IpAddr> =
        hosts.iter().filter_map(|host| host.parse().ok()).chain(resolved).collect();
    if addresses.is_empty() {
        return BTreeMap::new();
    }
    let addresses = &addresses;
    let reads = regions.into_iter().map(|place| async move {
        let read = lookups.instances(place, addresses, ports, until).await?;
        Some((place.0.to_owned(), read))
    });
    join_all(reads).await.into_iter().flatten().collect()
}
