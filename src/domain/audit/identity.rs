//! Whether the primary belongs to the cluster that is configured.
//!
//! Invariant 14: configuration outranks state. Written from the invariant, with no code of the verdict's.

use std::collections::BTreeSet;

use super::Refusal;
use crate::observed::{Answers, MemberAnswer, Observed};
use crate::spec::{Site, Spec};
use crate::state::State;
use crate::values::cluster::{ApiUrl, Role};
use crate::values::primary::Primary;

/// No configured member belongs to another system, and those that list members lead to the primary.
pub(super) fn is_configured(
    primary: &Primary,
    spec: &Spec,
    observed: &Observed,
    state: &State,
) -> Result<(), Refusal> {
    // Where neither the state nor the configuration says which system it is, a member of another one may be the stray.
    let is_known = state.system_id.is_some() || spec.system_id.is_some();
    for site in spec.sites.iter().filter(|_| is_known) {
        same_system(primary, site, observed.answers_of(site.name.as_ref()))?;
    }
    let Some(site) = spec.site(primary.site.as_ref()) else { return Ok(()) };
    confirmed(primary, site, observed.answers_of(site.name.as_ref()))
}

/// A member that reports another scope is at an address that now belongs to another cluster.
fn same_system(primary: &Primary, site: &Site, answers: &Answers) -> Result<(), Refusal> {
    for answer in site.members.iter().filter_map(|url| answers.get(url)) {
        let Ok(own) = &answer.status else { continue };
        let reported = own.scope.as_ref().or_else(|| answer.view.as_ref().ok()?.scope.as_ref());
        let other = own.system_id.as_ref().filter(|system_id| **system_id != primary.system_id);
        if let Some(other) = other.filter(|_| reported.is_none_or(|scope| *scope == site.scope)) {
            let (found, expected) = (primary.system_id.clone(), other.clone());
            return Err(Refusal::WrongSystem { found, expected });
        }
    }
    Ok(())
}

fn confirmed(primary: &Primary, site: &Site, answers: &Answers) -> Result<(), Refusal> {
    let is_ours = |answer: &&MemberAnswer| {
        let view = answer.view.as_ref().ok().and_then(|view| view.scope.as_ref());
        let own = answer.status.as_ref().ok().and_then(|own| own.scope.as_ref());
        own.or(view).is_none_or(|scope| *scope == site.scope)
    };
    let members_of = |url: &ApiUrl| {
        let answer = answers.get(url).filter(is_ours);
        let view = answer.and_then(|answer| answer.view.as_ref().ok());
        view.map(|view| view.members.iter().filter_map(|listed| listed.api_url.as_ref()).collect::<Vec<_>>())
    };
    if site.members.iter().all(|url| members_of(url).is_none()) {
        // All nodes may have been replaced one after the other: the state is then all there is.
        return Ok(());
    }
    let mut reached: BTreeSet<&ApiUrl> = BTreeSet::new();
    let mut next: Vec<&ApiUrl> = site.members.iter().collect();
    while let Some(url) = next.pop() {
        if reached.insert(url) {
            next.extend(members_of(url).into_iter().flatten());
        }
    }
    let leads = |url: &&ApiUrl| {
        let own = answers.get(*url).and_then(|answer| answer.status.as_ref().ok());
        own.is_some_and(|own| {
            // A member whose PostgreSQL cannot be queried for a moment reports neither.
            let leads = own.answers_primary || own.role == Role::StandbyLeader;
            leads
                && own.timeline.is_none_or(|timeline| timeline == primary.timeline)
                && own.system_id.as_ref().is_none_or(|system_id| *system_id == primary.system_id)
        })
    };
    if reached.iter().any(leads) {
        return Ok(());
    }
    let name =
        primary.member.as_ref().map_or_else(|| "a member without a name".to_owned(), ToString::to_string);
    Err(Refusal::Unconfirmed(name))
}
