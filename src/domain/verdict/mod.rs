//! Who is the primary, and why; or why nobody can be named.
//!
//! Laws: never guess (3), never backwards (4), unknown is not absent (2). The verdict rests only on what members say in
//! this pass and on memory, and it is the same whatever order the answers came in (13). It must never name a primary
//! whose own account is incomplete.

mod hold;

pub use hold::{Hold, HoldKind};

use super::cluster::{Address, MemberName, SystemId, Timeline};
use super::intent::Intent;
use super::memory::Memory;
use super::witness::{Claim, Witness, witnesses};
use super::world::World;

/// What a pass may act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This member takes the writes.
    Primary(Primary),
    /// Nobody can be named, so nothing is moved.
    Hold(Hold),
}

/// The primary, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primary {
    /// Its name; unknown where neither its own JSON (before 3.2) nor any `/cluster` gives it.
    pub member: Option<MemberName>,
    /// Where its PostgreSQL listens; unknown where no `/cluster` that can be read lists it.
    pub address: Option<Address>,
    /// Its timeline.
    pub timeline: Timeline,
    /// Its system identifier.
    pub system_id: SystemId,
    /// Members that claim to be primary as well, on lower timelines: two nodes may be taking writes.
    pub rivals: Vec<Rival>,
}

/// A member that claims to be primary on a lower timeline than the real one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Its name or URL.
    pub member: String,
    /// Its timeline.
    pub timeline: Timeline,
}

/// Decides who is the primary. The table of `Hold`'s variants and the order of the questions here are the whole rule.
#[must_use]
pub fn verdict(intent: &Intent, world: &World, memory: &Memory) -> Verdict {
    let (strangers, ours): (Vec<_>, Vec<_>) =
        witnesses(&world.members).into_iter().partition(|witness| foreign(witness, intent, memory).is_some());

    let mut claims: Vec<(&Witness, Claim)> =
        ours.iter().filter_map(|witness| Some((witness, witness.claim()?))).collect();
    claims.sort_by(|(a, claim_a), (b, claim_b)| {
        claim_b.timeline.cmp(&claim_a.timeline).then_with(|| a.label().cmp(&b.label()))
    });

    let chosen = match &claims[..] {
        [] => return Verdict::Hold(no_claimant(intent, memory, &ours, &strangers)),
        [only] => only,
        [first, second, ..] => {
            let same_system = claims.iter().all(|(_, claim)| claim.system_id == first.1.system_id);
            if !same_system || first.1.timeline == second.1.timeline {
                return Verdict::Hold(Hold::Contested {
                    claimants: claims.iter().map(|(witness, claim)| claim.described(witness)).collect(),
                });
            }
            first
        }
    };
    match contradiction(chosen, &ours) {
        Some(hold) => Verdict::Hold(hold),
        None => accept(chosen, &claims, &ours, memory),
    }
}

/// What shows that a member belongs to another cluster than the configured or the remembered one. Where those two differ,
/// the cluster was made anew, and pinning its system in the configuration is not yet adopting it.
fn foreign(witness: &Witness, intent: &Intent, memory: &Memory) -> Option<String> {
    let expected = [&intent.system_id, &memory.system_id];
    expected.into_iter().find_map(|system_id| witness.foreign(&intent.scope, system_id.as_ref()))
}

/// Somebody readable names another leader, on the same or a higher timeline, or on one that nobody can tell.
fn contradiction((primary, claim): &(&Witness, Claim), ours: &[Witness]) -> Option<Hold> {
    let mut promotion = None;
    for witness in ours {
        for listed in witness.view().into_iter().flat_map(|view| &view.members) {
            if !listed.role.leads() || primary.is(listed) {
                continue;
            }
            let named = ours.iter().find(|other| other.is(listed));
            let timeline = listed.timeline.or_else(|| named?.health()?.timeline);
            if timeline.is_some_and(|timeline| timeline < claim.timeline) {
                continue;
            }
            // The named leader answers 200 and is on its way: that is a promotion, if there is no quarrel besides.
            match named.and_then(|named| Some((named, named.not_yet()?))) {
                Some((named, why)) => promotion = Some(Hold::Promoting { member: named.label(), why }),
                None => {
                    return Some(Hold::Contradicted {
                        claimant: claim.described(primary),
                        witness: witness.label(),
                        named: listed.name.to_string(),
                        timeline,
                    });
                }
            }
        }
    }
    promotion
}

fn accept(
    (primary, claim): &(&Witness, Claim),
    claims: &[(&Witness, Claim)],
    ours: &[Witness],
    memory: &Memory,
) -> Verdict {
    if let Some(applied) = memory.highest_timeline.filter(|highest| claim.timeline < *highest) {
        return Verdict::Hold(Hold::Stale { member: primary.label(), timeline: claim.timeline, applied });
    }
    Verdict::Primary(Primary {
        member: primary.name.clone(),
        address: primary
            .view()
            .into_iter()
            .chain(ours.iter().filter_map(Witness::view))
            .flat_map(|view| &view.members)
            .filter(|listed| primary.is(listed))
            .find_map(|listed| listed.address.clone())
            .or_else(|| remembered_address(primary, memory)),
        timeline: claim.timeline,
        system_id: claim.system_id.clone(),
        rivals: claims[1..]
            .iter()
            .map(|(witness, claim)| Rival { member: witness.label(), timeline: claim.timeline })
            .collect(),
    })
}

/// With the DCS down no `/cluster` is answered (`api.py`, `do_GET_cluster`); where a member listens is then known from
/// before, as long as it still answers at the same URL.
fn remembered_address(primary: &Witness, memory: &Memory) -> Option<Address> {
    let name = primary.name.as_ref()?;
    primary.urls().find_map(|url| memory.address_of(name, url)).cloned()
}

/// Nobody of ours claims to be the primary: say which kind of nobody it is.
fn no_claimant(intent: &Intent, memory: &Memory, ours: &[Witness], strangers: &[Witness]) -> Hold {
    if let Some((witness, why)) = ours.iter().find_map(|witness| Some((witness, witness.not_yet()?))) {
        return Hold::Promoting { member: witness.label(), why };
    }
    let readable: Vec<&Witness> = ours.iter().filter(|witness| witness.is_readable()).collect();
    let stranger = strangers.iter().find(|witness| readable.is_empty() || witness.answers_primary());
    if let Some((witness, found)) =
        stranger.and_then(|witness| Some((witness, foreign(witness, intent, memory)?)))
    {
        return Hold::WrongCluster { member: witness.label(), found };
    }
    if readable.is_empty() {
        return Hold::Unreachable {
            leader: None,
            failures: ours.iter().filter_map(Witness::failure).collect(),
        };
    }
    if let Some(leader) = readable.iter().find_map(|witness| witness.standby_leader()) {
        return Hold::StandbyCluster { leader };
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
            failures: witness.and_then(Witness::failure).into_iter().collect(),
        },
    }
}
