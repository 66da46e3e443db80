//! The link from one reconciler to the world.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repoint::limits::LeaseGuard;
use repoint::ports::Clock;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::timestamp::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};

use super::fault_rates::{delay, occurs};
use crate::Millis;
use crate::simulation::World;

/// The world, shared in one thread.
pub type Shared = Arc<Mutex<World>>;

/// The date on which the simulated world begins: 2026-01-01.
const BEGINNING: u64 = 1_767_225_600_000;
/// How long a caller waits for an answer that does not come; and now and then one without a timeout of its own.
const TIMEOUT: Duration = Duration::from_secs(2);
const HANG: Duration = Duration::from_hours(1);

/// One reconciler's link.
#[derive(Clone)]
pub struct Link {
    /// The world.
    pub world: Shared,
    /// When the world began.
    pub began: Instant,
    /// Which reconciler, from 0: what reaches it and what does not depends on it.
    pub reconciler: usize,
    /// The name of this pass of it.
    pub identity: String,
    /// Notified when the reconciler dies in a call.
    pub died: Arc<Notify>,
}

/// The faults of one call, drawn when it is made.
#[expect(clippy::struct_excessive_bools, reason = "each may happen or not")]
struct CallFaults {
    stopped: Millis,
    dies_before: bool,
    there: Millis,
    lost_request: bool,
    refused: bool,
    dies_after: bool,
    back: Millis,
    lost_answer: bool,
    lease_wait: Duration,
}

impl Link {
    /// Milliseconds since the world began.
    #[must_use]
    pub fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The world, as it is now.
    pub fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.now());
        world
    }

    /// Writes are where being stopped matters, so it happens to them more often.
    fn faults(&self, name: &str, resource: &str, is_write: bool) -> CallFaults {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let fault_rates = world.fault_rates[self.reconciler];
        let is_region_down =
            world.is_region_down(resource) || world.zones_hang && name.starts_with("route53:");
        let rng = &mut world.rng;
        let slow = occurs(rng, fault_rates.slow);
        let crash = occurs(rng, fault_rates.crash);
        let dies_before = crash && rng.bool();
        CallFaults {
            stopped: if occurs(rng, fault_rates.stopped * if is_write { 5 } else { 1 }) {
                rng.u64(500..15_000)
            } else {
                0
            },
            dies_before,
            there: delay(rng, slow),
            lost_request: occurs(rng, fault_rates.lost_request) || is_region_down,
            refused: occurs(rng, fault_rates.refused),
            dies_after: crash && !dies_before,
            back: delay(rng, slow),
            lost_answer: occurs(rng, fault_rates.lost_answer),
            lease_wait: if rng.u32(0..8) == 0 { HANG } else { TIMEOUT },
        }
    }

    /// A call. `work` is done when it arrives, whether or not the caller still waits for the answer. A write has a `guard`,
    /// which is asked at the last moment before it leaves.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        name: &str,
        resource: &str,
        guard: Option<&LeaseGuard>,
        work: impl FnOnce(&mut World, Millis) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let failure = |kind, message: &str| Failure::new(kind, name, resource, message);
        let faults = self.faults(name, resource, guard.is_some());
        if faults.dies_before {
            return self.die().await;
        }
        if faults.lost_request {
            sleep(faults.lease_wait).await;
            return Err(failure(Kind::Unavailable, "no answer before the timeout"));
        }
        if faults.refused {
            pause(faults.there + faults.back).await;
            return Err(failure(Kind::Throttled, "Rate exceeded"));
        }
        let (done, answer) = oneshot::channel();
        let (link, guard) = (self.clone(), guard.cloned());
        let (call, on) = (name.to_owned(), resource.to_owned());
        // A stopped caller may find, when it is resumed, that its time is over, and still send first what it had begun.
        tokio::spawn(async move {
            pause(faults.stopped).await;
            if let Some(Err(failure)) = guard.map(|guard| guard.check(&call, &on)) {
                return drop(done.send(Err(failure)));
            }
            pause(faults.there).await;
            let now = link.now();
            let result = work(&mut link.world(), now);
            drop(done.send(result));
        });
        let result = answer.await.unwrap_or_else(|_| Err(failure(Kind::Unavailable, "the world has ended")));
        if faults.dies_after {
            return self.die().await;
        }
        if faults.lost_answer {
            sleep(faults.lease_wait).await;
            return Err(failure(Kind::Unavailable, "no answer before the timeout"));
        }
        pause(faults.back).await;
        result
    }

    /// The reconciler dies here: its call never returns.
    async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }
}

async fn pause(time: Millis) {
    if time > 0 {
        sleep(Duration::from_millis(time)).await;
    }
}

impl Clock for Link {
    fn now(&self) -> Timestamp {
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = world.clocks_ahead.get(&self.reconciler).copied().unwrap_or_default();
        Timestamp(BEGINNING + Link::now(self) + ahead)
    }
}
