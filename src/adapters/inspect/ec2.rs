//! Instances, security groups, subnets, routes and endpoints. All are asked for by filters, so what does not exist is not
//! listed, and is no error.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aws_sdk_ec2::types::{
    self, Filter, InstanceNetworkInterface, InstanceStateName, IpPermission, Reservation,
};

use super::{Inspect, port, text};
use repoint_domain::doctor::facts::network::{
    Instance, RouteTable, Rule, SecurityGroup, Subnet, VpcEndpoint,
};
use repoint_domain::observed::Read;
use repoint_domain::values::arn::{InstanceId, VpcId};

const INSTANCES: &str = "ec2:DescribeInstances";
const SECURITY_GROUPS: &str = "ec2:DescribeSecurityGroups";
const SUBNETS: &str = "ec2:DescribeSubnets";
const ROUTE_TABLES: &str = "ec2:DescribeRouteTables";
const ENDPOINTS: &str = "ec2:DescribeVpcEndpoints";

/// A filter takes 200 values (`DescribeInstances`, "Filters").
const VALUES: usize = 200;
/// The filter for an IPv4 address of any interface, primary or secondary (`DescribeInstances`, "Filters").
const IPV4: &str = "network-interface.addresses.private-ip-address";
/// The filter for an IPv6 address.
const IPV6: &str = "network-interface.ipv6-addresses.ipv6-address";

impl Inspect {
    /// The running instances that have these private addresses, by address. Some EC2-compatible endpoints ignore filters, so
    /// the answer is checked.
    pub(super) async fn instances(
        &self,
        addresses: &BTreeSet<IpAddr>,
    ) -> Read<BTreeMap<IpAddr, Vec<Instance>>> {
        let (v4, v6): (Vec<&IpAddr>, Vec<&IpAddr>) = addresses.iter().partition(|address| address.is_ipv4());
        let mut found: BTreeMap<IpAddr, Vec<Instance>> = BTreeMap::new();
        for filter in filters(IPV4, v4).chain(filters(IPV6, v6)) {
            let running = Filter::builder().name("instance-state-name").values("running").build();
            let reservations = pages!(
                self,
                self.settings_key(),
                INSTANCES,
                "*",
                self.ec2.describe_instances().filters(filter.clone()).filters(running.clone()),
                set_next_token,
                next_token,
                reservations
            );
            let instances = reservations.iter().flat_map(Reservation::instances);
            for (address, instance) in instances.filter(|one| is_running(one)).flat_map(by_address) {
                let known = found.entry(address).or_default();
                if addresses.contains(&address) && !known.contains(&instance) {
                    known.push(instance);
                }
            }
        }
        found.retain(|_, instances| !instances.is_empty());
        Ok(found)
    }

    pub(super) async fn security_groups(
        &self,
        ids: &BTreeSet<String>,
    ) -> Read<BTreeMap<String, SecurityGroup>> {
        let mut found = BTreeMap::new();
        for filter in filters("group-id", ids) {
            let groups = pages!(
                self,
                self.settings_key(),
                SECURITY_GROUPS,
                "*",
                self.ec2.describe_security_groups().filters(filter.clone()),
                set_next_token,
                next_token,
                security_groups
            );
            found.extend(groups.iter().map(|group| {
                let ingress = group.ip_permissions().iter().map(rule).collect();
                let egress = group.ip_permissions_egress().iter().map(rule).collect();
                (text(group.group_id()), SecurityGroup { ingress, egress })
            }));
        }
        Ok(found)
    }

    pub(super) async fn subnets(&self, ids: &BTreeSet<String>) -> Read<BTreeMap<String, Subnet>> {
        let mut found = BTreeMap::new();
        for filter in filters("subnet-id", ids) {
            let subnets = pages!(
                self,
                self.settings_key(),
                SUBNETS,
                "*",
                self.ec2.describe_subnets().filters(filter.clone()),
                set_next_token,
                next_token,
                subnets
            );
            found.extend(subnets.iter().map(|one| {
                let v6 = one.ipv6_cidr_block_association_set().iter().filter_map(|its| its.ipv6_cidr_block());
                let networks = one.cidr_block().into_iter().chain(v6).map(str::to_owned).collect();
                let subnet = Subnet {
                    vpc: VpcId::new(text(one.vpc_id())),
                    zone: text(one.availability_zone()),
                    networks,
                };
                (text(one.subnet_id()), subnet)
            }));
        }
        Ok(found)
    }

    pub(super) async fn route_tables(&self, vpcs: &BTreeSet<String>) -> Read<Vec<RouteTable>> {
        let mut found = Vec::new();
        for filter in filters("vpc-id", vpcs) {
            let tables = pages!(
                self,
                self.settings_key(),
                ROUTE_TABLES,
                "*",
                self.ec2.describe_route_tables().filters(filter.clone()),
                set_next_token,
                next_token,
                route_tables
            );
            found.extend(tables.iter().map(route_table));
        }
        Ok(found)
    }

    pub(super) async fn endpoints(&self, vpcs: &BTreeSet<String>) -> Read<Vec<VpcEndpoint>> {
        let mut found = Vec::new();
        for filter in filters("vpc-id", vpcs) {
            let endpoints = pages!(
                self,
                self.settings_key(),
                ENDPOINTS,
                "*",
                self.ec2.describe_vpc_endpoints().filters(filter.clone()),
                set_next_token,
                next_token,
                vpc_endpoints
            );
            found.extend(endpoints.iter().map(|one| VpcEndpoint {
                vpc: VpcId::new(text(one.vpc_id())),
                service: text(one.service_name()),
                state: text(one.state().map(types::State::as_str)),
                kind: text(one.vpc_endpoint_type().map(types::VpcEndpointType::as_str)),
            }));
        }
        Ok(found)
    }
}

/// Filters that take all of the values, at most so many each as EC2 takes.
fn filters(name: &str, values: impl IntoIterator<Item = impl ToString>) -> impl Iterator<Item = Filter> {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    let some = |some: &[String]| Filter::builder().name(name).set_values(Some(some.to_vec())).build();
    values.chunks(VALUES).map(some).collect::<Vec<_>>().into_iter()
}

fn is_running(instance: &types::Instance) -> bool {
    instance.state().and_then(|state| state.name()) == Some(&InstanceStateName::Running)
}

/// An instance by each of its private addresses, with the interface that has the address.
fn by_address(instance: &types::Instance) -> Vec<(IpAddr, Instance)> {
    let zone = instance.placement().and_then(|placement| placement.availability_zone()).map(str::to_owned);
    let of_interface = |interface: &InstanceNetworkInterface| {
        let v4 = interface.private_ip_addresses().iter().filter_map(|one| one.private_ip_address());
        let v6 = interface.ipv6_addresses().iter().filter_map(|one| one.ipv6_address());
        let addresses: BTreeSet<IpAddr> = v4
            .chain(v6)
            .chain(interface.private_ip_address())
            .filter_map(|address| address.parse().ok())
            .collect();
        let its = Instance {
            id: InstanceId::new(text(instance.instance_id())),
            vpc: interface.vpc_id().or(instance.vpc_id()).map(VpcId::new),
            subnet: interface.subnet_id().or(instance.subnet_id()).map(str::to_owned),
            zone: zone.clone(),
            security_groups: interface
                .groups()
                .iter()
                .filter_map(|group| group.group_id())
                .map(str::to_owned)
                .collect(),
        };
        addresses.into_iter().map(move |address| (address, its.clone())).collect::<Vec<_>>()
    };
    instance.network_interfaces().iter().flat_map(of_interface).collect()
}

fn rule(permission: &IpPermission) -> Rule {
    let v4 = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip());
    let v6 = permission.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6());
    let groups = permission.user_id_group_pairs().iter().filter_map(|pair| pair.group_id());
    let lists = permission.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id());
    Rule {
        protocol: text(permission.ip_protocol()),
        from: port(permission.from_port()),
        to: port(permission.to_port()),
        networks: v4.chain(v6).map(str::to_owned).collect(),
        groups: groups.map(str::to_owned).collect(),
        prefix_lists: lists.map(str::to_owned).collect(),
    }
}

fn route_table(table: &types::RouteTable) -> RouteTable {
    let route = |route: &types::Route| {
        let to = route
            .destination_cidr_block()
            .or(route.destination_ipv6_cidr_block())
            .or(route.destination_prefix_list_id());
        let through = route
            .gateway_id()
            .or(route.nat_gateway_id())
            .or(route.egress_only_internet_gateway_id())
            .or(route.transit_gateway_id())
            .or(route.vpc_peering_connection_id())
            .or(route.network_interface_id())
            .or(route.local_gateway_id())
            .or(route.carrier_gateway_id())
            .or(route.core_network_arn());
        Some((to?.to_owned(), text(through)))
    };
    // A blackhole leads nowhere: what it led through was deleted (EC2 API, `Route`, `State`).
    let is_active = |route: &&types::Route| route.state() != Some(&types::RouteState::Blackhole);
    RouteTable {
        vpc: VpcId::new(text(table.vpc_id())),
        is_main: table.associations().iter().any(|one| one.main() == Some(true)),
        subnets: table.associations().iter().filter_map(|one| one.subnet_id()).map(str::to_owned).collect(),
        routes: table.routes().iter().filter(is_active).filter_map(route).collect(),
    }
}
