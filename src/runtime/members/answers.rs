//! What a set of answers says of members: which are listed, which have been asked, where clients reach them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use repoint_domain::observed::member::members;
use repoint_domain::observed::{Answers, ClusterView};
use repoint_domain::spec::Site;
use repoint_domain::values::cluster::{ApiUrl, MemberName, Scope};

/// Whether another member that answers names it as the leader.
pub fn is_seen_by_others(primary: Option<&MemberName>, answers: &Answers) -> bool {
    let Some(name) = primary else { return false };
    let is_leader = |view: &ClusterView| view.member(name).is_some_and(|listed| listed.role.leads());
    let seen = members(answers);
    let mut others = seen.iter().filter(|other| other.name.as_ref() != Some(name));
    others.any(|other| other.view().is_some_and(is_leader))
}

/// The URLs of the members that some `/cluster` of this scope lists.
pub fn listed<'a>(expected: &'a Scope, answers: &'a Answers) -> impl Iterator<Item = &'a ApiUrl> {
    let views = answers.values().filter_map(|answer| answer.view.as_ref().ok());
    let ours = views.filter(move |view| view.scope.as_ref().is_none_or(|scope| scope == expected));
    ours.flat_map(|view| &view.members).filter_map(|listed| listed.api_url.as_ref())
}

/// The members that some `/cluster` of this scope lists and that have not been asked under any name.
pub fn unasked(expected: &Scope, answers: &Answers) -> BTreeSet<ApiUrl> {
    let named: BTreeSet<&MemberName> =
        answers.values().filter_map(|answer| answer.status.as_ref().ok()?.name.as_ref()).collect();
    let views = answers.values().filter_map(|answer| answer.view.as_ref().ok());
    views
        .filter(|view| view.scope.as_ref().is_none_or(|scope| scope == expected))
        .flat_map(|view| &view.members)
        .filter(|listed| !named.contains(&listed.name))
        .filter_map(|listed| listed.api_url.as_ref())
        .filter(|url| !is_asked(answers, url))
        .cloned()
        .collect()
}

/// Whether the URL, or the address that it stands for, has answered or is being asked.
pub fn is_asked(answers: &Answers, url: &ApiUrl) -> bool {
    let mut peers = answers.values().filter_map(|answer| answer.peer);
    let address = url.host().parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, url.port()));
    answers.contains_key(url) || address.is_some_and(|address| peers.any(|peer| peer == address))
}

/// The same, with the addresses that the configuration gives to members.
pub fn as_clients_reach(site: &Site, mut answers: Answers) -> Answers {
    let views = answers.values_mut().filter_map(|answer| answer.view.as_mut().ok());
    for listed in views.flat_map(|view| &mut view.members) {
        listed.address = site.reached(&listed.name, listed.reported.clone());
    }
    answers
}
