//! What a plan may do, and why its endpoints move.

use super::Pass;
use crate::runtime::observe::Observation;
use repoint_domain::audit::{Checked, Refusal, audit};
use repoint_domain::decide::verdict::Verdict;
use repoint_domain::observed::{Observed, Read};
use repoint_domain::plan::Plan;
use repoint_domain::plan::moves::{self, moves};
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::moves::Move;

/// Audits a plan; without the state, as if nothing had been stored.
pub fn check(
    pass: Pass<'_>,
    plan: &Plan,
    observed: &Observed,
    verdict: &Verdict,
    state: &Read<State>,
) -> Result<Checked, Refusal> {
    let nothing = State::default();
    let state = state.as_ref().unwrap_or(&nothing);
    audit(plan, pass.spec, observed, verdict, state, pass.ports.clock.now())
}

/// What a plan moves, and why.
pub fn move_cause(spec: &Spec, observation: &Observation) -> Option<Move> {
    let Verdict::Primary(primary) = &observation.verdict else { return None };
    match &observation.state {
        Ok(state) => moves(spec, state, &observation.observed, primary, &observation.plan),
        Err(_) => moves::without_state(spec, &observation.observed, &observation.plan),
    }
}
