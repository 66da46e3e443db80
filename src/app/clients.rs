//! The clients under one role, or with the process's own credentials: built once, shared by all passes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::adapters::aws::{Access, connect};
use crate::adapters::elbv2::{Elbv2, Known};
use crate::adapters::route53::Route53;
use crate::limits::Calls;
use crate::ports::Zones;
use crate::runtime::zone_batcher::ZoneBatcher;

pub struct Clients {
    /// For what passes do not call.
    #[cfg(feature = "doctor")]
    pub access: Access,
    elbv2: Arc<BTreeMap<String, aws_sdk_elasticloadbalancingv2::Client>>,
    #[cfg(feature = "ec2")]
    ec2: Arc<BTreeMap<String, aws_sdk_ec2::Client>>,
    route53: aws_sdk_route53::Client,
    /// Passes over several clusters of one zone share their calls.
    batcher: ZoneBatcher,
}

impl Clients {
    /// For these Regions, in which there are target groups or instances.
    pub fn new(access: &Access, regions: &BTreeSet<&str>) -> Self {
        let elbv2 = regions.iter().map(|region| ((*region).to_owned(), access.elbv2(region)));
        #[cfg(feature = "ec2")]
        let ec2 = regions.iter().map(|region| ((*region).to_owned(), access.ec2(region)));
        Self {
            #[cfg(feature = "doctor")]
            access: access.clone(),
            elbv2: Arc::new(elbv2.collect()),
            #[cfg(feature = "ec2")]
            ec2: Arc::new(ec2.collect()),
            route53: access.route53(),
            batcher: ZoneBatcher::default(),
        }
    }

    pub fn elbv2(&self, known: &Arc<Known>, calls: &Calls) -> Elbv2 {
        Elbv2::new(self.elbv2.clone(), known.clone(), calls.clone())
    }

    pub fn zones(&self, calls: &Calls) -> Arc<dyn Zones> {
        let zones = Arc::new(Route53::new(self.route53.clone(), calls.clone()));
        self.batcher.zones(zones, calls.clone())
    }

    #[cfg(feature = "ec2")]
    pub fn ec2(&self, calls: &Calls) -> crate::adapters::ec2::Ec2 {
        crate::adapters::ec2::Ec2::new(self.ec2.clone(), calls.clone())
    }

    /// Connections to Elastic Load Balancing, and to EC2, in these Regions.
    pub fn connect_in(&self, groups: &BTreeSet<&str>, discovery: &BTreeSet<&str>) -> Vec<BoxFuture<'_, ()>> {
        let elbv2 = groups.iter().filter_map(|region| self.elbv2.get(*region));
        let elbv2 = elbv2.map(|client| connect::elbv2(client).boxed());
        #[cfg(feature = "ec2")]
        let ec2 = discovery
            .iter()
            .filter_map(|region| self.ec2.get(*region))
            .map(|client| connect::ec2(client).boxed());
        #[cfg(not(feature = "ec2"))]
        let ec2 = discovery.iter().filter_map(|_| None);
        elbv2.chain(ec2).collect()
    }

    /// A connection to Route 53.
    pub async fn connect_to_zones(&self) {
        connect::route53(&self.route53).await;
    }
}
