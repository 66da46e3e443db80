//! Instances over the EC2 API.
//!
//! An answer is checked, not trusted: an instance counts only if it is running and has one of the requested
//! addresses. Some EC2-compatible endpoints ignore filters.

mod tagged;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Instance, InstanceNetworkInterface, InstanceStateName};
use futures::future::try_join_all;

use super::aws::{Call, failure};
use crate::limits::Calls;
use repoint_domain::observed::{self, InstancesByAddress, Read};
use repoint_domain::values::arn::{InstanceId, VpcId};
use repoint_domain::values::failure::{Failure, Kind};

const DESCRIBE: &str = "ec2:DescribeInstances";
/// A filter takes 200 values (`DescribeInstances`, "Filters").
const VALUES: usize = 200;
/// The filter for an IPv4 address of any interface, primary or secondary (`DescribeInstances`, "Filters").
const IPV4: &str = "network-interface.addresses.private-ip-address";
/// The filter for an IPv6 address.
const IPV6: &str = "network-interface.ipv6-addresses.ipv6-address";

/// One client for each Region that has a target group, or instances to be discovered.
#[derive(Clone)]
pub struct Ec2 {
    clients: Arc<BTreeMap<String, Client>>,
    calls: Calls,
}

impl Ec2 {
    /// Shares the clients; counts requests in `calls`.
    #[must_use]
    pub fn new(clients: Arc<BTreeMap<String, Client>>, calls: Calls) -> Self {
        Self { clients, calls }
    }
}

impl Ec2 {
    /// Finds the running instances that have these private addresses.
    ///
    /// # Errors
    /// AWS's error, or a timeout.
    pub async fn find(&self, region: &str, addresses: &BTreeSet<IpAddr>) -> Read<InstancesByAddress> {
        let client = self.client(region)?;
        let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|address| address.is_ipv4());
        let chunks =
            v4.chunks(VALUES).map(|some| (IPV4, some)).chain(v6.chunks(VALUES).map(|some| (IPV6, some)));
        let found = try_join_all(chunks.map(|(filter, some)| self.with(client, filter, some))).await?;
        let mut all = InstancesByAddress::new();
        for (address, instances) in found.into_iter().flatten() {
            all.entry(address).or_default().extend(instances);
        }
        Ok(all)
    }
}

impl Ec2 {
    fn client(&self, region: &str) -> Read<&Client> {
        let client = self.clients.get(region);
        client.ok_or_else(|| Failure::new(Kind::Invalid, DESCRIBE, region, "no client for this Region"))
    }

    /// The running instances that the filter finds for some of these addresses.
    async fn with(&self, client: &Client, filter: &str, some: &[IpAddr]) -> Read<InstancesByAddress> {
        let mut found = InstancesByAddress::new();
        let mut next: Option<String> = None;
        loop {
            let values = some.iter().map(ToString::to_string).collect();
            let page = client
                .describe_instances()
                .filters(Filter::builder().name(filter).set_values(Some(values)).build())
                .filters(Filter::builder().name("instance-state-name").values("running").build())
                .set_next_token(next.take())
                .customize()
                .interceptor(Call::new(&self.calls, DESCRIBE))
                .send()
                .await
                .map_err(|error| failure(DESCRIBE, "*", &error))?;
            let instances = page.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
            for instance in instances.filter(|instance| is_running(instance)) {
                for (address, vpc) in addresses_of(instance).filter(|(address, _)| some.contains(address)) {
                    let Some(id) = instance.instance_id().map(InstanceId::new) else { continue };
                    found.entry(address).or_default().insert(observed::Instance { id, vpc });
                }
            }
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(found);
            }
        }
    }
}

fn is_running(instance: &Instance) -> bool {
    instance.state().and_then(|state| state.name()) == Some(&InstanceStateName::Running)
}

/// All private addresses of an instance, of every interface and both families, with the interface's VPC.
fn addresses_of(instance: &Instance) -> impl Iterator<Item = (IpAddr, Option<VpcId>)> {
    let of_interface = |interface: &InstanceNetworkInterface| {
        let v4 = interface.private_ip_addresses().iter().filter_map(|one| one.private_ip_address());
        let v6 = interface.ipv6_addresses().iter().filter_map(|one| one.ipv6_address());
        let vpc = interface.vpc_id().or(instance.vpc_id()).map(VpcId::new);
        let addresses = v4.chain(v6).chain(interface.private_ip_address());
        addresses.filter_map(|text| text.parse().ok()).map(move |ip| (ip, vpc.clone())).collect::<Vec<_>>()
    };
    let interfaces = instance.network_interfaces().iter().flat_map(of_interface).collect::<Vec<_>>();
    let first = instance.private_ip_address().and_then(|text| text.parse().ok());
    // An endpoint may omit the interfaces; the first address is that of the first interface.
    let first = first.filter(|first| interfaces.iter().all(|(ip, _)| ip != first));
    interfaces.into_iter().chain(first.map(|ip| (ip, instance.vpc_id().map(VpcId::new))))
}
