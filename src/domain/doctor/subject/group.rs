//! A target group.

use super::{Balancer, Cluster, Site, known};
use crate::doctor::check::NotChecked;
use crate::doctor::facts::Place;
use crate::doctor::facts::attributes::Attributes;
use crate::doctor::facts::group::{GroupDescription, GroupFacts, TargetState};
use crate::doctor::facts::network::Network;
use crate::spec::GroupSpec;

/// Client IP preservation: on for instances and off for addresses unless set (Elastic Load Balancing API,
/// `TargetGroupAttribute`).
pub const KEEPS_CLIENT_ADDRESS: &str = "preserve_client_ip.enabled";

/// A target group.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    /// Of which cluster.
    pub cluster: Cluster<'a>,
    /// What is configured.
    pub spec: &'a GroupSpec,
}

impl<'a> Group<'a> {
    fn its(&self) -> Option<&'a GroupFacts> {
        self.cluster.facts.groups.get(&self.spec.arn)
    }

    /// What it is.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn description(&self) -> Result<&'a GroupDescription, NotChecked> {
        known(self.its().map(|its| &its.group))
    }

    /// Its attributes.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn attributes(&self) -> Result<&'a Attributes, NotChecked> {
        known(self.its().map(|its| &its.attributes))
    }

    /// Its targets.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn targets(&self) -> Result<&'a [TargetState], NotChecked> {
        known(self.its().map(|its| &its.targets)).map(Vec::as_slice)
    }

    /// The sites whose members may be in it.
    pub fn sites(self) -> impl Iterator<Item = Site<'a>> {
        let its = self.spec.site.as_ref();
        self.cluster.sites().filter(move |site| its.is_none() || site.spec.name.as_ref() == its)
    }

    /// Whether its targets listen on another port than PostgreSQL, as those of a pooler do.
    #[must_use]
    pub fn has_own_port(&self) -> bool {
        let has_port = |site: Site<'_>| site.spec.addresses.values().any(|reached| reached.port.is_some());
        self.spec.port.is_some() || self.sites().any(has_port)
    }

    /// Whether its targets see the addresses of clients instead of the load balancer's.
    ///
    /// # Errors
    /// If the group or its attributes could not be read.
    pub fn keeps_client_address(&self) -> Result<bool, NotChecked> {
        let is_default = self.description()?.target_type == "instance";
        Ok(self.attributes()?.is_on(KEEPS_CLIENT_ADDRESS).unwrap_or(is_default))
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        let role = self.spec.assume.as_ref().map(|role| role.arn.clone());
        Place { region: self.spec.arn.region().to_owned(), role }
    }

    /// The networks where it is.
    #[must_use]
    pub fn network(&self) -> Option<&'a Network> {
        self.cluster.facts.networks.get(&self.place())
    }

    /// The load balancers that forward to it.
    ///
    /// # Errors
    /// If the group could not be read.
    pub fn balancers(self) -> Result<impl Iterator<Item = Balancer<'a>>, NotChecked> {
        Ok(self.description()?.balancers.iter().map(move |arn| Balancer { group: self, arn }))
    }
}
