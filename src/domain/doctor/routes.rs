//! Where the routes of a subnet lead.

use std::net::IpAddr;

use super::check::NotChecked;
use super::facts::network::RouteTable;
use crate::values::cidr::Cidr;

/// The route table of a subnet: its own, or the main one of its VPC.
///
/// # Errors
/// If neither was read.
pub fn table<'a>(tables: &'a [RouteTable], vpc: &str, subnet: &str) -> Result<&'a RouteTable, NotChecked> {
    let own = tables.iter().find(|table| table.subnets.iter().any(|its| its == subnet));
    let main = || tables.iter().find(|table| table.is_main && table.vpc.as_str() == vpc);
    own.or_else(main)
        .ok_or_else(|| NotChecked::Unknown(format!("the route table of {subnet} in {vpc} was not read")))
}

/// The narrowest network of a route that has the address, and the gateway that it leads to: `local`, `tgw-…`, ….
#[must_use]
pub fn route(table: &RouteTable, address: IpAddr) -> Option<(Cidr, &str)> {
    let address = Cidr::from(address);
    let routes =
        table.routes.iter().filter_map(|(to, gateway)| Some((to.parse::<Cidr>().ok()?, gateway.as_str())));
    let all = routes.filter(|(network, _)| network.contains(&address));
    all.reduce(|one, other| if one.0.contains(&other.0) { other } else { one })
}

/// Whether the route is the default one, for all addresses.
#[must_use]
pub fn is_default(network: &Cidr) -> bool {
    ["0.0.0.0/0", "::/0"].iter().any(|all| all.parse().is_ok_and(|all: Cidr| all == *network))
}

/// A route for a prefix list whose networks were not read; gateway endpoints, which have one for the service, are known.
#[must_use]
pub fn of_prefix_list(table: &RouteTable) -> Option<&str> {
    let mut lists =
        table.routes.iter().filter(|(to, gateway)| to.starts_with("pl-") && !gateway.starts_with("vpce-"));
    lists.next().map(|(to, _)| to.as_str())
}

/// Whether routes lead to other private networks, where endpoints of AWS may be.
#[must_use]
pub fn leads_to_networks(table: &RouteTable) -> bool {
    let is_network = |gateway: &str| {
        ["tgw-", "pcx-", "vgw-", "lgw-", "eni-", "i-"].iter().any(|kind| gateway.starts_with(kind))
    };
    table.routes.iter().any(|(_, gateway)| is_network(gateway))
}
