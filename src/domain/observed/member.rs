//! The answers of one member, put together.
//!
//! A member that answers under two names is one member, so that it cannot contest itself. Where its answers differ, the
//! weaker claim counts.

mod names;

use std::collections::{BTreeMap, BTreeSet};

use crate::observed::{ClusterMember, ClusterView, MemberAnswer, MemberStatus};
use crate::values::cluster::{
    ApiUrl, ClusterRole, MemberName, PostgresState, Role, Scope, SystemId, Timeline,
};

/// One member and what it answered, under every URL by which it was asked.
pub struct Member<'a> {
    /// Its name, from its own JSON or from its own `/cluster`.
    pub name: Option<MemberName>,
    answers: Vec<(&'a ApiUrl, &'a MemberAnswer)>,
}

/// A complete claim to be the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The timeline on which it takes writes.
    pub timeline: Timeline,
    /// The system that the timeline belongs to.
    pub system_id: SystemId,
}

impl Claim {
    /// The claimant and its timeline, as text.
    #[must_use]
    pub fn described(&self, member: &Member) -> String {
        format!("{} (timeline {})", member.label(), self.timeline)
    }
}

/// Puts the answers of each member together: by its name, or else by the address that answered.
#[must_use]
pub fn members(answers: &BTreeMap<ApiUrl, MemberAnswer>) -> Vec<Member<'_>> {
    let mut members: Vec<Member> = Vec::new();
    for (url, answer) in answers {
        let member = Member { name: own_name(url, answer), answers: vec![(url, answer)] };
        join(&mut members, member);
    }
    if members.iter().any(|member| member.name.is_none() && member.is_readable()) {
        name_by_others(&mut members);
        for member in std::mem::take(&mut members) {
            join(&mut members, member);
        }
    }
    // By name, so that it does not matter at which address each was asked.
    members.sort_by_cached_key(Member::label);
    members
}

/// What the primary lists, or else what a member lists that names the same leader.
#[must_use]
pub fn primarys_view<'a>(members: &[Member<'a>], primary: &MemberName) -> Option<&'a ClusterView> {
    let own = members.iter().find(|member| member.name.as_ref() == Some(primary));
    own.and_then(Member::view).or_else(|| {
        let mut views = members.iter().filter_map(Member::view);
        views.find(|view| view.member(primary).is_some_and(|listed| listed.role.leads()))
    })
}

/// A member's name: its own JSON has it since 3.2; before, its own `/cluster` lists it. That it answers 200 makes it none of
/// the names there: the listed leader may be the one before.
fn own_name(url: &ApiUrl, answer: &MemberAnswer) -> Option<MemberName> {
    let own = answer.status.as_ref().ok().and_then(|status| status.name.clone());
    own.or_else(|| {
        let members = &answer.view.as_ref().ok()?.members;
        names::entry(members, url, answer).map(|listed| listed.name.clone())
    })
}

/// Names the members that do not name themselves, by what the `/cluster` of the others lists where they were asked.
fn name_by_others(members: &mut [Member]) {
    let named: Vec<Option<MemberName>> = members.iter().map(|own| own.named_by(&*members)).collect();
    for (member, name) in members.iter_mut().zip(named) {
        member.name = member.name.take().or(name);
    }
}

/// Adds a member, or joins its answers with those of the same member if that is there.
fn join<'a>(members: &mut Vec<Member<'a>>, mut member: Member<'a>) {
    // One answer may connect two that had nothing in common: its name is the one's, its address the other's.
    for same in members.extract_if(.., |other| other.is_same_member(&member)).collect::<Vec<_>>() {
        member.name = same.name.or(member.name);
        member.answers.splice(0..0, same.answers);
    }
    members.push(member);
}

fn answer_scope(answer: &MemberAnswer) -> Option<&Scope> {
    let own = answer.status.as_ref().ok().and_then(|status| status.scope.as_ref());
    own.or_else(|| answer.view.as_ref().ok().and_then(|view| view.scope.as_ref()))
}

impl<'a> Member<'a> {
    /// Its name, or else the URL by which it was asked.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.name, self.answers.first()) {
            (Some(name), _) => name.to_string(),
            (None, Some((url, _))) => url.to_string(),
            (None, None) => String::new(),
        }
    }

    /// The URLs by which it was asked.
    pub fn urls(&self) -> impl Iterator<Item = &'a ApiUrl> {
        self.answers.iter().map(|(url, _)| *url)
    }

    /// The one name that other members' `/cluster` gives to where it was asked. A member of another cluster does not count.
    fn named_by(&self, others: &[Self]) -> Option<MemberName> {
        if self.name.is_some() || !self.is_readable() {
            return None;
        }
        let views = others.iter().filter(|other| self.agrees_with(other)).filter_map(Member::view);
        let names: BTreeSet<&MemberName> =
            views.filter_map(|view| self.entry_in(view)).map(|listed| &listed.name).collect();
        names.first().filter(|_| names.len() == 1).map(|name| (*name).clone())
    }

    /// Its entry in a `/cluster`, by its name or by where it was asked.
    #[must_use]
    pub fn entry_in<'v>(&self, view: &'v ClusterView) -> Option<&'v ClusterMember> {
        match &self.name {
            Some(name) => view.member(name),
            None => self.answers.iter().find_map(|(url, answer)| names::entry(&view.members, url, answer)),
        }
    }

    /// Whether a REST address is where it was asked, or the address that it answered from.
    #[must_use]
    pub fn answers_at(&self, listed: &ClusterMember) -> bool {
        self.answers.iter().any(|(url, answer)| names::is_rest_of(listed, url, answer.peer))
    }

    /// Takes over the answers of one that is the same member.
    pub fn absorb(&mut self, same: Self) {
        self.answers.extend(same.answers);
    }

    /// Whether both may belong to one cluster, as far as they report it.
    fn agrees_with(&self, other: &Self) -> bool {
        let agree = |a: Option<String>, b: Option<String>| a.is_none() || b.is_none() || a == b;
        agree(self.scope().map(ToString::to_string), other.scope().map(ToString::to_string))
            && agree(self.system_id(), other.system_id())
    }

    fn is_same_member(&self, other: &Self) -> bool {
        let same_peer = self.answers.iter().any(|(_, mine)| {
            mine.peer.is_some() && other.answers.iter().any(|(_, its)| its.peer == mine.peer)
        });
        // A clone that was restored elsewhere may carry our member's name.
        let (mine, its) = (self.claimed_timeline(), other.claimed_timeline());
        let same_name = self.name.is_some()
            && self.name == other.name
            && self.agrees_with(other)
            && (mine.is_none() || its.is_none() || mine == its);
        // One proxy may serve several members, which then all answer from its address.
        let is_named_differently = self.name.is_some() && other.name.is_some() && self.name != other.name;
        (same_peer && !is_named_differently) || same_name
    }

    fn scope(&self) -> Option<&'a Scope> {
        self.answers.iter().find_map(|(_, answer)| answer_scope(answer))
    }

    fn system_id(&self) -> Option<String> {
        self.statuses().find_map(|status| Some(status.system_id.as_ref()?.to_string()))
    }

    fn claimed_timeline(&self) -> Option<String> {
        self.statuses().find_map(|status| Some(claim_of(status)?.timeline.to_string()))
    }

    fn statuses(&self) -> impl Iterator<Item = &'a MemberStatus> {
        self.answers.iter().filter_map(|(_, answer)| answer.status.as_ref().ok())
    }

    /// Its account of itself; of several, the one that claims least.
    #[must_use]
    pub fn status(&self) -> Option<&'a MemberStatus> {
        self.statuses().min_by_key(|status| (claim_of(status).is_some(), status.answers_primary))
    }

    /// Its account of the cluster.
    #[must_use]
    pub fn view(&self) -> Option<&'a ClusterView> {
        self.answers.iter().find_map(|(_, answer)| answer.view.as_ref().ok())
    }

    /// Whether it answered anything at all.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.status().is_some() || self.view().is_some()
    }

    /// Why it could not be read.
    pub fn failure(&self) -> Option<String> {
        self.answers.iter().find_map(|(_, answer)| answer.status.as_ref().err()).map(ToString::to_string)
    }

    /// Why its account of the cluster could not be read.
    pub fn view_failure(&self) -> Option<String> {
        self.answers.iter().find_map(|(_, answer)| answer.view.as_ref().err()).map(ToString::to_string)
    }

    /// Whether `GET /primary` was 200.
    #[must_use]
    pub fn answers_primary(&self) -> bool {
        self.status().is_some_and(|status| status.answers_primary)
    }

    /// Whether a `/cluster` entry means this member.
    #[must_use]
    pub fn is(&self, listed: &ClusterMember) -> bool {
        match &self.name {
            Some(name) => *name == listed.name,
            None => self.answers_at(listed),
        }
    }

    /// Its claim to be the primary, if it makes a complete one.
    #[must_use]
    pub fn claim(&self) -> Option<Claim> {
        claim_of(self.status()?)
    }

    /// Whether it leads by its own account: it claims to be the primary, or it leads a standby cluster.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.claim().is_some() || self.status().is_some_and(|status| status.role == Role::StandbyLeader)
    }

    /// What keeps a member that answers 200 from being a claimant; `None` for a claimant, and for one that answers 503.
    #[must_use]
    pub fn not_yet(&self) -> Option<String> {
        let status = self.status().filter(|status| status.answers_primary && claim_of(status).is_none())?;
        Some(if status.role != Role::Primary {
            format!("its role is still {}", status.role)
        } else if status.state != PostgresState::Running {
            format!("its PostgreSQL is {}", status.state)
        } else {
            "does not report its timeline and system identifier yet".to_owned()
        })
    }

    /// The standby leader that it is, or names.
    #[must_use]
    pub fn standby_leader(&self) -> Option<String> {
        if self.status().is_some_and(|status| status.role == Role::StandbyLeader) {
            return Some(self.label());
        }
        let members = &self.view()?.members;
        let leader = members.iter().find(|listed| listed.role == ClusterRole::StandbyLeader)?;
        Some(leader.name.to_string())
    }

    /// What shows that it belongs to another cluster than the expected one.
    #[must_use]
    pub fn foreign(&self, scope: &Scope, system_id: Option<&SystemId>) -> Option<String> {
        let other_scope =
            self.answers.iter().filter_map(|(_, answer)| answer_scope(answer)).find(|its| *its != scope);
        if let Some(its) = other_scope {
            return Some(format!("its scope is `{its}`, expected `{scope}`"));
        }
        let expected = system_id?;
        let its =
            self.statuses().filter_map(|status| status.system_id.as_ref()).find(|its| *its != expected)?;
        Some(format!("its system identifier is {its}, expected {expected}"))
    }
}

fn claim_of(status: &MemberStatus) -> Option<Claim> {
    let complete =
        status.answers_primary && status.role == Role::Primary && status.state == PostgresState::Running;
    match (&status.timeline, &status.system_id) {
        (Some(timeline), Some(system_id)) if complete => {
            Some(Claim { timeline: *timeline, system_id: system_id.clone() })
        }
        _ => None,
    }
}
