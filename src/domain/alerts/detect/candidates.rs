//! `no_candidate`: no member could take over.
//!
//! The rules are Patroni's own (`ha.py`, `_is_healthiest_node`): a replica that may be promoted, whose PostgreSQL runs, and that has
//! received all but `maximum_lag_on_failover` bytes.

use super::{SiteMembers, rounded};
use crate::alerts::conditions::Limits;
use crate::alerts::findings::Findings;
use crate::decide::lag::Heads;
use crate::observed::ClusterMember;
use crate::observed::member::primarys_view;
use crate::spec::Site;
use crate::state::ConditionKind;
use crate::values::cluster::ClusterRole;
use crate::values::primary::Primary;

/// Whether a member could take over.
enum Fitness {
    Fit,
    /// With the reason.
    Unfit(String),
    /// It does not answer, or its position is not known.
    Unknown,
}

/// Detects it by the members that the primary lists. A cluster of one member, by configuration and list, has none and wants
/// none.
pub(super) fn detect(
    site: &SiteMembers,
    configured: &Site,
    primary: &Primary,
    heads: &Heads,
    limits: &Limits,
    found: &mut Findings,
) {
    let kind = ConditionKind::NoCandidate;
    let view = primary.member.as_ref().and_then(|name| primarys_view(&site.members, name));
    let Some(view) = view else {
        found.unknown.push(kind);
        return;
    };
    let others: Vec<&ClusterMember> =
        view.members.iter().filter(|listed| Some(&listed.name) != primary.member.as_ref()).collect();
    if others.is_empty() {
        if configured.members.len() > 1 {
            found.add(kind, None, "the primary lists no other member");
        }
        return;
    }
    let is_synchronous =
        |listed: &ClusterMember| matches!(listed.role, ClusterRole::SyncStandby | ClusterRole::QuorumStandby);
    let needs_synchronous = others.iter().any(|listed| is_synchronous(listed));
    let (mut reasons, mut is_unknown) = (Vec::new(), false);
    for listed in others {
        let fitness = if needs_synchronous && !is_synchronous(listed) {
            Fitness::Unfit("is no synchronous standby".to_owned())
        } else {
            fitness(site, listed, heads, limits)
        };
        match fitness {
            Fitness::Fit => return,
            Fitness::Unfit(reason) => reasons.push(format!("{} {reason}", listed.name)),
            Fitness::Unknown => is_unknown = true,
        }
    }
    if is_unknown {
        found.unknown.push(kind);
    } else {
        found.add(kind, None, &format!("no failover is possible: {}", reasons.join(", ")));
    }
}

fn fitness(site: &SiteMembers, listed: &ClusterMember, heads: &Heads, limits: &Limits) -> Fitness {
    if listed.nofailover {
        return Fitness::Unfit("is tagged nofailover".to_owned());
    }
    let member = site.members.iter().find(|member| member.is(listed));
    let Some((member, own)) = member.and_then(|member| Some((member, member.status()?))) else {
        return Fitness::Unknown;
    };
    if !own.state.is_up() {
        return Fitness::Unfit(format!("is {}", own.state));
    }
    // Under many writes each of the two is off in its own way, by when the members were asked and by when they wrote their
    // keys: the better one counts.
    let measured = heads.lag(site.name, member, Some(listed)).receive_bytes;
    let bytes = [measured, listed.lag_bytes].into_iter().flatten().min();
    match bytes {
        Some(bytes) if bytes > limits.failover_lag_bytes => {
            Fitness::Unfit(format!("is more than {} behind", rounded(bytes)))
        }
        Some(_) => Fitness::Fit,
        None => Fitness::Unknown,
    }
}
