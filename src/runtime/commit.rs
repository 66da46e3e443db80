//! Leave to write: one reconciler at a time, and only for what is newest.
//!
//! Laws: never backwards (4), crash anywhere (9). The commit is a compare-and-swap of memory: it says for which timeline
//! this reconciler acts, and it fails if anybody has committed meanwhile. While one acts, the others wait. One that died
//! or was stopped is waited for no longer than [`TAKE_OVER_AFTER`], and by then it has no leave any more.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::load_state::{load_state, too_late};
use crate::ports::{LeaseGuard, Ports};
use repoint_domain::observed::Read;
use repoint_domain::spec::Spec;
use repoint_domain::state::{Lease, State};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::moves::Move;
use repoint_domain::values::primary::Primary;
use repoint_domain::values::timestamp::Timestamp;

/// How long a commit is good for. A write at AWS's control plane takes a fraction of a second; one that is throttled for
/// longer than this is decided anew.
pub const ACT_WITHIN: Duration = Duration::from_secs(3);
/// How long another reconciler's commit is respected, counted from when it was first seen, so that clocks need not agree.
/// Beyond [`ACT_WITHIN`], a request that was sent in the last moment has as long again to arrive.
pub const TAKE_OVER_AFTER: Duration = Duration::from_secs(6);
/// A pass with less time than this cannot wait for another one's commit and then act.
const WAIT_AND_ACT: Duration = TAKE_OVER_AFTER.saturating_add(ACT_WITHIN);
/// A commit of that age does not stop a pass that is too short to wait: it would be stopped for ever. Two clocks are trusted
/// for that and for nothing else, since any clock may jump, and the SDK corrects for a wrong one when it
/// signs (`aws_runtime::service_clock_skew`).
const ABANDONED_AFTER_MS: u64 = 15 * 60 * 1000;
/// How often memory is read while another one acts.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The longest that a save may take.
const SAVE_WITHIN: Duration = Duration::from_secs(3);

/// How often a save is tried: others may save at the same time, and a store may refuse for a moment.
const ATTEMPTS: u32 = 8;
/// The wait before the store is asked again after it has refused.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// How long a commit is tried again where the store refuses at once: later, what was seen is too old to act on.
const RETRY_WITHIN: Duration = Duration::from_secs(1);
/// What became of a save is asked for at least so long, however much of the time the save took.
const AT_LEAST: Duration = Duration::from_millis(500);
/// The longest wait for a disk that is asked whether it could be written.
const CHECK_WITHIN: Duration = Duration::from_secs(1);

/// How an attempt to commit ended.
#[derive(Debug)]
pub enum Commit {
    /// Go on; memory as it is now.
    Granted(LeaseGuard, Box<State>),
    /// Another reconciler has saved first: look again.
    Conflict,
    /// Memory cannot be written.
    Unavailable(Failure),
}

/// Commits to act for `primary`. Only that another one has saved meanwhile is a race that was lost; a store that is full,
/// throttled, locked, read-only or silent is one that cannot be written.
pub async fn commit(
    spec: &Spec,
    state: &State,
    primary: &Primary,
    moves: Option<&Move>,
    ports: &Ports,
    deadline: Instant,
) -> Commit {
    let give_up_at = Instant::now() + RETRY_WITHIN;
    loop {
        let guard = LeaseGuard::new(&ports.clock, ACT_WITHIN);
        let next =
            state.committed(primary, moves, &ports.identity, ports.clock.now()).kept_for(spec).bounded();
        let Err(failure) = save(spec, &next, ports, deadline).await else {
            return Commit::Granted(guard, Box::new(next));
        };
        match load_state(spec, ports, deadline.max(Instant::now() + AT_LEAST)).await {
            // Our own commit, whose answer was lost, and which may have been sent twice.
            Ok(stored) if stored == next => return Commit::Granted(guard, Box::new(next)),
            Ok(stored) if failure.kind == Kind::Conflict || stored.revision != state.revision => {
                return Commit::Conflict;
            }
            Err(unread) if failure.kind == Kind::Conflict => return Commit::Unavailable(unread),
            Ok(_) if is_transient(&failure) && Instant::now() + RETRY_AFTER < give_up_at.min(deadline) => {
                sleep(RETRY_AFTER).await;
            }
            Ok(_) | Err(_) => return Commit::Unavailable(failure),
        }
    }
}

/// Whether a store that refused may take the same a moment later.
fn is_transient(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Throttled | Kind::Unavailable)
}

/// Saves within a bound, which is half of what is left at most: what is done when that fails needs time, too.
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
    too_late("writing memory", &spec.name)
}

/// Changes memory, whatever others do to it meanwhile, until there is nothing left to change; memory as it then is.
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
    // What the store itself has said: that it was not waited for any longer says less.
    let mut said = None;
    loop {
        let Some(next) = change(&state) else { return Ok(state) };
        let saved = save_within(spec, &next, ports, deadline).await;
        let failure = match saved {
            Some(Ok(())) => return Ok(next),
            Some(Err(failure)) => said.insert(failure).clone(),
            None => unsaved(spec),
        };
        if attempt == ATTEMPTS || Instant::now() >= deadline {
            return Err(said.filter(|failure| failure.kind != Kind::Conflict).unwrap_or(failure));
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

/// Why memory could not be saved if it had to be: it cannot be read, or it is known that it cannot be written. What will
/// block the next failover is to be known now, not then.
pub async fn out_of_reach(spec: &Spec, state: &Read<State>, ports: &Ports) -> Option<Failure> {
    if let Err(failure) = state {
        return Some(failure.clone());
    }
    let checked = timeout(CHECK_WITHIN, ports.store.check(&spec.name)).await;
    checked.unwrap_or_else(|_| Err(too_late("checking memory", &spec.name))).err()
}

/// Whether a pass with that much time is too short to wait, and the commit abandoned so long ago that it need not. One from
/// a time that is still to come was made by a clock that was wrong.
#[must_use]
pub fn is_abandoned(lease: &Lease, now: Timestamp, limit: Duration) -> bool {
    limit < WAIT_AND_ACT && now.since(lease.since) > ABANDONED_AFTER_MS
}

/// How long this pass has been waiting for another reconciler.
#[derive(Debug, Default)]
pub struct LeaseWait {
    /// The revision of the other's commit, and when it was first seen.
    watched: Option<(u64, Instant)>,
}

impl LeaseWait {
    /// Waits until the other one has ended, or must have; `false` if the deadline comes first.
    pub async fn wait(&mut self, lease: &Lease, spec: &Spec, ports: &Ports, deadline: Instant) -> bool {
        let mut revision = lease.revision;
        loop {
            let seen = match self.watched {
                Some((watched, seen)) if watched == revision => seen,
                _ => Instant::now(),
            };
            self.watched = Some((revision, seen));
            if self.is_over(revision) {
                return true;
            }
            if Instant::now() + LOOK_EVERY >= deadline {
                return false;
            }
            sleep(LOOK_EVERY).await;
            match load_state(spec, ports, deadline).await.map(|state| state.lease) {
                Ok(None) => return true,
                Ok(Some(lease)) => revision = lease.revision,
                // It may come back; the deadline bounds the wait.
                Err(_) => {}
            }
        }
    }

    /// Whether the commit of that revision has been waited for as long as it must be.
    #[must_use]
    pub fn is_over(&self, revision: u64) -> bool {
        self.watched.is_some_and(|(watched, seen)| watched == revision && seen.elapsed() >= TAKE_OVER_AFTER)
    }
}
