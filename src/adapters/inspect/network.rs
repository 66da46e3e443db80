//! What is read of the networks of a place, which needs EC2.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Inspect;
use repoint_domain::doctor::facts::network::Network;

/// What there is to be read of the networks of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The addresses whose instances are wanted.
    pub addresses: BTreeSet<IpAddr>,
    /// The security groups, beside those of the instances.
    pub security_groups: BTreeSet<String>,
    /// The subnets.
    pub subnets: BTreeSet<String>,
    /// The VPCs whose routes and endpoints are wanted.
    pub vpcs: BTreeSet<String>,
}

impl Inspect {
    /// The networks. Each part may be a failure.
    #[cfg(feature = "ec2")]
    pub async fn network(&self, mut wanted: Wanted) -> Network {
        let instances = self.instances(&wanted.addresses).await;
        let found = instances.iter().flat_map(|found| found.values().flatten());
        wanted.security_groups.extend(found.flat_map(|instance| instance.security_groups.iter().cloned()));
        let (security_groups, subnets, route_tables, endpoints) = tokio::join!(
            self.security_groups(&wanted.security_groups),
            self.subnets(&wanted.subnets),
            self.route_tables(&wanted.vpcs),
            self.endpoints(&wanted.vpcs),
        );
        Network { instances, security_groups, subnets, route_tables, endpoints }
    }

    /// Nothing: this build has no EC2.
    #[cfg(not(feature = "ec2"))]
    #[expect(clippy::unused_async, reason = "a build with EC2 asks it")]
    pub async fn network(&self, _: Wanted) -> Network {
        Network::unread("this build has no EC2")
    }
}
