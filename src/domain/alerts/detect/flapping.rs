//! `flapping`: the primary changes again and again.
//!
//! It is alerted, and never keeps a pass from following: endpoints are where Patroni's primary is, however often it changes.

use crate::alerts::conditions::Limits;
use crate::alerts::findings::Findings;
use crate::state::{ConditionKind, State, changes_within};
use crate::values::primary::Primary;
use crate::values::timestamp::Timestamp;
use crate::values::units::seconds;

/// Detects it by the changes that the state has, and the one that this pass sees. Once alerted it lasts until there was none
/// for the whole time.
pub(super) fn detect(
    state: Option<&State>,
    leader: Option<&Primary>,
    limits: &Limits,
    now: Timestamp,
    found: &mut Findings,
) {
    let (Some(state), Some(leader)) = (state, leader) else {
        found.unknown.push(ConditionKind::Flapping);
        return;
    };
    let recent = changes_within(&state.changes_with(leader, now), limits.flapping_ms, now);
    let is_open = state.has(ConditionKind::Flapping);
    if recent >= limits.flapping_changes || (is_open && recent > 0) {
        let message = format!(
            "the primary has changed {} times or more within {}; the last change was to {}, timeline {}",
            limits.flapping_changes,
            seconds(limits.flapping_ms / 1000),
            leader.label().unwrap_or_else(|| "an unnamed member".to_owned()),
            leader.timeline
        );
        found.add(ConditionKind::Flapping, None, &message);
    }
}
