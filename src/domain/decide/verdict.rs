//! Who is the primary, and why; or why nobody can be named.
//!
//! Laws: never guess (3), never backwards (4), unknown is not absent (2). The verdict rests only on what members say in
//! this pass and on memory, and it is the same whatever order the answers came in (13). It must never name a primary
//! whose own account is incomplete.

mod claims;
mod confirmed;
mod hold;
mod known;
mod site;

pub use hold::{Hold, HoldKind};

use std::collections::BTreeSet;

use crate::observed::witness::{Claim, Witness, witnesses};
use crate::observed::{Answers, World};
use crate::spec::{Intent, Site};
use crate::state::{Condition, ConditionKind, Memory};
use crate::values::cluster::{Address, ListedRole, MemberName, Role, SiteName, State, SystemId, Timeline};
use claims::contradiction;
use confirmed::{Confirmed, is_configured};
use site::Found;

/// What a pass may act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This member takes the writes.
    Primary(Primary),
    /// Nobody can be named, so nothing is moved.
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

/// The primary, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primary {
    /// The site that it is in, where the cluster spans several.
    pub site: Option<SiteName>,
    /// Its name; unknown where neither its own JSON (before 3.2) nor any `/cluster` gives it.
    pub member: Option<MemberName>,
    /// Where its PostgreSQL listens; unknown where no `/cluster` that can be read lists it.
    pub address: Option<Address>,
    /// Its timeline.
    pub timeline: Timeline,
    /// Its system identifier.
    pub system_id: SystemId,
    /// Members that claim to be primary as well: two nodes may be taking writes.
    pub rivals: Vec<Rival>,
    /// The other sites that replicate, as standby clusters on its timeline.
    pub followers: BTreeSet<SiteName>,
}

/// A member that claims to be primary and is not the real one: on a lower timeline, or in another site, whose timelines
/// are its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// The site that it is in.
    pub site: Option<SiteName>,
    /// Its name or URL.
    pub member: String,
    /// Its timeline.
    pub timeline: Timeline,
}

impl Rival {
    /// What it is called in the whole cluster.
    #[must_use]
    pub fn label(&self) -> String {
        label(self.site.as_ref(), &self.member)
    }
}

/// What a member is called in the whole cluster, where its name may be that of another site's member as well.
#[must_use]
pub fn label(site: Option<&SiteName>, member: &str) -> String {
    site.map_or_else(|| member.to_owned(), |site| format!("{site}/{member}"))
}

/// Decides who is the primary: site by site, and then which site.
#[must_use]
pub fn verdict(intent: &Intent, world: &World, memory: &Memory) -> Verdict {
    site::choose(&found(intent, world, memory), memory)
}

/// How each site stands, for itself.
#[must_use]
pub fn by_site(intent: &Intent, world: &World, memory: &Memory) -> Vec<(Option<SiteName>, Verdict)> {
    let found = found(intent, world, memory).into_iter();
    found.map(|found| (found.site, found.lead.map_or_else(Verdict::Hold, Verdict::Primary))).collect()
}

fn found(intent: &Intent, world: &World, memory: &Memory) -> Vec<Found> {
    let of = |site: &Site| find(site, intent, world.answers_of(site.name.as_ref()), memory);
    intent.sites.iter().map(of).collect()
}

/// What the members of one site say of it.
fn find(site: &Site, intent: &Intent, answers: &Answers, memory: &Memory) -> Found {
    let (strangers, mut ours): (Vec<_>, Vec<_>) =
        witnesses(answers).into_iter().partition(|witness| foreign(witness, site, intent, memory).is_some());
    claims::tell_names(&mut ours, site, memory);
    let claims = claims::claims(&ours, memory);
    let confirmed = Confirmed::of(site, &ours);
    let leader = |witness: &&Witness| {
        let own = witness.health();
        let leads = own.is_some_and(|own| own.role == Role::StandbyLeader && own.state == State::Running);
        leads && confirmed.has(witness)
    };
    let wrong = wrong_member(site, intent, memory, &strangers);
    let wrong = wrong.or_else(|| last_wrong(site, memory, &ours, &claims));
    Found {
        is_wrong: wrong.is_some(),
        site: site.name.clone(),
        replays: ours.iter().find(leader).and_then(|leader| leader.health()?.timeline),
        lead: wrong.map_or_else(|| lead(site, intent, memory, &ours, &strangers, &claims, &confirmed), Err),
        systems: claims.iter().map(|(_, claim)| claim.system_id.clone()).collect(),
        claims: rivals(site, &claims),
    }
}

/// Who leads one site. The table of `Hold`'s variants and the order of the questions here are the whole rule.
fn lead(
    site: &Site,
    intent: &Intent,
    memory: &Memory,
    ours: &[Witness],
    strangers: &[Witness],
    claims: &[(&Witness, Claim)],
    confirmed: &Confirmed,
) -> Result<Primary, Hold> {
    let contested = || Hold::Contested {
        claimants: claims.iter().map(|(witness, claim)| claim.described(witness)).collect(),
    };
    let chosen = match claims {
        [] => return Err(no_claimant(site, intent, memory, ours, strangers, confirmed)),
        [only] => only,
        [first, second, ..] => {
            let same_system = claims.iter().all(|(_, claim)| claim.system_id == first.1.system_id);
            if !same_system || first.1.timeline == second.1.timeline {
                return Err(contested());
            }
            first
        }
    };
    let is_remembered_alone = |(witness, _): &(&Witness, Claim)| !confirmed.has(witness);
    match (contradiction(chosen, ours), &confirmed.by) {
        (Some(hold), _) => Err(hold),
        (None, Some(by)) if is_remembered_alone(chosen) => {
            let claimant = chosen.1.described(chosen.0);
            let is_only = claims.iter().all(is_remembered_alone);
            Err(if is_only { Hold::Unlisted { claimant, witness: by.clone() } } else { contested() })
        }
        (None, _) => match known::unknown_member(site, memory, claims, ours) {
            Some(hold) => Err(hold),
            None => Ok(accept(site, chosen, claims, ours, memory)),
        },
    }
}

/// A configured member that belongs to another system. Whoever else claims, an operator has to say which cluster is meant.
fn wrong_member(site: &Site, intent: &Intent, memory: &Memory, strangers: &[Witness]) -> Option<Hold> {
    // Another scope tells that an address has changed hands: such a member says nothing of this cluster.
    let may_be_ours =
        |witness: &&Witness| is_configured(site, witness) && witness.foreign(&site.scope, None).is_none();
    let wrong = strangers.iter().find(may_be_ours)?;
    Some(Hold::WrongCluster { member: wrong.label(), found: foreign(wrong, site, intent, memory)? })
}

/// The configured members were last seen to belong to another system, and none of them answers now: whoever else claims
/// belongs to the cluster that they have replaced, or it is not known yet which one is meant.
fn last_wrong(site: &Site, memory: &Memory, ours: &[Witness], claims: &[(&Witness, Claim)]) -> Option<Hold> {
    let is_open = |condition: &&Condition| condition.kind == ConditionKind::WrongCluster;
    let open = memory.conditions.iter().find(is_open)?;
    let answers = |witness: &Witness| is_configured(site, witness) && witness.is_readable();
    let (claimant, claim) = claims.first().filter(|_| !ours.iter().any(answers))?;
    let found = format!("no configured member answers now, and the last that was heard is: {}", open.message);
    Some(Hold::WrongCluster { member: claim.described(claimant), found })
}

/// What shows that a member belongs to another cluster than the configured or the remembered one. Where those two differ,
/// the cluster was made anew, and pinning its system in the configuration is not yet adopting it.
fn foreign(witness: &Witness, site: &Site, intent: &Intent, memory: &Memory) -> Option<String> {
    let expected = [&intent.system_id, &memory.system_id];
    expected.into_iter().find_map(|system_id| witness.foreign(&site.scope, system_id.as_ref()))
}

fn rivals(site: &Site, claims: &[(&Witness, Claim)]) -> Vec<Rival> {
    let rival = |(witness, claim): &(&Witness, Claim)| Rival {
        site: site.name.clone(),
        member: witness.label(),
        timeline: claim.timeline,
    };
    claims.iter().map(rival).collect()
}

fn accept(
    site: &Site,
    (primary, claim): &(&Witness, Claim),
    claims: &[(&Witness, Claim)],
    ours: &[Witness],
    memory: &Memory,
) -> Primary {
    Primary {
        site: site.name.clone(),
        member: primary.name.clone(),
        address: primary
            .view()
            .into_iter()
            .chain(ours.iter().filter_map(Witness::view))
            .flat_map(|view| &view.members)
            .filter(|listed| primary.is(listed))
            .find_map(|listed| listed.address.clone())
            .or_else(|| remembered_address(site, primary, memory)),
        timeline: claim.timeline,
        system_id: claim.system_id.clone(),
        rivals: rivals(site, &claims[1..]),
        followers: BTreeSet::new(),
    }
}

/// With the DCS down no `/cluster` is answered (`api.py`, `do_GET_cluster`); where a member listens is then known from
/// before, as long as it still answers at the same URL.
fn remembered_address(site: &Site, primary: &Witness, memory: &Memory) -> Option<Address> {
    let name = primary.name.as_ref()?;
    let remembered = primary.urls().find_map(|url| memory.address_of(site.name.as_ref(), name, url));
    // It may have been written before the configuration named another one.
    site.reached(name, remembered.cloned())
}

/// The leader of a standby cluster, in the form of a primary, which it is but for the writes: the one that says so itself
/// and that every readable view names. Laws 3 and 4 hold for those who read as well.
fn standby_leader(site: &Site, memory: &Memory, ours: &[Witness], confirmed: &Confirmed) -> Option<Primary> {
    let views = ours.iter().filter_map(Witness::view).flat_map(|view| &view.members);
    let mut named = views.filter(|listed| listed.role.leads());
    let first = named.next().filter(|listed| listed.role == ListedRole::StandbyLeader)?;
    if named.any(|other| other.name != first.name) {
        return None;
    }
    let leader = ours.iter().find(|witness| witness.is(first) && confirmed.has(witness))?;
    let own = leader.health().filter(|own| own.role == Role::StandbyLeader && own.state == State::Running)?;
    let claim = Claim { timeline: own.timeline?, system_id: own.system_id.clone()? };
    let is_behind = memory.highest_timeline.is_some_and(|applied| claim.timeline < applied);
    let claim = (leader, claim);
    (!is_behind).then(|| accept(site, &claim, std::slice::from_ref(&claim), ours, memory))
}

/// Nobody of ours claims to be the primary: say which kind of nobody it is.
fn no_claimant(
    site: &Site,
    intent: &Intent,
    memory: &Memory,
    ours: &[Witness],
    strangers: &[Witness],
    confirmed: &Confirmed,
) -> Hold {
    let all = ours;
    let ours: Vec<&Witness> = all.iter().filter(|witness| confirmed.has(witness)).collect();
    if let Some((witness, why)) = ours.iter().find_map(|witness| Some((witness, witness.not_yet()?))) {
        return Hold::Promoting { member: witness.label(), why };
    }
    let readable: Vec<&Witness> = ours.iter().copied().filter(|witness| witness.is_readable()).collect();
    let stranger = strangers.iter().find(|witness| readable.is_empty() || witness.answers_primary());
    if let Some((witness, found)) =
        stranger.and_then(|witness| Some((witness, foreign(witness, site, intent, memory)?)))
    {
        return Hold::WrongCluster { member: witness.label(), found };
    }
    if readable.is_empty() {
        return Hold::Unreachable {
            leader: None,
            failures: ours.iter().filter_map(|witness| witness.failure()).collect(),
        };
    }
    if let Some(leader) = readable.iter().find_map(|witness| witness.standby_leader()) {
        let serves = standby_leader(site, memory, all, confirmed).map(Box::new);
        return Hold::StandbyCluster { leader, serves };
    }
    let named = readable
        .iter()
        .filter_map(|witness| witness.view())
        .flat_map(|view| &view.members)
        .filter(|listed| listed.role.leads())
        .min_by(|a, b| b.timeline.cmp(&a.timeline).then_with(|| a.name.cmp(&b.name)));
    let Some(leader) = named else {
        return Hold::NoPrimary { denied_by: None };
    };
    match ours.iter().find(|witness| witness.is(leader)) {
        Some(witness) if witness.health().is_some() => {
            Hold::NoPrimary { denied_by: Some(leader.name.to_string()) }
        }
        witness => Hold::Unreachable {
            leader: Some(leader.name.to_string()),
            failures: witness.and_then(|witness| witness.failure()).into_iter().collect(),
        },
    }
}
