//! A load balancer of a target group.

use super::{Group, Listener, known};
use crate::doctor::check::NotChecked;
use crate::doctor::facts::attributes::Attributes;
use crate::doctor::facts::balancer::{BalancerDescription, BalancerFacts};

/// A load balancer that forwards to a configured target group.
#[derive(Clone, Copy)]
pub struct Balancer<'a> {
    /// To which group.
    pub group: Group<'a>,
    /// Its ARN.
    pub arn: &'a str,
}

impl<'a> Balancer<'a> {
    fn its(&self) -> Option<&'a BalancerFacts> {
        self.group.cluster.facts.balancers.get(self.arn)
    }

    /// What a reader calls it.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.arn.split('/').nth(2).unwrap_or(self.arn)
    }

    /// What it is.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn description(&self) -> Result<&'a BalancerDescription, NotChecked> {
        known(self.its().map(|its| &its.balancer))
    }

    /// Its attributes.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn attributes(&self) -> Result<&'a Attributes, NotChecked> {
        known(self.its().map(|its| &its.attributes))
    }

    /// Its listeners that forward to the group.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn listeners(self) -> Result<impl Iterator<Item = Listener<'a>>, NotChecked> {
        let listeners = known(self.its().map(|its| &its.listeners))?;
        let group = self.group.spec.arn.as_str();
        let its = listeners.iter().filter(move |its| its.groups.iter().any(|arn| arn == group));
        Ok(its.map(move |its| Listener { balancer: self, its }))
    }
}
