//! Accepting another system identifier, or an older timeline, by an operator's command.
//!
//! It changes the state alone. What endpoints follow is decided by the next pass, under all invariants.

use tokio::time::Instant;

use super::load_state::load_state;
use super::members::configured;
use super::save::update;
use crate::ports::Ports;
use repoint_domain::decide::verdict::{Hold, Verdict, verdict};
use repoint_domain::observed::Observed;
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
    let (sites, state) = tokio::join!(configured(spec, ports, deadline), load_state(spec, ports, deadline));
    let (observed, before) = (Observed { sites, ..Observed::default() }, state.map_err(AdoptError::State)?);
    match verdict(spec, &observed, &State::default()) {
        Verdict::Hold(hold) => Err(AdoptError::Hold(hold)),
        Verdict::Primary(primary) => {
            // Passes may be saving at the same time.
            let adopted = update(spec, before.clone(), ports, deadline, |state| {
                Some(state.adopted(&primary).kept_for(spec))
            });
            adopted.await.map_err(AdoptError::State)?;
            Ok(Adopted { before, primary })
        }
    }
}
