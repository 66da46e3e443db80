//! A listener of a target group.

use super::{Balancer, known};
use crate::doctor::check::NotChecked;
use crate::doctor::facts::attributes::Attributes;
use crate::doctor::facts::balancer::ListenerFacts;

/// A listener that forwards to a configured target group.
#[derive(Clone, Copy)]
pub struct Listener<'a> {
    /// Of which load balancer.
    pub balancer: Balancer<'a>,
    /// What was read of it.
    pub its: &'a ListenerFacts,
}

impl<'a> Listener<'a> {
    /// Its attributes.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn attributes(&self) -> Result<&'a Attributes, NotChecked> {
        known(Some(&self.its.attributes))
    }
}
