//! A cluster.

use super::{Group, Record, Site};
use crate::doctor::facts::{ClusterFacts, Facts};
use crate::spec::Spec;

/// A cluster.
#[derive(Clone, Copy)]
pub struct Cluster<'a> {
    /// Everything that was read.
    pub facts: &'a Facts,
    /// What was read of it.
    pub its: &'a ClusterFacts,
}

impl<'a> Cluster<'a> {
    /// What is configured.
    #[must_use]
    pub fn spec(&self) -> &'a Spec {
        &self.its.spec
    }

    /// Its sites.
    pub fn sites(self) -> impl Iterator<Item = Site<'a>> {
        self.its.spec.sites.iter().map(move |spec| Site { cluster: self, spec })
    }

    /// Its target groups.
    pub fn groups(self) -> impl Iterator<Item = Group<'a>> {
        self.its.spec.groups.iter().map(move |spec| Group { cluster: self, spec })
    }

    /// Its record sets.
    pub fn records(self) -> impl Iterator<Item = Record<'a>> {
        self.its.spec.records.iter().map(move |spec| Record { cluster: self, spec })
    }
}
