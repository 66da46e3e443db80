//! Whether a claimant is known to be a member of the cluster.
//!
//! Invariant 3: never guess. A clone that was restored from a backup has the scope and the system identifier of its original,
//! and may be a timeline ahead. At the address of a dead member it answers where the configuration says that members are.
//! Neither that nor its own `/cluster` makes it a member: another member that answers lists it, or state has it.

use super::Hold;
use super::claims::is_configured_elsewhere;
use crate::observed::ClusterMember;
use crate::observed::member::{Claim, Member};
use crate::spec::Site;
use crate::state::State;

/// How a claimant stands to the members that are known.
enum Standing {
    /// Another member that answers lists it.
    Listed,
    /// State has it, and no other member can be asked.
    InState,
    /// Other members answer, and none lists it.
    Omitted {
        /// One of them.
        by: String,
    },
    /// No other member that answers can list members, and the state has members, without it.
    NotInState,
    /// There is no evidence.
    NoEvidence,
}

/// Why the highest claimant must not be followed: it is not known to be a member. Where it is the only claimant, another
/// member has to leave it out for that, or to answer while state leaves it out.
pub(super) fn unknown_member(
    site: &Site,
    state: &State,
    claims: &[(&Member, Claim)],
    ours: &[Member],
) -> Option<Hold> {
    let ((highest, claim), rivals) = claims.split_first()?;
    let standing = standing(highest, site, state, ours);
    let omitted_by = match standing {
        Standing::Listed | Standing::InState => return None,
        Standing::NoEvidence if rivals.is_empty() => return None,
        Standing::NoEvidence | Standing::NotInState => None,
        Standing::Omitted { by } => Some(by),
    };
    Some(Hold::UnknownMember {
        claimant: claim.described(highest),
        omitted_by,
        rivals: rivals.iter().map(|(member, claim)| claim.described(member)).collect(),
    })
}

fn standing(claimant: &Member, site: &Site, state: &State, ours: &[Member]) -> Standing {
    let others: Vec<&Member> = ours.iter().filter(|other| !std::ptr::eq(*other, claimant)).collect();
    // An empty list is no evidence against a member.
    let views = others.iter().filter_map(|other| Some((other, other.view()?)));
    let views: Vec<_> = views.filter(|(_, view)| !view.members.is_empty()).collect();
    // Before 3.2 a member does not say its name. One whose own `/cluster` does not say that it leads either is known by its
    // address alone, which is listed for as long as a dead member's key lasts: then another has to list it as the leader.
    let leads = |listed: &ClusterMember| listed.role.leads() && claimant.is(listed);
    let says_who_it_is = claimant.status().is_some_and(|own| own.name.is_some())
        || claimant.view().is_some_and(|view| view.members.iter().any(leads));
    let lists = |listed: &ClusterMember| {
        (says_who_it_is || listed.role.leads()) && is_claimant(listed, claimant, site, &others)
    };
    if let Some((first, _)) = views.first() {
        return if views.iter().any(|(_, view)| view.members.iter().any(lists)) {
            Standing::Listed
        } else {
            Standing::Omitted { by: first.label() }
        };
    }
    // Not knowing its name is not having another one.
    let can_be_compared = claimant.name.is_some() && !state.members_of(site.name.as_ref()).is_empty();
    if is_remembered(claimant, site, state, &others) {
        Standing::InState
    } else if can_be_compared && others.iter().any(|other| other.is_readable()) {
        Standing::NotInState
    } else {
        Standing::NoEvidence
    }
}

/// Whether an entry of another member's `/cluster` means the claimant. It may have another one's name, and not its place.
fn is_claimant(listed: &ClusterMember, claimant: &Member, site: &Site, others: &[&Member]) -> bool {
    if others.iter().any(|other| other.is_readable() && other.answers_at(listed)) {
        return false;
    }
    if claimant.name.is_none() {
        // Not knowing its name is not having another one.
        let is_taken = others.iter().any(|other| other.is_readable() && other.is(listed));
        return !is_taken && !is_configured_elsewhere(listed, claimant, site);
    }
    claimant.is(listed) && (claimant.answers_at(listed) || is_same_place(own_entry(claimant), listed))
}

fn own_entry<'a>(claimant: &Member<'a>) -> Option<&'a ClusterMember> {
    claimant.entry_in(claimant.view()?)
}

/// Whether both entries may be of one node: where both have an address, it is the same.
fn is_same_place(own: Option<&ClusterMember>, listed: &ClusterMember) -> bool {
    let Some(own) = own else { return true };
    match (&own.api_url, &listed.api_url) {
        (Some(own), Some(its)) => own == its,
        _ => own.address.is_none() || listed.address.is_none() || own.address == listed.address,
    }
}

/// Whether state has a member of that name, which is not known to be elsewhere.
fn is_remembered(claimant: &Member, site: &Site, state: &State, others: &[&Member]) -> bool {
    let Some(name) = &claimant.name else { return false };
    let Some(known) = state.members_of(site.name.as_ref()).get(name) else { return false };
    let Some(url) = &known.api_url else { return true };
    let is_anothers =
        others.iter().any(|other| other.is_readable() && other.urls().any(|asked| asked == url));
    let is_there = || claimant.urls().any(|asked| asked == url);
    let own = own_entry(claimant).and_then(|own| own.api_url.as_ref());
    !is_anothers && (is_there() || own.is_none_or(|own| own == url))
}
