//! The shortest list of events that still goes wrong.

use super::run::{Ending, run};
use super::scenario::Scenario;

/// Takes events out, in ever smaller pieces, as long as the same invariant is still violated; then reconcilers.
#[must_use]
pub fn shrink(scenario: &Scenario) -> Scenario {
    let Ending::Failed(violation) = run(scenario, false).ending else { return scenario.clone() };
    let still_fails = |candidate: &Scenario| matches!(run(candidate, false).ending, Ending::Failed(other) if other.invariant == violation.invariant);
    let mut best = scenario.clone();
    let mut piece = best.events.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < best.events.len() {
            let mut candidate = best.clone();
            candidate.events.drain(at..(at + piece).min(best.events.len()));
            if still_fails(&candidate) {
                best = candidate;
            } else {
                at += piece;
            }
        }
        if piece == 1 {
            break;
        }
        piece = piece.div_ceil(2);
    }
    while best.reconcilers > 1 {
        let candidate = Scenario { reconcilers: best.reconcilers - 1, ..best.clone() };
        if !still_fails(&candidate) {
            break;
        }
        best = candidate;
    }
    best
}
