//! A site of a cluster: one Patroni cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Cluster, Group, Member, known};
use crate::doctor::check::NotChecked;
use crate::doctor::facts::patroni::{ClusterExtra, ListedMember, PatroniConfig};
use crate::plan::are_local;
use crate::spec::{self, Discover};
use crate::values::cluster::{ApiUrl, MemberName};
use crate::values::record::Alias;

/// A site of a cluster: one Patroni cluster.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Of which cluster.
    pub cluster: Cluster<'a>,
    /// What is configured.
    pub spec: &'a spec::Site,
}

impl<'a> Site<'a> {
    /// What a reader calls it.
    #[must_use]
    pub fn name(&self) -> String {
        self.spec
            .name
            .as_ref()
            .map_or_else(|| format!("Patroni cluster {}", self.spec.scope), |name| format!("site {name}"))
    }

    /// What `GET /config` says.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn config(&self) -> Result<&'a PatroniConfig, NotChecked> {
        known(self.cluster.its.config.get(&self.spec.name))
    }

    /// Its target groups.
    pub fn groups(self) -> impl Iterator<Item = Group<'a>> {
        self.cluster.groups().filter(move |group| group.spec.site == self.spec.name)
    }

    /// Its load balancer, where records lead there.
    #[must_use]
    pub fn alias(&self) -> Option<&'a Alias> {
        let is_used = self.cluster.records().any(|record| record.spec.points_to.is_alias());
        self.spec.alias.as_ref().filter(|_| is_used)
    }

    /// `GET /cluster` of the leader, or else of the first member that could be read.
    ///
    /// # Errors
    /// If no member's could be read.
    pub fn view(self) -> Result<&'a ClusterExtra, NotChecked> {
        let is_leaders = |member: &Member<'a>| {
            let leads = |listed: &ListedMember| {
                listed.leads() && member.member_name().is_some_and(|name| name.as_str() == listed.name)
            };
            member.view().is_ok_and(|view| view.members.iter().any(leads))
        };
        let of_leader = self.members().find(is_leaders);
        let any =
            || self.members().find(|member| member.its.cluster.is_ok()).or_else(|| self.members().next());
        of_leader.or_else(any).map_or_else(|| known(None), |member| member.view())
    }

    /// Whether it is meant to have one member, and so no failover: no more are configured, listed or remembered.
    #[must_use]
    pub fn is_single(self) -> bool {
        let state = self.cluster.its.state.as_ref().ok();
        let known = state.and_then(|state| match &self.spec.name {
            Some(name) => state.members_of_sites.get(name),
            None => Some(&state.members),
        });
        self.spec.members.len() < 2
            && known.is_none_or(|known| known.len() < 2)
            && self.view().is_ok_and(|view| view.members.len() < 2)
    }

    /// Whether its members are configured or discovered at loopback addresses, as those of a cluster on one machine are.
    #[must_use]
    pub fn is_local(&self) -> bool {
        are_local(self.cluster.spec(), &self.cluster.its.observed, self.spec.name.as_ref())
    }

    /// Where its members may be found, and what is found there; `None` if they are configured alone.
    ///
    /// # Errors
    /// If discovery failed.
    pub fn discovered(self) -> Result<Option<(&'a Discover, &'a BTreeSet<ApiUrl>)>, NotChecked> {
        let Some(discover) = &self.spec.discover else { return Ok(None) };
        let found = known(self.cluster.its.observed.discovered.get(&self.spec.name))?;
        Ok(Some((discover, found)))
    }

    /// The addresses at which a `GET /cluster` lists members, with their names; the name of a host is none.
    #[must_use]
    pub fn addresses(self) -> BTreeMap<&'a str, &'a MemberName> {
        let answers = self.cluster.its.observed.answers_of(self.spec.name.as_ref()).values();
        let listed = answers.filter_map(|answer| answer.view.as_ref().ok()).flat_map(|view| &view.members);
        let at = listed.filter_map(|listed| Some((listed.api_url.as_ref()?.host(), &listed.name)));
        at.filter(|(host, _)| host.parse::<IpAddr>().is_ok()).collect()
    }

    /// Its members that were asked.
    pub fn members(self) -> impl Iterator<Item = Member<'a>> {
        let members = self.cluster.its.members.iter().filter(move |((site, _), _)| *site == self.spec.name);
        members.map(move |((_, url), its)| Member { site: self, url, its })
    }
}
