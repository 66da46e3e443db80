//! Reading resources of AWS, each under the role whose account owns it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;

use super::{Notify, every};
use crate::adapters::aws::Access;
use crate::adapters::aws::refusal::missing;
use crate::adapters::inspect::Inspect;
use crate::app::App;
use crate::limits::Calls;
use repoint_domain::doctor::facts::balancer::{BalancerDescription, BalancerFacts};
use repoint_domain::doctor::facts::group::GroupFacts;
use repoint_domain::doctor::facts::record::{HealthCheck, HostedZone};
use repoint_domain::doctor::facts::{ClusterFacts, Place};
use repoint_domain::observed::Read;
use repoint_domain::spec::{GroupSpec, RecordSpec, Spec};
use repoint_domain::values::arn::GroupArn;
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::ZoneId;

/// The load balancers of each place.
type Balancers = BTreeMap<Place, Read<BTreeMap<String, BalancerDescription>>>;

/// The target groups and what is in front of them.
pub struct Groups {
    pub by_arn: BTreeMap<GroupArn, GroupFacts>,
    pub balancers: BTreeMap<String, BalancerFacts>,
    /// The DNS names of all load balancers where there are groups or where an alias leads.
    pub balancer_names: BTreeMap<Place, Read<BTreeMap<String, String>>>,
}

/// The clients of each place, made when they are first needed.
pub struct Reader<'a> {
    app: &'a App,
    calls: Calls,
    places: Mutex<BTreeMap<Place, Arc<Inspect>>>,
}

impl<'a> Reader<'a> {
    pub fn new(app: &'a App) -> Self {
        Self { app, calls: Calls::new(app.limiter.clone()), places: Mutex::default() }
    }

    /// The Region of the process's own credentials.
    pub fn own_region(&self) -> &'a str {
        self.app.aws.config().region().map(AsRef::as_ref).unwrap_or_default()
    }

    /// With the process's own credentials.
    pub fn own(&self, region: &str) -> Arc<Inspect> {
        self.at(&Place { region: region.to_owned(), role: None })
    }

    pub fn at(&self, place: &Place) -> Arc<Inspect> {
        // An entry is only added, so a panic leaves nothing half done.
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Inspect::new(self.access(place), &place.region, self.calls.clone()));
        places.entry(place.clone()).or_insert_with(new).clone()
    }

    /// Every role of the configuration has clients.
    fn access(&self, place: &Place) -> &Access {
        let arn = |owner: &Option<AssumedRole>| owner.as_ref().map(|role| role.arn.clone());
        let its = self.app.clients.iter().find(|(owner, _)| arn(owner) == place.role);
        its.map_or(&self.app.aws, |(_, clients)| &clients.access)
    }

    /// The configured target groups, and the load balancers that forward to them.
    pub async fn groups(&self, specs: &[Spec], notify: &impl Notify) -> Groups {
        let mut places: BTreeMap<Place, Vec<GroupArn>> = BTreeMap::new();
        for group in specs.iter().flat_map(|spec| &spec.groups) {
            places.entry(place_of(group)).or_default().push(group.arn.clone());
        }
        let listings = places.keys().cloned().chain(specs.iter().flat_map(places_of_aliases));
        let listings: BTreeSet<Place> = listings.collect();
        let listed = listings.into_iter().map(|place| async move {
            let balancers = self.at(&place).balancers().await;
            (place, balancers)
        });
        let groups = places.iter().map(|(place, arns)| async move {
            let at = &self.at(place);
            let reads = arns
                .iter()
                .map(|arn| async move { (arn, tokio::join!(at.group_attributes(arn), at.targets(arn))) });
            let (descriptions, others) = tokio::join!(at.groups(arns), every("target groups", notify, reads));
            let mut others: BTreeMap<_, _> = others.into_iter().collect();
            let facts = descriptions.into_iter().filter_map(|(arn, group)| {
                let (attributes, targets) = others.remove(&arn)?;
                Some((arn, GroupFacts { group, attributes, targets }))
            });
            (place, facts.collect::<BTreeMap<_, _>>())
        });
        let (groups, listed) = tokio::join!(join_all(groups), join_all(listed));
        let listed: Balancers = listed.into_iter().collect();
        let balancers = self.balancers(&groups, &listed, notify).await;
        let names = |listed: BTreeMap<String, BalancerDescription>| {
            listed.into_iter().map(|(arn, balancer)| (balancer.dns_name, arn)).collect()
        };
        Groups {
            by_arn: groups.into_iter().flat_map(|(_, groups)| groups).collect(),
            balancers,
            balancer_names: listed.into_iter().map(|(place, listed)| (place, listed.map(names))).collect(),
        }
    }

    async fn balancers(
        &self,
        groups: &[(&Place, BTreeMap<GroupArn, GroupFacts>)],
        listed: &Balancers,
        notify: &impl Notify,
    ) -> BTreeMap<String, BalancerFacts> {
        let configured: &BTreeSet<String> =
            &groups.iter().flat_map(|(_, groups)| groups.keys()).map(ToString::to_string).collect();
        let of_groups = |(place, groups): &(&Place, BTreeMap<GroupArn, GroupFacts>)| {
            let described = groups.values().filter_map(|group| group.group.as_ref().ok());
            let arns = described.flat_map(|group| group.balancers.iter().cloned());
            arns.map(|arn| (arn, Place::clone(place))).collect::<Vec<_>>()
        };
        let wanted: BTreeMap<String, Place> = groups.iter().flat_map(of_groups).collect();
        let reads = wanted.into_iter().map(|(arn, place)| async move {
            let at = self.at(&place);
            let balancer = match listed.get(&place) {
                Some(Ok(listed)) => listed.get(&arn).cloned().ok_or_else(|| not_listed(&arn)),
                Some(Err(failure)) => Err(Failure { resource: arn.clone(), ..failure.clone() }),
                None => Err(not_listed(&arn)),
            };
            let (attributes, listeners) =
                tokio::join!(at.balancer_attributes(&arn), at.listeners(&arn, configured));
            (arn, BalancerFacts { balancer, attributes, listeners })
        });
        every("load balancers", notify, reads).await.into_iter().collect()
    }

    /// The configured hosted zones.
    pub async fn zones(&self, specs: &[Spec], notify: &impl Notify) -> BTreeMap<ZoneId, Read<HostedZone>> {
        let records = specs.iter().flat_map(|spec| &spec.records);
        let zones: BTreeMap<&ZoneId, Place> =
            records.map(|record| (&record.key.place.zone, self.place_of_record(record))).collect();
        let reads = zones.into_iter().map(|(zone, place)| async move {
            let read = self.at(&place).zone(zone).await;
            (zone.clone(), read)
        });
        every("hosted zones", notify, reads).await.into_iter().collect()
    }

    /// The health checks of the configured record sets, and of those that stand beside them.
    pub async fn health_checks(
        &self,
        clusters: &[ClusterFacts],
        notify: &impl Notify,
    ) -> BTreeMap<String, Read<HealthCheck>> {
        let mut checks: BTreeMap<String, Place> = BTreeMap::new();
        for cluster in clusters {
            for record in &cluster.spec.records {
                let sets =
                    cluster.observed.records.get(&record.key.place).and_then(|sets| sets.as_ref().ok());
                let of_sets = sets.into_iter().flatten().filter_map(|set| set.health_check_id.clone());
                let ids = record.health_check_id.iter().cloned().chain(of_sets);
                checks.extend(ids.map(|id| (id, self.place_of_record(record))));
            }
        }
        let reads = checks.into_iter().map(|(id, place)| async move {
            let read = self.at(&place).health_check(&id).await;
            (id, read)
        });
        every("health checks", notify, reads).await.into_iter().collect()
    }

    /// Route 53 has no Regions; any serves.
    fn place_of_record(&self, record: &RecordSpec) -> Place {
        let role = record.assume.as_ref().map(|role| role.arn.clone());
        Place { region: self.own_region().to_owned(), role }
    }
}

/// Where a group is.
pub fn place_of(group: &GroupSpec) -> Place {
    let role = group.assume.as_ref().map(|role| role.arn.clone());
    Place { region: group.arn.region().to_owned(), role }
}

/// Where the load balancers are that the aliases of a cluster's sites lead to: in the site's Region, under the role of the
/// site's groups.
fn places_of_aliases(spec: &Spec) -> impl Iterator<Item = Place> {
    let place = |site: &repoint_domain::spec::Site| {
        site.alias.as_ref()?;
        let group = spec.groups.iter().find(|group| group.site.is_some() && group.site == site.name);
        let role = group.and_then(|group| Some(group.assume.as_ref()?.arn.clone()));
        Some(Place { region: site.region.clone()?, role })
    };
    spec.sites.iter().filter_map(place)
}

fn not_listed(arn: &str) -> Failure {
    Failure::new(
        Kind::NotFound,
        "elasticloadbalancing:DescribeLoadBalancers",
        arn,
        "the answer does not list the load balancer",
    )
    .with_hint(missing(arn))
}
