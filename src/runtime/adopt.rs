//! Accepting another system identifier, or an older timeline, because somebody who knows said so.
//!
//! Law: it changes memory alone. What endpoints follow is for the next pass to decide, under all laws.

use tokio::time::Instant;

use super::commit::update;
use super::members::configured;
use super::observe::recall;
use crate::ports::Ports;
use repoint_domain::decide::verdict::{Hold, Primary, Verdict, verdict};
use repoint_domain::observed::World;
use repoint_domain::spec::Intent;
use repoint_domain::state::Memory;
use repoint_domain::values::failure::Failure;

/// What was accepted.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// What was remembered.
    pub before: Memory,
    /// Whom repoint will follow.
    pub primary: Primary,
}

/// Why nothing was accepted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Nobody can be named, whatever memory says.
    #[error("{0}")]
    Hold(Hold),
    /// Memory cannot be read or written.
    #[error("memory is out of reach")]
    Memory(#[source] Failure),
}

/// Looks at the cluster as if nothing were remembered, and remembers what it finds, for the endpoints that are configured
/// now. Members that only the state knows are not asked: they may be of the cluster that was replaced (invariant 14).
///
/// # Errors
/// If nobody can be named the primary, or memory is out of reach.
pub async fn adopt(intent: &Intent, ports: &Ports, deadline: Instant) -> Result<Adopted, AdoptError> {
    let (sites, memory) = tokio::join!(configured(intent, ports, deadline), recall(intent, ports, deadline));
    let (world, before) = (World { sites, ..World::default() }, memory.map_err(AdoptError::Memory)?);
    match verdict(intent, &world, &Memory::default()) {
        Verdict::Hold(hold) => Err(AdoptError::Hold(hold)),
        Verdict::Primary(primary) => {
            // Passes may be saving at the same time.
            let adopted = update(intent, before.clone(), ports, deadline, |memory| {
                Some(memory.adopted(&primary).kept_for(intent))
            });
            adopted.await.map_err(AdoptError::Memory)?;
            Ok(Adopted { before, primary })
        }
    }
}
