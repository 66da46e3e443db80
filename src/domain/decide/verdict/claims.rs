//! Who of a site claims to be the primary, under which name, and what speaks against it.
//!
//! Invariant 2: missing evidence is never a contradiction. A claimant does not contradict itself: the leader that its own
//! `/cluster` lists is itself, unless something shows that it is another one.

use std::collections::BTreeSet;

use super::Hold;
use crate::observed::member::{Claim, Member};
use crate::observed::{ClusterMember, ClusterView};
use crate::spec::Site;
use crate::state::State;
use crate::values::cluster::{ApiUrl, ClusterRole, MemberName, PostgresState, Role, SystemId, Timeline};

/// What Patroni reports for a moment while a query of its PostgreSQL fails (3.2.0 also of one that is well).
const UNKNOWN: &str = "unknown";

/// Who claims to be the primary, the highest timeline first.
pub(super) fn claims<'a, 'w>(ours: &'a [Member<'w>], state: &State) -> Vec<(&'a Member<'w>, Claim)> {
    let claim = |member: &Member| member.claim().or_else(|| attested(member, ours, state));
    let mut claims: Vec<(&Member, Claim)> =
        ours.iter().filter_map(|member| Some((member, claim(member)?))).collect();
    claims.sort_by(|(a, claim_a), (b, claim_b)| {
        claim_b.timeline.cmp(&claim_a.timeline).then_with(|| a.label().cmp(&b.label()))
    });
    claims
}

/// The claim of one that answers 200 in the right role and does not know the state of its PostgreSQL, where everything else
/// agrees: every `/cluster` that can be read names it as the leader, running, on one timeline; and that is ahead of what is
/// remembered, or the remembered primary's own.
fn attested(member: &Member, ours: &[Member], state: &State) -> Option<Claim> {
    let own = member.status()?;
    let is_unsure = matches!(&own.state, PostgresState::Other(word) if word == UNKNOWN);
    if !(own.answers_primary && own.role == Role::Primary && is_unsure) {
        return None;
    }
    let name = member.name.as_ref()?;
    let others = || ours.iter().filter(|other| !std::ptr::eq(*other, member));
    if others().any(Member::is_readable) && !others().any(|other| other.view().is_some()) {
        return None;
    }
    let views = ours.iter().filter_map(Member::view);
    let timelines: Option<BTreeSet<Timeline>> = views.map(|view| leads_alone(view, name)).collect();
    let timelines = timelines?;
    let timeline = *timelines.first().filter(|_| timelines.len() == 1)?;
    let is_own = own.timeline.is_none_or(|reported| reported == timeline);
    let was_primary = state.primary.as_ref().is_some_and(|last| last.member.as_ref() == Some(name));
    let is_ahead = state
        .highest_timeline
        .is_none_or(|highest| timeline > highest || (timeline == highest && was_primary));
    let system_id = own.system_id.clone().or_else(|| common_system(ours));
    Some(Claim { timeline, system_id: system_id? }).filter(|_| is_own && is_ahead)
}

/// The timeline on which a view names that member, and no other one, as a leader that runs.
fn leads_alone(view: &ClusterView, name: &MemberName) -> Option<Timeline> {
    let mut leaders = view.members.iter().filter(|listed| listed.role.leads());
    let (leader, other) = (leaders.next()?, leaders.next());
    let is_it =
        leader.name == *name && leader.role == ClusterRole::Leader && leader.state == PostgresState::Running;
    leader.timeline.filter(|_| is_it && other.is_none())
}

/// The one system that every member reports that reports one.
fn common_system(ours: &[Member]) -> Option<SystemId> {
    let reported = ours.iter().filter_map(|member| member.status()?.system_id.clone());
    let systems: BTreeSet<SystemId> = reported.collect();
    systems.first().filter(|_| systems.len() == 1).cloned()
}

/// Gives a member that answers 200, and that nothing has named, the name of the leader that it must be. Before 3.2 a member
/// does not say its name, and its `api_url` may be good inside the members' network only.
pub(super) fn assign_names(ours: &mut Vec<Member>, site: &Site, state: &State) {
    let found: Vec<Option<Leader>> = ours.iter().map(|own| leader_that_is(own, ours, site, state)).collect();
    let is_sole = |name: &MemberName| {
        let same = found.iter().flatten().filter(|leader| *leader.name() == *name);
        same.count() == 1
    };
    let mut same = Vec::new();
    for (index, leader) in found.iter().enumerate().rev() {
        match leader {
            Some(Leader::Silent(name)) if is_sole(name) => ours[index].name = Some(name.clone()),
            // It was asked at two addresses, and one of them names it.
            Some(Leader::Answers(name)) => same.push((name.clone(), ours.remove(index))),
            _ => {}
        }
    }
    for (name, member) in same {
        if let Some(named) = ours.iter_mut().find(|other| other.name.as_ref() == Some(&name)) {
            named.absorb(member);
        }
    }
}

/// The leader that a member must be.
enum Leader {
    /// No other member answers under that name.
    Silent(MemberName),
    /// It answers under that name too, at another address, and claims the same.
    Answers(MemberName),
}

impl Leader {
    fn name(&self) -> &MemberName {
        match self {
            Self::Silent(name) | Self::Answers(name) => name,
        }
    }
}

/// The only leader that could contradict a member without a name, if nothing shows that it is another one: neither a member
/// that answers elsewhere, nor one that is configured at another URL, nor one on a higher timeline.
fn leader_that_is(member: &Member, ours: &[Member], site: &Site, state: &State) -> Option<Leader> {
    let own = member.status().filter(|own| own.answers_primary && member.name.is_none())?;
    let is_current = |listed: &&ClusterMember| match (listed.timeline, own.timeline) {
        (Some(its), Some(mine)) => listed.role == ClusterRole::Leader && its >= mine,
        _ => listed.role == ClusterRole::Leader,
    };
    let leaders = |view: &'_ ClusterView| view.members.iter().filter(is_current).cloned().collect::<Vec<_>>();
    let named: Vec<ClusterMember> = ours.iter().filter_map(Member::view).flat_map(leaders).collect();
    let leader =
        member.view().map_or_else(|| named.first().cloned(), |view| leaders(view).first().cloned())?;
    let is_on_its_timeline = |listed: &ClusterMember| match (listed.timeline, own.timeline) {
        (Some(its), Some(mine)) => its == mine,
        // On a timeline that is not reported it could be the next leader, still being promoted.
        _ => listed.state == PostgresState::Running,
    };
    let is_one = named.iter().all(|listed| listed.name == leader.name && is_on_its_timeline(listed));
    let was_known_here = member.urls().filter_map(|url| state.name_at(site.name.as_ref(), url));
    let is_another = was_known_here.into_iter().any(|name| *name != leader.name);
    if !is_one || is_another {
        return None;
    }
    let mut others = ours.iter().filter(|other| !std::ptr::eq(*other, member) && other.is_readable());
    match others.find(|other| named.iter().any(|listed| other.is(listed))) {
        Some(other) => {
            let claims_the_same = member.claim().zip(other.claim()).is_some_and(|(mine, its)| mine == its);
            let is_reported = member.view().is_some() && other.name.as_ref() == Some(&leader.name);
            (claims_the_same && is_reported).then_some(Leader::Answers(leader.name))
        }
        None if named.iter().any(|listed| is_configured_elsewhere(listed, member, site)) => None,
        None => Some(Leader::Silent(leader.name)),
    }
}

/// Whether the operator names a member by the very address that an entry has, and this is not it.
pub(super) fn is_configured_elsewhere(listed: &ClusterMember, member: &Member, site: &Site) -> bool {
    let is_at = |url: &&ApiUrl| listed.api_url.as_ref() == Some(*url);
    site.members.iter().any(|url| is_at(&url)) && !member.answers_at(listed)
}

/// A readable view names another leader, on the same or a higher timeline, or on one that is not reported.
pub(super) fn contradiction((primary, claim): &(&Member, Claim), ours: &[Member]) -> Option<Hold> {
    let mut promotion = None;
    for member in ours {
        for listed in member.view().into_iter().flat_map(|view| &view.members) {
            if !listed.role.leads() || primary.is(listed) {
                continue;
            }
            let named = ours.iter().find(|other| other.is(listed));
            let timeline = listed.timeline.or_else(|| named?.status()?.timeline);
            // A `/cluster` may be older than the claim. Where the leader itself says that it leads, and its role was not
            // reported, it is not.
            let has_no_status = member.status().is_none() && member.answers_at(listed);
            if timeline.is_some_and(|timeline| timeline < claim.timeline) && !has_no_status {
                continue;
            }
            // The named leader answers 200 and is on its way: that is a promotion, if there is no quarrel besides.
            match named.and_then(|named| Some((named, named.not_yet()?))) {
                Some((named, why)) => promotion = Some(Hold::Promoting { member: named.label(), why }),
                None => {
                    return Some(Hold::Contradicted {
                        claimant: claim.described(primary),
                        member: member.label(),
                        named: listed.name.to_string(),
                        timeline,
                    });
                }
            }
        }
    }
    promotion
}
