//! Accepting another system identifier, or an older timeline, by an operator's command.
//!
//! It changes the state alone. What endpoints follow is decided by the next pass, under all invariants.

use tokio::time::Instant;

use super::deadline::Cut;
use super::history::{due, keep, log, store};
use super::load_state::load_state;
use super::members::configured;
use super::save::update;
use crate::ports::Ports;
use repoint_domain::decide::verdict::{Hold, Verdict, verdict};
use repoint_domain::history::of_adoption;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::failure::Failure;
use repoint_domain::values::primary::Primary;

/// What was accepted.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// The state before.
    pub before: State,
    /// The primary that repoint will follow.
    pub primary: Primary,
}

/// Why nothing was accepted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// No primary can be named, whatever the state says.
    #[error("{0}")]
    Hold(Hold),
    /// The state cannot be read or written.
    #[error("state store unavailable")]
    State(#[source] Failure),
}

/// Observes the cluster as if there were no state, and saves what it finds, for the endpoints that are configured now. Members that only the state knows are not asked: they may be of the cluster that was replaced (invariant 14).
///
/// # Errors
/// If no primary can be named, or the state store is unavailable.
pub async fn adopt(spec: &Spec, ports: &Ports, deadline: Instant) -> Result<Adopted, AdoptError> {
    let (observed, state) =
        tokio::join!(configured(spec, &ports.members, deadline), load_state(spec, ports, deadline));
    let before = state.map_err(AdoptError::State)?;
    match verdict(spec, &observed, &State::default()) {
        Verdict::Hold(hold) => Err(AdoptError::Hold(hold)),
        Verdict::Primary(primary) => {
            // Passes may be saving at the same time.
            let mut past = Vec::new();
            let adopted = update(spec, before.clone(), ports, deadline, |state| {
                let mut next = state.adopted(&primary).kept_for(spec);
                let now = ports.clock.now();
                past = vec![of_adoption(&spec.name, state, next.revision, &primary, now)];
                keep(&mut next, &past, now);
                Some(next)
            });
            let adopted = adopted.await.map_err(AdoptError::State)?;
            log(&past);
            let due = due(spec, &adopted, &past, ports.clock.now());
            let stored = store(spec, due, ports, deadline, &Cut::never()).await;
            let forgotten = update(spec, adopted, ports, deadline, |state| {
                let mut next = State { revision: state.revision + 1, ..state.clone() };
                next.pending_events.retain(|event| !stored.numbers.contains(&event.number));
                (next.pending_events != state.pending_events).then_some(next)
            });
            // A pass stores the event otherwise.
            drop(forgotten.await);
            Ok(Adopted { before, primary })
        }
    }
}
