//! What is to be read of the networks of each place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::reader::{Reader, place_of};
use super::{Notify, every};
use crate::adapters::inspect::Wanted;
use repoint_domain::doctor::facts::network::Network;
use repoint_domain::doctor::facts::{ClusterFacts, Facts, Place};
use repoint_domain::observed::MemberAnswer;
use repoint_domain::spec::GroupSpec;

impl Reader<'_> {
    /// The networks where there are target groups, and where the Lambda is.
    pub async fn networks(&self, facts: &Facts, notify: &impl Notify) -> BTreeMap<Place, Network> {
        let reads = wanted(facts, self.own_region()).into_iter().map(|(place, wanted)| async move {
            let network = self.at(&place).network(wanted).await;
            (place, network)
        });
        every("networks", notify, reads).await.into_iter().collect()
    }
}

fn wanted(facts: &Facts, own_region: &str) -> BTreeMap<Place, Wanted> {
    let mut places: BTreeMap<Place, Wanted> = BTreeMap::new();
    for cluster in &facts.clusters {
        for group in &cluster.spec.groups {
            let wanted = places.entry(place_of(group)).or_default();
            wanted.addresses.extend(addresses(cluster, group));
            let Some(its) = facts.groups.get(&group.arn) else { continue };
            let targets = its.targets.iter().flatten();
            wanted.addresses.extend(targets.filter_map(|target| target.target.id.parse::<IpAddr>().ok()));
            let balancers = its.group.iter().flat_map(|group| &group.balancers);
            for balancer in balancers.filter_map(|arn| facts.balancers.get(arn)?.balancer.as_ref().ok()) {
                wanted.security_groups.extend(balancer.security_groups.iter().cloned());
                wanted.subnets.extend(balancer.subnets.iter().map(|(_, subnet)| subnet.clone()));
            }
        }
    }
    for (name, function) in &facts.functions {
        let Ok(configuration) = &function.configuration else { continue };
        let Some(vpc) = &configuration.vpc else { continue };
        let region = name.region().unwrap_or(own_region);
        let wanted = places.entry(Place { region: region.to_owned(), role: None }).or_default();
        wanted.security_groups.extend(configuration.security_groups.iter().cloned());
        wanted.subnets.extend(configuration.subnets.iter().cloned());
        wanted.vpcs.insert(vpc.clone());
    }
    places
}

/// The addresses of the members that may stand in a group: those of its site, or of all sites.
fn addresses(cluster: &ClusterFacts, group: &GroupSpec) -> BTreeSet<IpAddr> {
    let observed = &cluster.observed;
    let sites = observed.sites.iter().filter(|(site, _)| group.site.is_none() || **site == group.site);
    let of_member = |answer: &MemberAnswer| {
        let members = answer.view.iter().flat_map(|view| &view.members);
        let hosts = members.filter_map(|member| member.address.as_ref()).flat_map(|address| {
            let looked_up = observed.names.get(&address.host).and_then(|found| found.as_ref().ok());
            looked_up.into_iter().flatten().copied().chain(address.host.parse().ok())
        });
        hosts.chain(answer.peer.map(|peer| peer.ip())).collect::<Vec<_>>()
    };
    sites.flat_map(|(_, answers)| answers.values()).flat_map(of_member).collect()
}
