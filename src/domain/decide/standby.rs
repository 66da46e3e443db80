//! Which standby a record should point at.
//!
//! Only a standby that answers for itself is chosen, and a good choice is kept: lag changes with every observation, and a
//! record that followed it would change all the time.

use crate::observed::Observed;
use crate::observed::member::{Member, members, primarys_view};
use crate::values::cluster::{Address, ClusterRole, MemberName, Role};
use crate::values::primary::Primary;

/// How much further behind than the best a standby may be and still be kept: one WAL segment, PostgreSQL's own unit
/// of shipping. Smaller differences come and go between two observations.
pub const KEEP_WITHIN_BYTES: u64 = 16 * 1024 * 1024;

/// A standby that could be pointed at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standby {
    /// Sync standby, then quorum standby, then any replica.
    class: u8,
    /// Bytes behind the primary; unknown lag counts as the greatest.
    lag_bytes: u64,
    /// Its name.
    pub member: MemberName,
    /// Where its PostgreSQL listens.
    pub address: Address,
}

/// The standbys in order of preference, as the primary's own view lists them, or else as a member lists them
/// that names the same leader. Never one tagged `noloadbalance`, and none that does not answer.
#[must_use]
pub fn standbys(observed: &Observed, primary: &Primary) -> Vec<Standby> {
    let members = members(observed.answers_of(primary.site.as_ref()));
    let knows = |name: &MemberName| members.iter().find(|member| member.name.as_ref() == Some(name));
    let Some(leader) = &primary.member else { return Vec::new() };
    let mut standbys: Vec<Standby> = primarys_view(&members, leader)
        .into_iter()
        .flat_map(|view| &view.members)
        .filter(|listed| listed.state.is_up() && !listed.noloadbalance)
        .filter(|listed| {
            let status = knows(&listed.name).and_then(Member::status);
            status.is_some_and(|own| own.role == Role::Replica && own.state.is_up() && !own.answers_primary)
        })
        .filter_map(|listed| {
            let class = match listed.role {
                ClusterRole::SyncStandby => 0,
                ClusterRole::QuorumStandby => 1,
                ClusterRole::Replica => 2,
                ClusterRole::Leader | ClusterRole::StandbyLeader | ClusterRole::Other(_) => return None,
            };
            Some(Standby {
                class,
                lag_bytes: listed.lag_bytes.unwrap_or(u64::MAX),
                member: listed.name.clone(),
                address: listed.address.clone()?,
            })
        })
        .collect();
    standbys.sort();
    standbys
}

/// The standby to point at: the first, unless the one pointed at now is as good.
pub fn best(standbys: &[Standby], is_current: impl Fn(&Standby) -> bool) -> Option<&Standby> {
    let first = standbys.first()?;
    let limit = first.lag_bytes.saturating_add(KEEP_WITHIN_BYTES);
    let kept = standbys
        .iter()
        .find(|standby| is_current(standby) && standby.class == first.class && standby.lag_bytes <= limit);
    Some(kept.unwrap_or(first))
}
