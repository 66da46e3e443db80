//! Which answers count where members are discovered.
//!
//! Invariants: never guess (3), unknown is not absent (2). Whatever has the tag is discovered, and a copy of the cluster
//! that was restored for a test has its tags, its scope and its system identifier. So what discovery finds only
//! replaces what is lost: while a member that is configured or remembered answers, an address counts if it is one of
//! those, if they list it, or if it lists one of them. Where none answers, all that was found counts if AWS says that none of
//! the remembered members runs any more, or if none is remembered. Otherwise they cannot be reached, and nothing replaces
//! them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::observed::member::Member;
use crate::observed::{Answers, MemberAnswer, Read};
use crate::spec::{Site, Source};
use crate::values::cluster::{ApiUrl, SystemId};

/// What earlier passes know of a site's cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Where its members are asked.
    pub urls: BTreeSet<ApiUrl>,
    /// Its system.
    pub system_id: Option<SystemId>,
}

/// The answers that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// By URL.
    pub answers: Answers,
    /// Whether no known member answers, so that all that was found counts.
    pub found_alone: bool,
}

/// The answers that count. `found` is what discovery says.
#[must_use]
pub fn counted(
    site: &Site,
    known: &Known,
    found: Option<&Read<BTreeSet<ApiUrl>>>,
    answers: Answers,
) -> Counted {
    let Some(discover) = &site.discover else { return Counted { answers, found_alone: false } };
    let seeds: BTreeSet<&ApiUrl> = site.members.iter().chain(&known.urls).collect();
    let tied: BTreeSet<ApiUrl> = tied(site, seeds, &answers).into_iter().cloned().collect();
    let speaks = |(url, answer): (&ApiUrl, &MemberAnswer)| {
        let system_id = answer.status.as_ref().ok().and_then(|own| own.system_id.as_ref());
        let is_foreign = system_id.zip(known.system_id.as_ref()).is_some_and(|(its, ours)| its != ours);
        tied.contains(url)
            && (answer.status.is_ok() || answer.view.is_ok())
            && has_scope(site, answer)
            && !is_foreign
    };
    if !answers.iter().any(speaks) && known.urls.iter().all(|url| is_gone(url, &discover.source, found)) {
        return Counted { answers, found_alone: true };
    }
    let answers = answers.into_iter().filter(|(url, _)| tied.contains(url)).collect();
    Counted { answers, found_alone: false }
}

/// The addresses that belong together with those: that they list, or that list one of them, and so on.
fn tied<'a>(site: &Site, seeds: BTreeSet<&'a ApiUrl>, answers: &'a Answers) -> BTreeSet<&'a ApiUrl> {
    let mut tied = seeds;
    let ours = |(url, answer): (&'a ApiUrl, &'a MemberAnswer)| {
        let view = answer.view.as_ref().ok().filter(|_| has_scope(site, answer))?;
        let listed = view.members.iter().filter_map(|listed| listed.api_url.as_ref());
        Some(listed.chain([url]).collect::<BTreeSet<_>>())
    };
    let mut apart: Vec<BTreeSet<&ApiUrl>> = answers.iter().filter_map(ours).collect();
    loop {
        let joined: Vec<_> = apart.extract_if(.., |group| !group.is_disjoint(&tied)).collect();
        if joined.is_empty() {
            return tied;
        }
        tied.extend(joined.into_iter().flatten());
    }
}

/// Not knowing the scope is not having another one.
fn has_scope(site: &Site, answer: &MemberAnswer) -> bool {
    let own = answer.status.as_ref().ok().and_then(|own| own.scope.as_ref());
    let view = answer.view.as_ref().ok().and_then(|view| view.scope.as_ref());
    own.or(view).is_none_or(|scope| *scope == site.scope)
}

/// Whether no machine that runs has the address. Of a host name that is unknown.
fn is_gone(url: &ApiUrl, source: &Source, found: Option<&Read<BTreeSet<ApiUrl>>>) -> bool {
    let Some(Ok(found)) = found else { return false };
    let is_address = url.host().parse::<IpAddr>().is_ok();
    source.lists_all() && is_address && !found.iter().any(|there| there.host() == url.host())
}

/// One of each group of members that list one another. Several groups are several clusters.
#[must_use]
pub fn groups(ours: &[Member]) -> Vec<String> {
    let mut groups: Vec<(String, BTreeSet<&ApiUrl>)> = Vec::new();
    for member in ours.iter().filter(|member| member.is_readable()) {
        let (mut first, mut urls) = (member.label(), listed(member).chain(member.urls()).collect());
        let joined: Vec<_> = groups.extract_if(.., |(_, other)| !other.is_disjoint(&urls)).collect();
        for (label, its) in joined {
            first = first.min(label);
            urls.extend(its);
        }
        groups.push((first, urls));
    }
    groups.into_iter().map(|(first, _)| first).collect()
}

fn listed<'a>(member: &Member<'a>) -> impl Iterator<Item = &'a ApiUrl> {
    member.view().into_iter().flat_map(|view| &view.members).filter_map(|listed| listed.api_url.as_ref())
}
