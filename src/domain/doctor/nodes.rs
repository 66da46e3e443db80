//! The members that a target group may have, and their network interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::check::NotChecked;
use super::facts::group::Probe;
use super::facts::network::Instance;
use super::security_groups::Peer;
use super::subject::{Balancer, Group, known};
use crate::observed::ClusterMember;
use crate::spec::{GroupRole, GroupSpec};
use crate::values::arn::VpcId;
use crate::values::cidr::Cidr;
use crate::values::cluster::Address;
use crate::values::primary::label;
use crate::values::target::Family;

/// A member, with the interface through which it gets the connections of a target group.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// What a reader calls it.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// The port on which it gets traffic.
    pub port: u16,
    /// The interface that has the address.
    pub interface: &'a Instance,
}

/// Some of what a check is about, and why the rest is missing, where something is.
#[derive(Clone, Debug)]
pub struct Partly<T> {
    /// What is known.
    pub known: Vec<T>,
    /// Why the first of what is missing is.
    pub gap: Option<NotChecked>,
}

/// A member, by where Patroni and the configuration say that clients reach it.
#[derive(Clone, Debug)]
pub struct Place {
    /// What a reader calls it.
    pub name: String,
    /// Its addresses: several where a host name has several.
    pub addresses: Vec<IpAddr>,
    /// The port on which it gets traffic.
    pub port: u16,
}

/// The members that a group may have at some time, by network interface.
///
/// # Errors
/// If the group or its network could not be read.
pub fn nodes<'a>(group: &Group<'a>) -> Result<Partly<Node<'a>>, NotChecked> {
    let vpc = group.description()?.vpc.as_ref();
    let instances = known(group.network().map(|network| &network.instances))?;
    let places = places(group);
    let mut nodes = Partly { known: Vec::new(), gap: places.gap };
    for Place { name, addresses, port } in places.known {
        let there = addresses.iter().flat_map(|address| {
            instances.get(address).into_iter().flatten().map(|interface| (*address, interface))
        });
        let mut here = there.filter(|(_, its)| may_be_in(its, vpc));
        if let Some((address, interface)) = here.next() {
            nodes.known.push(Node { name, address, port, interface });
            continue;
        }
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        nodes.add_gap(format!(
            "no running EC2 instance in the VPC of {} has {}, the address of {name}",
            group.spec.arn.name(),
            addresses.join(" or ")
        ));
    }
    Ok(nodes)
}

/// Whether an interface may be in that VPC: not knowing one of the two is no contradiction (invariant 2).
#[must_use]
pub fn may_be_in(interface: &Instance, vpc: Option<&VpcId>) -> bool {
    interface.vpc.is_none() || vpc.is_none() || interface.vpc.as_ref() == vpc
}

/// The members that a group may have at some time. One that is never promoted is never a writer's target, and one that is not to
/// be read from never a reader's.
#[must_use]
pub fn places(group: &Group<'_>) -> Partly<Place> {
    let (members, gap) = members(group);
    let mut places = Partly { known: Vec::new(), gap };
    for (name, member) in members {
        let Some(Address { host, port }) = &member.address else {
            places.add_gap(format!("no readable /cluster says where the PostgreSQL of {name} listens"));
            continue;
        };
        let addresses = match (host.parse(), group.cluster.its.observed.names.get(host)) {
            (Ok(address), _) => vec![address],
            (Err(_), Some(Ok(addresses))) => addresses.clone(),
            (Err(_), _) => {
                places.add_gap(format!("the host name {host} of {name} was not resolved"));
                continue;
            }
        };
        places.known.push(Place { name, addresses, port: group.spec.port.unwrap_or(*port) });
    }
    places
}

/// The members of the group's sites, as they list each other.
fn members<'a>(group: &Group<'a>) -> (BTreeMap<String, &'a ClusterMember>, Option<NotChecked>) {
    let (mut members, mut gap) = (BTreeMap::new(), None);
    for site in group.sites() {
        let answers = group.cluster.its.observed.answers_of(site.spec.name.as_ref());
        let views: Vec<_> = answers.values().filter_map(|answer| answer.view.as_ref().ok()).collect();
        if views.is_empty() {
            let why = || NotChecked::Unknown(format!("no member of {} lists the members", site.name()));
            gap = gap.or_else(|| Some(why()));
        }
        let listed = views.iter().flat_map(|view| &view.members);
        for member in listed.filter(|member| may_belong(group.spec, member)) {
            let name = label(site.spec.name.as_ref(), member.name.as_str());
            // The list of a member that has just started may not say where another one is.
            let known = members.entry(name).or_insert(member);
            if known.address.is_none() {
                *known = member;
            }
        }
    }
    (members, gap)
}

fn may_belong(group: &GroupSpec, member: &ClusterMember) -> bool {
    let is_its_role = match group.role {
        GroupRole::Writer => !member.nofailover || member.role.leads(),
        GroupRole::Reader { .. } => !member.noloadbalance,
    };
    is_its_role && group.strategy.member().is_none_or(|its| *its == member.name)
}

impl<T> Partly<T> {
    fn add_gap(&mut self, why: String) {
        self.gap.get_or_insert(NotChecked::Unknown(why));
    }
}

impl Node<'_> {
    /// The ports that a load balancer connects to: the one of the traffic, and the one of the health check.
    #[must_use]
    pub fn ports(&self, check: &Probe) -> BTreeSet<u16> {
        BTreeSet::from([self.port, self.health_port(check)])
    }

    /// The port that the health check asks.
    #[must_use]
    pub fn health_port(&self, check: &Probe) -> u16 {
        check.port.parse().unwrap_or(self.port)
    }

    /// It as the other end of a connection.
    #[must_use]
    pub fn peer(&self) -> Peer<'_> {
        Peer { groups: &self.interface.security_groups, networks: vec![self.address.into()] }
    }
}

/// A load balancer as the other end of the connections to a target of that family: it has an address in each of its subnets.
///
/// # Errors
/// If the load balancer could not be read.
pub fn peer<'a>(balancer: &Balancer<'a>, family: Family) -> Result<Peer<'a>, NotChecked> {
    let description = balancer.description()?;
    let subnets = balancer.group.network().and_then(|network| network.subnets.as_ref().ok());
    let networks = |(_, id): &(String, String)| subnets?.get(id).map(|subnet| &subnet.networks);
    // Of some of its subnets alone, less than all would be asked for.
    let networks: Option<Vec<&Vec<String>>> = description.subnets.iter().map(networks).collect();
    let networks =
        networks.into_iter().flatten().flatten().filter_map(|network| network.parse::<Cidr>().ok());
    let networks = networks.filter(|network| network.family() == family).collect();
    Ok(Peer { groups: &description.security_groups, networks })
}
