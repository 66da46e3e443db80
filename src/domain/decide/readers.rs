//! Which replicas may be read from.
//!
//! Invariant 2: unknown is not absent, so without a list that can be trusted no replica is added or removed, and a replica
//! with an unknown lag is no reader. A reader stays up to the limit, and a replica becomes one only well below it, so that
//! a replica at the limit does not alternate. Just after another member has begun to lead no replica is known to stream yet: one that
//! is in and answers stays for a while.

use std::collections::BTreeSet;

use crate::observed::member::{Member, members, primarys_view};
use crate::observed::{ClusterMember, ClusterView, MemberStatus, Observed};
use crate::state::State;
use crate::values::cluster::{Address, ClusterRole, MemberName, PostgresState, Role};
use crate::values::primary::Primary;
use crate::values::timestamp::Timestamp;

/// A replica comes in once its lag is at most this part of the limit.
const COMES_IN_AT: u64 = 2;

/// A replica that is fit to be read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reader {
    /// Its name.
    pub member: MemberName,
    /// Where its PostgreSQL listens, if any `/cluster` says so.
    pub address: Option<Address>,
    /// Whether it may come in; if not, it may only stay.
    pub may_come_in: bool,
}

/// The replicas that stream, lag no more than `max_lag_bytes` and are not tagged `noloadbalance`, by name; `None` if no
/// `/cluster` can be read that names the leader. To come in, a replica must answer for itself as well.
#[must_use]
pub fn readers(observed: &Observed, leader: &Primary, max_lag_bytes: u64) -> Option<Vec<Reader>> {
    let members = members(observed.answers_of(leader.site.as_ref()));
    let view = leaders_view(&members, leader)?;
    let fed = fed(&members, leader);
    let reader = |listed: &ClusterMember| {
        let lag_bytes = listed.lag_bytes.filter(|lag| *lag <= max_lag_bytes)?;
        let answers = own(&members, listed).is_some_and(is_replica);
        Some(Reader {
            member: listed.name.clone(),
            address: address(&members, listed),
            may_come_in: lag_bytes <= max_lag_bytes / COMES_IN_AT && answers,
        })
    };
    let mut readers: Vec<Reader> = view
        .members
        .iter()
        .filter(|listed| is_listed_as_replica(listed) && !listed.noloadbalance)
        .filter(|listed| match listed.state {
            PostgresState::Streaming => true,
            // Before 3.0.4 a replica's state does not say whether it streams; the account of the member it streams from does.
            PostgresState::Running => fed.contains(&listed.name),
            PostgresState::ArchiveRecovery | PostgresState::Other(_) => false,
        })
        .filter_map(reader)
        .collect();
    readers.sort();
    Some(readers)
}

/// The replicas that may stay where they are although they are not known to stream, by name: those that answer for
/// themselves, while replicas are still on their way to a new leader. The last primary is none of them.
#[must_use]
pub fn settling(observed: &Observed, leader: &Primary, state: &State, now: Timestamp) -> Vec<Reader> {
    if !state.is_settling(leader, now) {
        return Vec::new();
    }
    let last = state.primary.as_ref().and_then(|last| last.member.as_ref());
    let members = members(observed.answers_of(leader.site.as_ref()));
    let is_of_the_system =
        |own: &&MemberStatus| own.system_id.as_ref().is_none_or(|system_id| *system_id == leader.system_id);
    let view = leaders_view(&members, leader);
    let mut readers: Vec<Reader> = view
        .into_iter()
        .flat_map(|view| &view.members)
        .filter(|listed| is_listed_as_replica(listed) && !listed.noloadbalance)
        .filter(|listed| last != Some(&listed.name))
        .filter(|listed| own(&members, listed).filter(is_of_the_system).is_some_and(is_replica))
        .map(|listed| Reader {
            member: listed.name.clone(),
            address: address(&members, listed),
            may_come_in: false,
        })
        .collect();
    readers.sort();
    readers
}

fn leaders_view<'a>(members: &[Member<'a>], leader: &Primary) -> Option<&'a ClusterView> {
    primarys_view(members, leader.member.as_ref()?)
}

/// The members that stream from any other. A replica may stream from another replica, which alone lists it. One that
/// claims to be the primary and is not the leader feeds what is no part of this cluster any more.
fn fed<'a>(members: &[Member<'a>], leader: &Primary) -> BTreeSet<&'a MemberName> {
    let feeds = members.iter().filter_map(|member| {
        let own = member.status()?;
        let is_leader = leader.member.is_some() && member.name == leader.member;
        (is_leader || is_replica(own)).then_some(&own.feeds)
    });
    feeds.flatten().collect()
}

/// Where a member's PostgreSQL listens: Patroni may list a member without that for a while.
fn address(members: &[Member], listed: &ClusterMember) -> Option<Address> {
    let views = members.iter().filter_map(Member::view);
    let elsewhere =
        || views.filter_map(|view| view.member(&listed.name)).find_map(|same| same.address.clone());
    listed.address.clone().or_else(elsewhere)
}

/// What a listed member says of itself.
fn own<'a>(members: &[Member<'a>], listed: &ClusterMember) -> Option<&'a MemberStatus> {
    members.iter().find(|member| member.name.as_ref() == Some(&listed.name))?.status()
}

fn is_replica(own: &MemberStatus) -> bool {
    own.role == Role::Replica && own.state.is_up() && !own.answers_primary
}

fn is_listed_as_replica(listed: &ClusterMember) -> bool {
    matches!(listed.role, ClusterRole::Replica | ClusterRole::SyncStandby | ClusterRole::QuorumStandby)
}
