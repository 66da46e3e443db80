//! Whether the primary, or the site that it is in, may be followed after what was applied before.
//!
//! Invariant 4: never backwards.

use super::Refusal;
use crate::observed::Observed;
use crate::spec::Spec;
use crate::state::State;
use crate::values::cluster::Role;
use crate::values::primary::Primary;
use crate::values::timestamp::Timestamp;

pub(super) fn never_backwards(primary: &Primary, spec: &Spec, state: &State) -> Result<(), Refusal> {
    for expected in [&spec.system_id, &state.system_id].into_iter().flatten() {
        if *expected != primary.system_id {
            let (found, expected) = (primary.system_id.clone(), expected.clone());
            return Err(Refusal::WrongSystem { found, expected });
        }
    }
    match state.highest_timeline {
        Some(applied) if primary.timeline < applied => {
            Err(Refusal::Backwards { to: primary.timeline, applied })
        }
        _ => Ok(()),
    }
}

/// Another site than the one that was followed must be ahead of all that was applied, and a superseded one must be
/// confirmed: by the site that was followed, which now replays its timeline.
pub(super) fn never_back_to_a_site(
    primary: &Primary,
    observed: &Observed,
    state: &State,
) -> Result<(), Refusal> {
    let (Some(to), Some(from)) = (&primary.site, &state.site) else { return Ok(()) };
    let is_ahead = state.highest_timeline.is_none_or(|applied| primary.timeline > applied);
    let mut previous_site = observed.answers_of(Some(from)).values().flat_map(|answer| &answer.status);
    let is_confirmed =
        previous_site.any(|own| own.role == Role::StandbyLeader && own.timeline == Some(primary.timeline));
    if to == from || (is_ahead && (is_confirmed || !state.superseded.contains(to))) {
        return Ok(());
    }
    Err(Refusal::BackToSite { to: to.clone() })
}

/// How long after another member has begun to lead a replica may stay where it is because it answers: what the design
/// allows, and as long again, since a plan may be older than its audit.
const STAYS_FOR_MS: u64 = 60_000;

/// Whether by the state another member led until lately, or led before.
pub(super) fn leads_newly(primary: &Primary, state: &State, now: Timestamp) -> bool {
    let before = state.leader.as_ref().map(|known| (known.timeline, &known.member, known.since));
    match before {
        Some((timeline, member, since)) if timeline == primary.timeline && *member == primary.member => {
            since.is_some_and(|Timestamp(since)| since.abs_diff(now.0) < STAYS_FOR_MS)
        }
        Some(_) => true,
        None => state.highest_timeline.is_some_and(|applied| applied < primary.timeline),
    }
}
