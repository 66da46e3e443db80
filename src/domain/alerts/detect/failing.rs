//! `retarget_failing`: the same change fails in pass after pass.

use std::collections::BTreeSet;

use crate::alerts::findings::Findings;
use crate::report::{StepReport, StepResult, describe};
use crate::state::{Condition, ConditionKind, State};
use crate::values::primary::Primary;

/// Detects it by the endpoints whose change failed in this pass, and had failed in an earlier one.
pub(super) fn detect(
    state: Option<&State>,
    leader: &Primary,
    steps: &[StepReport],
    is_followed: bool,
    found: &mut Findings,
) {
    let kind = ConditionKind::RetargetFailing;
    let open = || state.into_iter().flat_map(|state| &state.conditions);
    let is_of = |condition: &&Condition, name: &str| {
        condition.kind == ConditionKind::ApplyFailed && condition.endpoint.as_deref() == Some(name)
    };
    let is_open = open().any(|condition| condition.kind == kind);
    let again: BTreeSet<String> = steps
        .iter()
        .filter(|step| step.result == StepResult::Failed)
        .filter(|step| is_open || open().any(|condition| is_of(&condition, &step.endpoint.to_string())))
        .map(|step| describe(&step.endpoint))
        .collect();
    // What could not be tried in this pass has neither failed again nor succeeded.
    let mut untried = found.held.iter().chain(&found.left_alone);
    let is_untried = untried.any(|endpoint| open().any(|condition| is_of(&condition, &endpoint.to_string())));
    if !again.is_empty() {
        let names: Vec<String> = again.into_iter().collect();
        let member = leader.label().unwrap_or_else(|| "the primary".to_owned());
        let message = format!(
            "the change to {member}, timeline {}, failed in this pass and in the one before: {}",
            leader.timeline,
            names.join(", ")
        );
        found.add(kind, None, &message);
    } else if !is_followed || is_untried {
        found.unknown.push(kind);
    }
}
