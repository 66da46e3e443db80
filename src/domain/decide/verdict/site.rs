//! Which site holds the primary.
//!
//! Invariants: never guess (3), never backwards (4). Within one Patroni cluster a higher timeline is a newer one, since its members
//! share one leader key and one history. Sites share neither: each goes on counting for itself, so that a site that was cut
//! off and has failed over twice comes back on a higher timeline than the one that was promoted in its place, and has none
//! of what was written there. Hence the rules:
//!
//! - The state has which site the endpoints follow, and which sites are *superseded*: a site that was left for another, or
//!   that claimed to hold the primary while another did. A superseded site is not followed, whatever its timeline: its
//!   claim is reported as a rival's.
//! - It is trusted again once it has been seen to follow, that is to lead a standby cluster on the timeline of the primary;
//!   or if the site that is followed now leads a standby cluster on the very timeline that is claimed. The latter is a
//!   switchover back between two passes: the site that stood down confirms the one that took over.
//!   Neither shows that it was rewound: where both sites have promoted a member to one timeline, Patroni rewinds nothing,
//!   and streams over what differs.
//! - Another site than the one that is followed must be strictly ahead of all that was applied. A standby cluster is
//!   promoted to the timeline after the one it follows; one that arrives at the same number was promoted before it knew
//!   of the last failover, and lacks what was written since.
//! - Of several sites that may be followed the strictly highest timeline wins, if it is remembered which site was followed:
//!   then the lower one is the past of the higher one. Without state two claims cannot be compared.
//!
//! An operator who knows better runs `repoint adopt`, once only one site claims to hold the primary.

use std::cmp::Reverse;

use super::{Hold, HoldKind, Verdict};
use crate::state::State;
use crate::values::cluster::{SiteName, SystemId, Timeline};
use crate::values::primary::{Primary, Rival};

/// What the members of one site say of it.
pub(super) struct Found {
    pub site: Option<SiteName>,
    /// Whether a configured member there belongs to another system.
    pub is_wrong: bool,
    /// Its primary, or why none can be named.
    pub primary: Result<Primary, Hold>,
    /// Who claims to be the primary, the highest timeline first.
    pub claims: Vec<Rival>,
    /// The systems that the claims are of.
    pub systems: Vec<SystemId>,
    /// The timeline that its standby leader replays.
    pub replays: Option<Timeline>,
}

impl Found {
    /// The highest timeline that is claimed here.
    fn claimed(&self) -> Option<Timeline> {
        self.claims.first().map(|claim| claim.timeline)
    }

    /// The timeline that it follows, if no member here claims to be the primary.
    fn follows(&self) -> Option<Timeline> {
        self.replays.filter(|_| self.claims.is_empty())
    }

    fn is_followed(&self, state: &State) -> bool {
        self.site.is_some() && self.site == state.site
    }
}

/// Chooses among the sites.
pub(super) fn choose(found: &[Found], state: &State) -> Verdict {
    // Whatever else is claimed: an operator has to decide which cluster is meant.
    if found.iter().any(|found| found.is_wrong) {
        return Verdict::Hold(hold_for_all(found, |_| None));
    }
    let followed = found.iter().find(|found| found.is_followed(state));
    let confirmed_by = followed.and_then(Found::follows);
    let is_superseded = |found: &Found| {
        let is_superseded = found.site.as_ref().is_some_and(|site| state.superseded.contains(site));
        is_superseded && found.claimed() != confirmed_by
    };
    let mut trusted: Vec<&Found> =
        found.iter().filter(|found| found.claimed().is_some() && !is_superseded(found)).collect();
    trusted.sort_by_key(|found| Reverse(found.claimed()));
    let chosen = match &trusted[..] {
        [] => return Verdict::Hold(hold_for_all(found, |site| Some(stale_site(site, state)))),
        [only] => only,
        [first, second, ..] => {
            let mut systems = trusted.iter().flat_map(|found| &found.systems);
            let same_system = systems.all(|system| first.systems.first() == Some(system));
            if followed.is_none() || !same_system || first.claimed() == second.claimed() {
                return Verdict::Hold(contested(&trusted));
            }
            first
        }
    };
    let Ok(primary) = &chosen.primary else { return Verdict::Hold(hold_for_all(found, |_| None)) };
    if let Some(hold) = backwards(chosen, primary.timeline, state) {
        let hold = hold_for_all(found, |site| (site.site == chosen.site).then(|| hold.clone()));
        return Verdict::Hold(hold);
    }
    let others = || found.iter().filter(|found| found.site != chosen.site);
    let followers = others().filter(|found| found.follows() == Some(primary.timeline));
    Verdict::Primary(Primary {
        rivals: primary.rivals.iter().chain(others().flat_map(|found| &found.claims)).cloned().collect(),
        followers: followers.filter_map(|found| found.site.clone()).collect(),
        ..primary.clone()
    })
}

/// Invariant 4, for the site that would be followed.
fn backwards(chosen: &Found, timeline: Timeline, state: &State) -> Option<Hold> {
    let applied = state.highest_timeline?;
    let is_elsewhere = state.site.is_some() && !chosen.is_followed(state);
    if is_elsewhere && timeline <= applied {
        return Some(stale_site(chosen, state));
    }
    let member = chosen.claims.first()?.member.clone();
    (timeline < applied).then_some(Hold::Stale { member, timeline, applied })
}

fn stale_site(found: &Found, state: &State) -> Hold {
    Hold::StaleSite {
        claimants: described(&found.claims, |claim| claim.member.clone()),
        followed: state.site.as_ref().map_or_else(|| "another site".to_owned(), ToString::to_string),
    }
}

fn contested(trusted: &[&Found]) -> Hold {
    Hold::ContestedSites {
        claimants: described(trusted.iter().flat_map(|found| &found.claims), Rival::label),
    }
}

fn described<'a>(
    claims: impl IntoIterator<Item = &'a Rival>,
    name: impl Fn(&Rival) -> String,
) -> Vec<String> {
    claims.into_iter().map(|claim| format!("{} (timeline {})", name(claim), claim.timeline)).collect()
}

/// Why no primary can be named in any of the sites; a site with a claimant is held for what `refusal` says, or passed over.
fn hold_for_all(found: &[Found], refusal: impl Fn(&Found) -> Option<Hold>) -> Hold {
    let of = |found: &Found| match &found.primary {
        Ok(_) => refusal(found),
        Err(hold) => Some(hold.clone()),
    };
    let mut holds: Vec<(Option<SiteName>, Hold)> =
        found.iter().filter_map(|found| Some((found.site.clone(), of(found)?))).collect();
    match &holds[..] {
        [(None, _)] => holds.remove(0).1,
        _ => Hold::Sites(holds.into_iter().filter_map(|(site, hold)| Some((site?, hold))).collect()),
    }
}

/// The most urgent of the holds of several sites.
pub(super) fn most_urgent(holds: &[(SiteName, Hold)]) -> HoldKind {
    let rank = |kind: &HoldKind| match kind {
        HoldKind::Contested => 0,
        HoldKind::WrongCluster => 1,
        HoldKind::Promoting => 2,
        HoldKind::StaleSite => 3,
        HoldKind::Stale => 4,
        HoldKind::Unreachable => 5,
        HoldKind::NoPrimary => 6,
        HoldKind::StandbyCluster => 7,
    };
    match holds.iter().map(|(_, hold)| hold.kind()).min_by_key(rank) {
        // Where every site follows another one, none takes writes.
        Some(HoldKind::StandbyCluster) if holds.len() > 1 => HoldKind::NoPrimary,
        Some(kind) => kind,
        None => HoldKind::NoPrimary,
    }
}
