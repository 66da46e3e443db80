//! Which members of a site may be named primary: the configured ones, and those that they list.
//!
//! Invariant 14: configuration outranks state. A member that only the state remembers, or that only such a member lists, may
//! contest or contradict, and is never named, as long as a configured member says who belongs to the cluster. Where every
//! configured member is silent, all nodes may have been replaced one after the other, and the state is all there is.

use std::collections::BTreeSet;

use crate::observed::member::Member;
use crate::spec::Site;
use crate::values::cluster::ApiUrl;

/// The members that may be named.
pub(super) struct Confirmed<'a> {
    /// Where they are asked; absent while no configured member lists members.
    urls: Option<BTreeSet<&'a ApiUrl>>,
    /// The configured member that lists them.
    pub by: Option<String>,
}

impl<'a> Confirmed<'a> {
    /// From the answers of the members of this site that belong to its cluster.
    pub fn of(site: &'a Site, ours: &[Member<'a>]) -> Self {
        let mut urls: BTreeSet<&ApiUrl> = site.members.iter().collect();
        let lists = |member: &&Member| is_configured(site, member) && member.view().is_some();
        let by = ours.iter().find(lists).map(Member::label);
        let mut count = 0;
        // What they list lists others in turn: a configured member may have an old view, and a listed one a fresh one.
        while by.is_some() && count < urls.len() {
            count = urls.len();
            let known = ours.iter().filter(|member| member.urls().any(|url| urls.contains(url)));
            let listed = known.filter_map(Member::view).flat_map(|view| &view.members);
            let listed: Vec<&ApiUrl> = listed.filter_map(|listed| listed.api_url.as_ref()).collect();
            urls.extend(listed);
        }
        Self { urls: by.is_some().then_some(urls), by }
    }

    /// Whether this member may be named.
    pub fn has(&self, member: &Member) -> bool {
        self.urls.as_ref().is_none_or(|urls| member.urls().any(|url| urls.contains(url)))
    }
}

/// Whether the configuration names this member.
pub(super) fn is_configured(site: &Site, member: &Member) -> bool {
    member.urls().any(|url| site.members.contains(url))
}
