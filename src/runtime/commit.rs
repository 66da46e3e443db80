//! Leave to write: one reconciler at a time, and only for what is newest.
//!
//! Laws: never backwards (4), crash anywhere (9). The commit is a compare-and-swap of memory: it says for which timeline
//! this reconciler acts, and it fails if anybody has committed meanwhile. While one acts, the others wait. One that died
//! or was stopped is waited for no longer than [`TAKE_OVER_AFTER`], and by then it has no leave any more.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::observe::{recall, too_late};
use crate::domain::failure::{Failure, Kind};
use crate::domain::intent::Intent;
use crate::domain::memory::{Acting, Memory, Timestamp};
use crate::domain::retarget::Retarget;
use crate::domain::verdict::Primary;
use crate::ports::{Permit, Ports};

/// How long a commit is good for. A write at AWS's control plane takes a fraction of a second; one that is throttled for
/// longer than this is decided anew.
pub const ACT_WITHIN: Duration = Duration::from_secs(3);
/// How long another reconciler's commit is respected, counted from when it was first seen, so that clocks need not agree.
/// Beyond [`ACT_WITHIN`], a request that was sent in the last moment has as long again to arrive.
pub const TAKE_OVER_AFTER: Duration = Duration::from_secs(6);
/// A commit of that age is nobody's, whoever sees it first, so that passes too short to wait for it are not stopped for
/// ever: AWS refuses to sign for clocks that are wrong by more than five minutes (Signature Version 4,
/// `RequestTimeTooSkewed`), so two that may write are within ten.
const ABANDONED_AFTER_MS: u64 = 15 * 60 * 1000;
/// How often memory is read while another one acts.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The longest that a save may take.
const SAVE_WITHIN: Duration = Duration::from_secs(3);

/// How often a save is tried: others may save at the same time, and a store may refuse for a moment.
const ATTEMPTS: u32 = 8;
/// The wait before the store is asked again after it has refused.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// How an attempt to commit ended.
#[derive(Debug)]
pub enum Commit {
    /// Go on; memory as it is now.
    Granted(Permit, Box<Memory>),
    /// Somebody else committed first: look again.
    Overtaken,
    /// Memory cannot be written.
    Unavailable(Failure),
}

/// Commits to act for `primary`.
pub async fn commit(
    intent: &Intent,
    memory: &Memory,
    primary: &Primary,
    moves: Option<&Retarget>,
    ports: &Ports,
    deadline: Instant,
) -> Commit {
    let permit = Permit::new(&ports.clock, ACT_WITHIN);
    let next = memory.committed(primary, moves, &ports.identity, ports.clock.now()).kept_for(intent);
    let Err(failure) = save(intent, &next, ports, deadline).await else {
        return Commit::Granted(permit, Box::new(next));
    };
    match recall(intent, ports, deadline).await {
        // Our own commit, whose answer was lost, and which may have been sent twice.
        Ok(stored) if stored == next => Commit::Granted(permit, Box::new(next)),
        Ok(_) if failure.kind == Kind::Invalid || failure.kind == Kind::Denied => {
            Commit::Unavailable(failure)
        }
        Ok(_) => Commit::Overtaken,
        Err(failure) => Commit::Unavailable(failure),
    }
}

/// Saves within a bound.
///
/// # Errors
/// The store's own, [`Kind::Conflict`] included; or that it took too long.
pub async fn save(intent: &Intent, memory: &Memory, ports: &Ports, deadline: Instant) -> Result<(), Failure> {
    let until = deadline.min(Instant::now() + SAVE_WITHIN);
    let saved = timeout_at(until, ports.store.save(&intent.name, memory)).await;
    saved.unwrap_or_else(|_| Err(too_late("writing memory", &intent.name)))
}

/// Changes memory, whatever others do to it meanwhile, until there is nothing left to change; memory as it then is.
///
/// # Errors
/// The store's own, when it goes on refusing.
pub async fn update(
    intent: &Intent,
    mut memory: Memory,
    ports: &Ports,
    deadline: Instant,
    mut change: impl FnMut(&Memory) -> Option<Memory>,
) -> Result<Memory, Failure> {
    let mut attempt = 1;
    loop {
        let Some(next) = change(&memory) else { return Ok(memory) };
        let Err(failure) = save(intent, &next, ports, deadline).await else { return Ok(next) };
        if attempt == ATTEMPTS || Instant::now() >= deadline {
            return Err(failure);
        }
        attempt += 1;
        if failure.kind != Kind::Conflict {
            sleep(RETRY_AFTER).await;
        }
        match recall(intent, ports, deadline).await {
            // Our own save, whose answer was lost.
            Ok(stored) if stored == next => return Ok(next),
            Ok(stored) => memory = stored,
            Err(_) => {}
        }
    }
}

/// Whether a commit was abandoned so long ago that no patience is needed.
#[must_use]
pub fn is_abandoned(acting: &Acting, now: Timestamp) -> bool {
    now.since(acting.since) > ABANDONED_AFTER_MS
}

/// How long this pass has been waiting for another reconciler.
#[derive(Debug, Default)]
pub struct Patience {
    /// The revision of the other's commit, and when it was first seen.
    watched: Option<(u64, Instant)>,
}

impl Patience {
    /// Waits until the other one has ended, or must have; `false` if the deadline comes first.
    pub async fn wait(&mut self, acting: &Acting, intent: &Intent, ports: &Ports, deadline: Instant) -> bool {
        let mut revision = acting.revision;
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
            match recall(intent, ports, deadline).await.map(|memory| memory.acting) {
                Ok(None) => return true,
                Ok(Some(acting)) => revision = acting.revision,
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
