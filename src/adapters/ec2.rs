//! Instances over the EC2 API.
//!
//! Law: an answer is checked, not trusted. An instance counts only if it runs and its private address is one that was
//! asked for: there are EC2 endpoints that pass over filters.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName};

use super::aws::{Counted, failure};
use crate::domain::endpoint::InstanceId;
use crate::domain::failure::{Failure, Kind};
use crate::domain::world::{InstancesByAddress, Read};
use crate::ports::{Calls, Instances};

const DESCRIBE: &str = "ec2:DescribeInstances";
/// A filter takes 200 values (`DescribeInstances`, "Filters").
const VALUES: usize = 200;

/// One client for each Region that has a target group.
#[derive(Clone)]
pub struct Ec2 {
    clients: Arc<BTreeMap<String, Client>>,
    calls: Calls,
}

impl Ec2 {
    /// Shares the clients, counts in `calls`.
    #[must_use]
    pub fn new(clients: Arc<BTreeMap<String, Client>>, calls: Calls) -> Self {
        Self { clients, calls }
    }
}

#[async_trait]
impl Instances for Ec2 {
    async fn find(&self, region: &str, addresses: &BTreeSet<IpAddr>) -> Read<InstancesByAddress> {
        let client = self.clients.get(region).ok_or_else(|| Failure {
            kind: Kind::Invalid,
            call: DESCRIBE.to_owned(),
            resource: region.to_owned(),
            message: "no client for this Region".to_owned(),
        })?;
        let addresses: Vec<&IpAddr> = addresses.iter().collect();
        let mut found = InstancesByAddress::new();
        for some in addresses.chunks(VALUES) {
            let mut next: Option<String> = None;
            loop {
                let values = some.iter().map(ToString::to_string).collect();
                let page = client
                    .describe_instances()
                    .filters(Filter::builder().name("private-ip-address").set_values(Some(values)).build())
                    .filters(Filter::builder().name("instance-state-name").values("running").build())
                    .set_next_token(next.take())
                    .customize()
                    .interceptor(Counted::new(&self.calls, DESCRIBE))
                    .send()
                    .await
                    .map_err(|error| failure(DESCRIBE, "*", &error))?;
                for instance in
                    page.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances)
                {
                    if let Some((address, id)) =
                        running(instance).filter(|(address, _)| some.contains(&address))
                    {
                        found.entry(address).or_default().insert(id);
                    }
                }
                next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

fn running(instance: &Instance) -> Option<(IpAddr, InstanceId)> {
    let state = instance.state().and_then(|state| state.name());
    let address = instance.private_ip_address()?.parse().ok()?;
    (state == Some(&InstanceStateName::Running)).then_some(())?;
    Some((address, InstanceId::new(instance.instance_id()?)))
}
