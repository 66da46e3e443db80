//! A configuration file of Patroni.

use super::{Cluster, Site};
use crate::doctor::facts::Facts;
use crate::doctor::facts::node::{NodeFacts, PatroniYml};

/// A configuration file of Patroni on this machine.
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// This machine.
    pub node: &'a NodeFacts,
    /// The site of the Patroni cluster that the file is of.
    pub site: Site<'a>,
    /// Where it is.
    pub path: &'a str,
    /// What was read of it.
    pub its: &'a PatroniYml,
}

impl<'a> File<'a> {
    /// A file of a Patroni cluster that is configured.
    #[must_use]
    pub fn of(facts: &'a Facts, node: &'a NodeFacts, path: &'a str, its: &'a PatroniYml) -> Option<Self> {
        let scope = its.scope.as_deref()?;
        let sites = facts.clusters.iter().flat_map(|its| Cluster { facts, its }.sites());
        let site = { sites }.find(|site| site.spec.scope.as_str() == scope)?;
        Some(Self { node, site, path, its })
    }

    /// Everything that was read.
    #[must_use]
    pub fn facts(&self) -> &'a Facts {
        self.site.cluster.facts
    }

    /// The command that makes Patroni read the file again.
    #[must_use]
    pub fn reload(&self) -> String {
        let name = self.its.name.as_deref().unwrap_or_default();
        format!("patronictl -c {} reload {} {name}", self.path, self.site.spec.scope)
    }

    /// The callback for an action: the file's callbacks, or else those of the dynamic configuration, as Patroni chooses.
    #[must_use]
    pub fn callback(&self, action: &str) -> Option<&'a str> {
        self.callbacks().find(|(its, _)| *its == action).map(|(_, command)| command)
    }

    /// All callbacks, by action.
    pub fn callbacks(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let dynamic = self.site.config().ok().map(|config| &config.callbacks);
        let own = Some(&self.its.callbacks).filter(|own| !own.is_empty());
        let pairs = own.or(dynamic).into_iter().flatten();
        pairs.map(|(action, command)| (action.as_str(), command.as_str()))
    }
}
