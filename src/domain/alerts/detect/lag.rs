//! `replica_lag`: a replica is far behind.

use super::{SiteMembers, rounded};
use crate::alerts::conditions::Limits;
use crate::alerts::findings::Findings;
use crate::alerts::subject::Subject;
use crate::decide::lag::{Heads, Lag};
use crate::observed::ClusterMember;
use crate::observed::member::Member;
use crate::state::{Condition, ConditionKind, State};
use crate::values::cluster::Role;

/// Once alerted, it lasts until the lag is at most this part of the limit: a lag about the limit is one alert.
const ENDS_AT: u64 = 2;

/// Detects it by what each member of a site says of itself. Of one that does not answer, or whose position is unknown,
/// nothing can be said (invariant 2), nor of any while the leader does not answer: what is listed is of before. One that is
/// no member any more has no lag.
pub(super) fn detect(
    site: &SiteMembers,
    heads: &Heads,
    state: Option<&State>,
    limits: &Limits,
    found: &mut Findings,
) {
    let kind = ConditionKind::ReplicaLag;
    let mut unknown = Vec::new();
    for member in &site.members {
        let listed = site.views().find_map(|view| member.entry_in(view));
        let name = listed.map_or_else(|| member.label(), |listed| listed.name.to_string());
        let subject = Subject::Member(site.name.cloned(), name);
        let Some(own) = member.status() else {
            unknown.push(subject.name());
            continue;
        };
        if own.role == Role::Primary {
            continue;
        }
        let lag = heads.lag(site.name, member, listed);
        let bytes = if is_delayed(listed) { lag.receive_bytes } else { lag.bytes() };
        let Some(bytes) = bytes.filter(|_| site.hears_the_leader()) else {
            unknown.push(subject.name());
            continue;
        };
        let is_alerted = |condition: &Condition| {
            condition.kind == kind
                && condition.subject.as_ref() == Some(&subject.name())
                && condition.notified.is_some()
        };
        let is_alerted = state.is_some_and(|state| state.conditions.iter().any(is_alerted));
        let limit = limits.replica_lag_bytes / if is_alerted { ENDS_AT } else { 1 };
        if bytes > limit {
            found.add(kind, Some(subject), &message(lag, member, limit));
        }
    }
    // Members that are listed, or that the state knows, and that have not answered by that name.
    let listed = site.views().flat_map(|view| &view.members).map(|listed| &listed.name);
    let known = state.into_iter().flat_map(|state| state.members_of(site.name).keys());
    let answered = |name| site.members.iter().any(|member| member.name.as_ref() == Some(name));
    let silent = listed.chain(known).filter(|name| !answered(name));
    unknown.extend(silent.map(|name| Subject::Member(site.name.cloned(), name.to_string()).name()));
    found.unknown_subjects.extend(unknown.into_iter().map(|subject| (kind, subject)));
}

/// Whether it is kept from clients and from promotion, as a replica that replays late on purpose is: only what it has not
/// received counts.
fn is_delayed(listed: Option<&ClusterMember>) -> bool {
    listed.is_some_and(|listed| listed.nofailover && listed.noloadbalance)
}

/// In steps of two, so that a lag that changes does not write the state in every pass.
fn message(lag: Lag, member: &Member, limit: u64) -> String {
    let behind = match member.status().map(|own| &own.role) {
        Some(Role::StandbyLeader) => "the primary",
        _ => "its leader",
    };
    match lag.receive_bytes.filter(|bytes| *bytes > limit) {
        Some(bytes) => {
            format!("more than {} behind {behind}, not even received yet", rounded(bytes))
        }
        None => format!(
            "more than {} behind {behind}, received and not replayed yet",
            rounded(lag.replay_bytes.unwrap_or_default())
        ),
    }
}
