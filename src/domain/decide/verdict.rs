//! Who is the primary, and why; or why none can be named.
//!
//! Invariants: never guess (3), never backwards (4), unknown is not absent (2). The verdict rests only on what members say in
//! this pass and on the state, and it is the same whatever order the answers came in (13). It must never name a primary
//! whose own account is incomplete.

mod claims;
mod confirmed;
mod hold;
mod known;
mod site;

pub use hold::{Hold, HoldKind};

use std::collections::BTreeSet;

use super::seeds;
use crate::observed::Observed;
use crate::observed::member::{Claim, Member, members};
use crate::spec::{Site, Spec};
use crate::state::{Condition, ConditionKind, State};
use crate::values::cluster::{Address, ClusterRole, PostgresState, Role, SiteName};
use crate::values::primary::{Primary, Rival};
use claims::contradiction;
use confirmed::{Confirmed, is_configured};
use site::Found;

/// What a pass may act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This member takes the writes.
    Primary(Primary),
    /// No primary can be named, so nothing is moved.
    Hold(Hold),
}

impl Verdict {
    /// The leader whose replicas may be read from: the primary, or the leader of a standby cluster, which takes no writes.
    #[must_use]
    pub fn leader(&self) -> Option<&Primary> {
        match self {
            Self::Primary(primary) => Some(primary),
            Self::Hold(Hold::StandbyCluster { serves, .. }) => serves.as_deref(),
            Self::Hold(_) => None,
        }
    }
}

/// Decides who is the primary: site by site, and then which site.
#[must_use]
pub fn verdict(spec: &Spec, observed: &Observed, state: &State) -> Verdict {
    site::choose(&found(spec, observed, state), state)
}

/// How each site stands, for itself.
#[must_use]
pub fn by_site(spec: &Spec, observed: &Observed, state: &State) -> Vec<(Option<SiteName>, Verdict)> {
    let found = found(spec, observed, state).into_iter();
    found.map(|found| (found.site, found.primary.map_or_else(Verdict::Hold, Verdict::Primary))).collect()
}

fn found(spec: &Spec, observed: &Observed, state: &State) -> Vec<Found> {
    spec.sites.iter().map(|site| find(site, spec, observed, state)).collect()
}

/// What the members of one site say of it.
fn find(site: &Site, spec: &Spec, observed: &Observed, state: &State) -> Found {
    let answers = observed.answers_of(site.name.as_ref());
    let (foreign_members, mut ours): (Vec<_>, Vec<_>) =
        members(answers).into_iter().partition(|member| foreign(member, site, spec, state).is_some());
    claims::assign_names(&mut ours, site, state);
    let claims = claims::claims(&ours, state);
    let confirmed = Confirmed::of(site, &ours);
    let leader = |member: &&Member| {
        let own = member.status();
        let leads =
            own.is_some_and(|own| own.role == Role::StandbyLeader && own.state == PostgresState::Running);
        leads && confirmed.has(member)
    };
    let wrong = wrong_member(site, spec, state, &foreign_members);
    let wrong = wrong.or_else(|| last_wrong(site, state, &ours, &claims));
    Found {
        is_wrong: wrong.is_some(),
        site: site.name.clone(),
        replays: ours.iter().find(leader).and_then(|leader| leader.status()?.timeline),
        primary: wrong.or_else(|| several_clusters(site, observed, &ours)).map_or_else(
            || {
                let chosen = choose(site, spec, state, &ours, &foreign_members, &claims, &confirmed);
                chosen.map_err(|hold| hold.with_discovery(observed.discovered.get(&site.name)))
            },
            Err,
        ),
        systems: claims.iter().map(|(_, claim)| claim.system_id.clone()).collect(),
        claims: rivals(site, &claims),
    }
}

/// The primary of one site. The table of `Hold`'s variants and the order of the questions here are the whole rule.
fn choose(
    site: &Site,
    spec: &Spec,
    state: &State,
    ours: &[Member],
    foreign_members: &[Member],
    claims: &[(&Member, Claim)],
    confirmed: &Confirmed,
) -> Result<Primary, Hold> {
    let contested = || Hold::Contested {
        claimants: claims.iter().map(|(member, claim)| claim.described(member)).collect(),
    };
    let chosen = match claims {
        [] => return Err(no_claimant(site, spec, state, ours, foreign_members, confirmed)),
        [only] => only,
        [first, second, ..] => {
            let same_system = claims.iter().all(|(_, claim)| claim.system_id == first.1.system_id);
            if !same_system || first.1.timeline == second.1.timeline {
                return Err(contested());
            }
            first
        }
    };
    let is_remembered_alone = |(member, _): &(&Member, Claim)| !confirmed.has(member);
    match (contradiction(chosen, ours), &confirmed.by) {
        (Some(hold), _) => Err(hold),
        (None, Some(by)) if is_remembered_alone(chosen) => {
            let claimant = chosen.1.described(chosen.0);
            let is_only = claims.iter().all(is_remembered_alone);
            Err(if is_only { Hold::Unlisted { claimant, member: by.clone() } } else { contested() })
        }
        (None, _) => match known::unknown_member(site, state, claims, ours) {
            Some(hold) => Err(hold),
            None => Ok(accept(site, chosen, claims, ours, state)),
        },
    }
}

/// A configured member that belongs to another system. Whatever else is claimed, an operator has to decide which cluster is meant.
fn wrong_member(site: &Site, spec: &Spec, state: &State, foreign_members: &[Member]) -> Option<Hold> {
    // Another scope shows that the address now belongs to another cluster: such a member is no evidence of this one.
    let may_be_ours =
        |member: &&Member| is_configured(site, member) && member.foreign(&site.scope, None).is_none();
    let wrong = foreign_members.iter().find(may_be_ours)?;
    Some(Hold::WrongCluster { member: wrong.label(), found: foreign(wrong, site, spec, state)? })
}

/// Members that only discovery knows, and that are of several clusters.
fn several_clusters(site: &Site, observed: &Observed, ours: &[Member]) -> Option<Hold> {
    let groups = if observed.found_alone.contains(&site.name) { seeds::groups(ours) } else { Vec::new() };
    (groups.len() > 1).then_some(Hold::SeveralClusters(groups))
}

/// The configured members were last seen to belong to another system, and none of them answers now: any other claimant
/// belongs to the cluster that they have replaced, or it is not known yet which one is meant.
fn last_wrong(site: &Site, state: &State, ours: &[Member], claims: &[(&Member, Claim)]) -> Option<Hold> {
    let is_open = |condition: &&Condition| condition.kind == ConditionKind::WrongCluster;
    let open = state.conditions.iter().find(is_open)?;
    let answers = |member: &Member| is_configured(site, member) && member.is_readable();
    // Where none is configured, a member of the known system that is back has no one to contradict it.
    let (claimant, claim) =
        claims.first().filter(|_| !site.members.is_empty() && !ours.iter().any(answers))?;
    let found = format!("no configured member answers now, and the last known state is: {}", open.message);
    Some(Hold::WrongCluster { member: claim.described(claimant), found })
}

/// What shows that a member belongs to another cluster than the configured or the remembered one. Where those two differ,
/// the cluster was recreated, and pinning its system in the configuration is not yet adopting it.
fn foreign(member: &Member, site: &Site, spec: &Spec, state: &State) -> Option<String> {
    let expected = [&spec.system_id, &state.system_id];
    expected.into_iter().find_map(|system_id| member.foreign(&site.scope, system_id.as_ref()))
}

fn rivals(site: &Site, claims: &[(&Member, Claim)]) -> Vec<Rival> {
    let rival = |(member, claim): &(&Member, Claim)| Rival {
        site: site.name.clone(),
        member: member.label(),
        timeline: claim.timeline,
    };
    claims.iter().map(rival).collect()
}

fn accept(
    site: &Site,
    (primary, claim): &(&Member, Claim),
    claims: &[(&Member, Claim)],
    ours: &[Member],
    state: &State,
) -> Primary {
    Primary {
        site: site.name.clone(),
        member: primary.name.clone(),
        address: primary
            .view()
            .into_iter()
            .chain(ours.iter().filter_map(Member::view))
            .flat_map(|view| &view.members)
            .filter(|listed| primary.is(listed))
            .find_map(|listed| listed.address.clone())
            .or_else(|| remembered_address(site, primary, state)),
        timeline: claim.timeline,
        system_id: claim.system_id.clone(),
        rivals: rivals(site, &claims[1..]),
        followers: BTreeSet::new(),
    }
}

/// With the DCS down no `/cluster` is answered (`api.py`, `do_GET_cluster`); where a member listens is then known from
/// before, as long as it still answers at the same URL.
fn remembered_address(site: &Site, primary: &Member, state: &State) -> Option<Address> {
    let name = primary.name.as_ref()?;
    let loaded = primary.urls().find_map(|url| state.address_of(site.name.as_ref(), name, url));
    // It may have been written before the configuration named another one.
    site.reached(name, loaded.cloned())
}

/// The leader of a standby cluster, in the form of a primary, which it is but for the writes: the one that says so itself
/// and that every readable view names. Invariants 3 and 4 hold for readers as well.
fn standby_leader(site: &Site, state: &State, ours: &[Member], confirmed: &Confirmed) -> Option<Primary> {
    let views = ours.iter().filter_map(Member::view).flat_map(|view| &view.members);
    let mut named = views.filter(|listed| listed.role.leads());
    let first = named.next().filter(|listed| listed.role == ClusterRole::StandbyLeader)?;
    if named.any(|other| other.name != first.name) {
        return None;
    }
    let leader = ours.iter().find(|member| member.is(first) && confirmed.has(member))?;
    let own = leader
        .status()
        .filter(|own| own.role == Role::StandbyLeader && own.state == PostgresState::Running)?;
    let claim = Claim { timeline: own.timeline?, system_id: own.system_id.clone()? };
    let is_behind = state.highest_timeline.is_some_and(|applied| claim.timeline < applied);
    let claim = (leader, claim);
    (!is_behind).then(|| accept(site, &claim, std::slice::from_ref(&claim), ours, state))
}

/// No member of this cluster claims to be the primary: finds the reason.
fn no_claimant(
    site: &Site,
    spec: &Spec,
    state: &State,
    ours: &[Member],
    foreign_members: &[Member],
    confirmed: &Confirmed,
) -> Hold {
    let all = ours;
    let ours: Vec<&Member> = all.iter().filter(|member| confirmed.has(member)).collect();
    if let Some((member, why)) = ours.iter().find_map(|member| Some((member, member.not_yet()?))) {
        return Hold::Promoting { member: member.label(), why };
    }
    let readable: Vec<&Member> = ours.iter().copied().filter(|member| member.is_readable()).collect();
    let foreign_member =
        foreign_members.iter().find(|member| readable.is_empty() || member.answers_primary());
    if let Some((member, found)) =
        foreign_member.and_then(|member| Some((member, foreign(member, site, spec, state)?)))
    {
        return Hold::WrongCluster { member: member.label(), found };
    }
    if readable.is_empty() {
        return Hold::Unreachable {
            leader: None,
            failures: ours.iter().filter_map(|member| member.failure()).collect(),
        };
    }
    if let Some(leader) = readable.iter().find_map(|member| member.standby_leader()) {
        let serves = standby_leader(site, state, all, confirmed).map(Box::new);
        return Hold::StandbyCluster { leader, serves };
    }
    let named = readable
        .iter()
        .filter_map(|member| member.view())
        .flat_map(|view| &view.members)
        .filter(|listed| listed.role.leads())
        .min_by(|a, b| b.timeline.cmp(&a.timeline).then_with(|| a.name.cmp(&b.name)));
    let Some(leader) = named else {
        let failures: Vec<String> = readable.iter().filter_map(|member| member.view_failure()).collect();
        let is_unknown = readable.iter().all(|member| member.view().is_none());
        return if is_unknown { Hold::NoView { failures } } else { Hold::NoPrimary { denied_by: None } };
    };
    match ours.iter().find(|member| member.is(leader)) {
        Some(member) if member.status().is_some() => {
            Hold::NoPrimary { denied_by: Some(leader.name.to_string()) }
        }
        member => Hold::Unreachable {
            leader: Some(leader.name.to_string()),
            failures: member.and_then(|member| member.failure()).into_iter().collect(),
        },
    }
}
