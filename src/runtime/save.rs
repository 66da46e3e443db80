//! Saving the state: within a bound, and again where another process has saved meanwhile.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::deadline::too_late;
use super::load_state::load_state;
use crate::ports::Ports;
use repoint_domain::observed::Read;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::failure::{Failure, Kind};

/// The longest that a save may take.
const SAVE_WITHIN: Duration = Duration::from_secs(3);
/// How often a save is tried: others may save at the same time, and a store may refuse for a moment.
const ATTEMPTS: u32 = 8;
/// The wait before the store is asked again after it has refused.
pub const RETRY_AFTER: Duration = Duration::from_millis(200);
/// The longest wait for a disk that is asked whether it could be written.
const CHECK_WITHIN: Duration = Duration::from_secs(1);

/// Saves within a bound, which is at most half of what is left: handling a failure needs time, too.
///
/// # Errors
/// The store's own, [`Kind::Conflict`] included; or that it took too long.
pub async fn save(spec: &Spec, state: &State, ports: &Ports, deadline: Instant) -> Result<(), Failure> {
    save_within(spec, state, ports, deadline).await.unwrap_or_else(|| Err(unsaved(spec)))
}

/// The same; `None` if it took too long.
async fn save_within(
    spec: &Spec,
    state: &State,
    ports: &Ports,
    deadline: Instant,
) -> Option<Result<(), Failure>> {
    let now = Instant::now();
    let share = (deadline.saturating_duration_since(now) / 2).min(SAVE_WITHIN);
    timeout_at(now + share, ports.store.save(&spec.name, state)).await.ok()
}

fn unsaved(spec: &Spec) -> Failure {
    too_late("writing the state", &spec.name)
}

/// Changes the state, and again on what other processes save meanwhile, until there is nothing left to change. Returns the
/// state as it then is.
///
/// # Errors
/// The store's own, when it goes on refusing.
pub async fn update(
    spec: &Spec,
    mut state: State,
    ports: &Ports,
    deadline: Instant,
    mut change: impl FnMut(&State) -> Option<State>,
) -> Result<State, Failure> {
    let mut attempt = 1;
    // The store's own failure, which says more than that it took too long.
    let mut refusal = None;
    loop {
        let Some(next) = change(&state) else { return Ok(state) };
        let saved = save_within(spec, &next, ports, deadline).await;
        let failure = match saved {
            Some(Ok(())) => return Ok(next),
            Some(Err(failure)) => refusal.insert(failure).clone(),
            None => unsaved(spec),
        };
        if attempt == ATTEMPTS || Instant::now() >= deadline {
            return Err(refusal.filter(|failure| failure.kind != Kind::Conflict).unwrap_or(failure));
        }
        attempt += 1;
        if failure.kind != Kind::Conflict {
            sleep(RETRY_AFTER).await;
        }
        match load_state(spec, ports, deadline).await {
            // Our own save, whose answer was lost.
            Ok(stored) if stored == next => return Ok(next),
            Ok(stored) => state = stored,
            Err(_) => {}
        }
    }
}

/// Why the state could not be saved if it had to be: it cannot be read, or it is known that it cannot be written. What will
/// block the next failover is reported now (invariant 12).
pub async fn unavailable(spec: &Spec, state: &Read<State>, ports: &Ports) -> Option<Failure> {
    if let Err(failure) = state {
        return Some(failure.clone());
    }
    let checked = timeout(CHECK_WITHIN, ports.store.check(&spec.name)).await;
    checked.unwrap_or_else(|_| Err(too_late("checking the state", &spec.name))).err()
}
