//! Ports whose calls are made under the role of the endpoint that they are about.
//!
//! No batch, no listing of a zone and no client is shared between roles (invariant 7).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::future::join_all;

use crate::adapters::elbv2::Elbv2;
use crate::limits::LeaseGuard;
use crate::ports::{Listeners, TargetGroups, Zones};
use repoint_domain::observed::Read;
use repoint_domain::spec::{Source, Spec};
use repoint_domain::values::arn::{GroupArn, ListenerArn};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::listener::{Forward, Listener};
use repoint_domain::values::record::{ChangeId, Listing, RecordChange, RecordName, RecordPlace, ZoneId};
use repoint_domain::values::target::{Target, TargetGroup};

/// The role of the process's own credentials is none.
pub type Owner = Option<AssumedRole>;

/// How many changes are kept with the role that made them: those that are waited for, which are at most a few minutes old.
const CHANGES_KEPT: usize = 1024;

/// Which role each endpoint's calls are made under.
#[derive(Debug, Default)]
pub struct Roles {
    groups: BTreeMap<GroupArn, Owner>,
    listeners: BTreeMap<ListenerArn, Owner>,
    /// Where members are discovered: in a Region, or in the process's own.
    discovery: BTreeSet<(Option<String>, Owner)>,
    /// By zone and name: what stands beside a record under another type is read with it.
    names: BTreeMap<(ZoneId, RecordName), Owner>,
    /// Batches that were sent under a role, which their ids do not say.
    changes: Mutex<VecDeque<(ChangeId, Owner)>>,
}

impl Roles {
    /// Those of the configuration.
    #[must_use]
    pub fn of(clusters: &[Spec]) -> Self {
        let mut roles = Self::default();
        for spec in clusters {
            for group in &spec.groups {
                roles.groups.insert(group.arn.clone(), group.assume.clone());
            }
            for (listeners, groups) in spec.weighted_sets() {
                let owner = groups.first().and_then(|(_, group)| group.assume.clone());
                for listener in listeners {
                    roles.listeners.insert(listener.clone(), owner.clone());
                }
            }
            for site in &spec.sites {
                if let Some(Source::Instances { region, assume, .. }) =
                    site.discover.as_ref().map(|discover| &discover.source)
                {
                    roles.discovery.insert((region.clone(), assume.clone()));
                }
            }
            for record in &spec.records {
                let place = &record.key.place;
                roles.names.insert((place.zone.clone(), place.name.clone()), record.assume.clone());
            }
        }
        roles
    }

    /// All of them, and the process's own credentials.
    #[must_use]
    pub fn owners(&self) -> BTreeSet<Owner> {
        let named = self.groups.values().chain(self.listeners.values()).chain(self.names.values());
        let discovery = self.discovery.iter().map(|(_, owner)| owner);
        named.chain(discovery).cloned().chain([None]).collect()
    }

    /// The Regions in which there are groups or instances to be discovered under that role; `own` is the process's.
    #[must_use]
    pub fn regions<'a>(&'a self, owner: &Owner, own: &'a str) -> BTreeSet<&'a str> {
        self.group_regions(owner).union(&self.discovery_regions(owner, own)).copied().collect()
    }

    /// The Regions in which there are groups under that role.
    #[must_use]
    pub fn group_regions(&self, owner: &Owner) -> BTreeSet<&str> {
        self.groups.iter().filter(|(_, its)| *its == owner).map(|(group, _)| group.region()).collect()
    }

    /// The Regions in which there are instances to be discovered under that role.
    #[must_use]
    pub fn discovery_regions<'a>(&'a self, owner: &Owner, own: &'a str) -> BTreeSet<&'a str> {
        let its = self.discovery.iter().filter(|(_, its)| its == owner);
        its.map(|(region, _)| region.as_deref().unwrap_or(own)).collect()
    }

    /// Whether there are records under that role.
    #[must_use]
    pub fn has_records(&self, owner: &Owner) -> bool {
        self.names.values().any(|its| its == owner)
    }

    fn of_place(&self, place: &RecordPlace) -> Owner {
        self.names.get(&(place.zone.clone(), place.name.clone())).cloned().flatten()
    }

    fn record(&self, change: &ChangeId, owner: &Owner) {
        if owner.is_some() {
            let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            if changes.len() == CHANGES_KEPT {
                changes.pop_front();
            }
            changes.push_back((change.clone(), owner.clone()));
        }
    }

    fn of_change(&self, change: &ChangeId) -> Owner {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().rev().find(|(known, _)| known == change).and_then(|(_, owner)| owner.clone())
    }
}

/// One port for each role; every pass has its own, so they are a list of just as many.
pub struct ByRole<P> {
    roles: Arc<Roles>,
    ports: Box<[(Owner, P)]>,
}

impl<P> ByRole<P> {
    /// Of these ports.
    #[must_use]
    pub fn new(roles: Arc<Roles>, ports: impl IntoIterator<Item = (Owner, P)>) -> Self {
        Self { roles, ports: ports.into_iter().collect() }
    }

    /// Every role that is configured has a port.
    fn port(&self, owner: &Owner, call: &str, resource: &impl ToString) -> Result<&P, Failure> {
        let port = self.ports.iter().find(|(its, _)| its == owner).map(|(_, port)| port);
        port.ok_or_else(|| Failure::new(Kind::Invalid, call, resource.to_string(), "no client for its role"))
    }
}

impl ByRole<Elbv2> {
    fn of_group(&self, arn: &GroupArn, call: &str) -> Result<&Elbv2, Failure> {
        self.port(self.roles.groups.get(arn).unwrap_or(&None), call, arn)
    }

    fn of_listener(&self, arn: &ListenerArn, call: &str) -> Result<&Elbv2, Failure> {
        self.port(self.roles.listeners.get(arn).unwrap_or(&None), call, arn)
    }
}

#[async_trait]
impl TargetGroups for ByRole<Elbv2> {
    async fn read(&self, arn: &GroupArn, with_check: bool) -> Read<TargetGroup> {
        let port = self.of_group(arn, "elasticloadbalancing:DescribeTargetHealth")?;
        TargetGroups::read(port, arn, with_check).await
    }

    async fn register(&self, arn: &GroupArn, targets: &[Target], guard: &LeaseGuard) -> Result<(), Failure> {
        let port = self.of_group(arn, "elasticloadbalancing:RegisterTargets")?;
        port.register(arn, targets, guard).await
    }

    async fn deregister(
        &self,
        arn: &GroupArn,
        targets: &[Target],
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        let port = self.of_group(arn, "elasticloadbalancing:DeregisterTargets")?;
        port.deregister(arn, targets, guard).await
    }
}

#[async_trait]
impl Listeners for ByRole<Elbv2> {
    async fn read(&self, arn: &ListenerArn) -> Read<Listener> {
        let port = self.of_listener(arn, "elasticloadbalancing:DescribeListeners")?;
        Listeners::read(port, arn).await
    }

    async fn forward(&self, arn: &ListenerArn, forward: &Forward, guard: &LeaseGuard) -> Result<(), Failure> {
        self.of_listener(arn, "elasticloadbalancing:ModifyListener")?.forward(arn, forward, guard).await
    }
}

#[async_trait]
impl Zones for ByRole<Arc<dyn Zones>> {
    async fn read(&self, zone: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        let mut of_owners: BTreeMap<Owner, BTreeSet<RecordPlace>> = BTreeMap::new();
        for place in places {
            of_owners.entry(self.roles.of_place(place)).or_default().insert(place.clone());
        }
        let reads = of_owners.iter().map(|(owner, its)| async move {
            self.port(owner, "route53:ListResourceRecordSets", zone)?.read(zone, its).await
        });
        let mut all = Listing::new();
        for read in join_all(reads).await {
            all.extend(read?);
        }
        Ok(all)
    }

    async fn change(
        &self,
        zone: &ZoneId,
        changes: &[RecordChange],
        guard: &LeaseGuard,
    ) -> Vec<Result<ChangeId, Failure>> {
        let mut of_owners: BTreeMap<Owner, Vec<usize>> = BTreeMap::new();
        for (number, change) in changes.iter().enumerate() {
            of_owners.entry(self.roles.of_place(&change.after.key.place)).or_default().push(number);
        }
        let sent = of_owners.iter().map(|(owner, numbers)| async move {
            let its: Vec<RecordChange> = numbers.iter().map(|number| changes[*number].clone()).collect();
            let results = match self.port(owner, "route53:ChangeResourceRecordSets", zone) {
                Ok(port) => port.change(zone, &its, guard).await,
                Err(failure) => vec![Err(failure); its.len()],
            };
            results.iter().flatten().for_each(|change| self.roles.record(change, owner));
            numbers.iter().copied().zip(results).collect::<Vec<_>>()
        });
        let results: BTreeMap<usize, _> = join_all(sent).await.into_iter().flatten().collect();
        results.into_values().collect()
    }

    async fn is_insync(&self, change: &ChangeId) -> Read<bool> {
        self.port(&self.roles.of_change(change), "route53:GetChange", change)?.is_insync(change).await
    }
}

#[cfg(feature = "ec2")]
#[async_trait]
impl crate::ports::Instances for ByRole<crate::adapters::ec2::Ec2> {
    async fn find(
        &self,
        region: &str,
        role: Option<&AssumedRole>,
        addresses: &BTreeSet<std::net::IpAddr>,
    ) -> Read<repoint_domain::observed::InstancesByAddress> {
        self.port(&role.cloned(), "ec2:DescribeInstances", &region)?.find(region, addresses).await
    }
}
