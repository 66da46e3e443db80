//! The times within which a pass and its calls have to end (invariant 10).

use std::future::{Future, pending};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use repoint_domain::observed::Read;
use repoint_domain::values::failure::{Failure, Kind};

/// What a pass keeps of its deadline for the writes.
const KEPT_FOR_WRITES: Duration = Duration::from_secs(5);
/// What a call under way has left once there is something more urgent.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);

/// When the pass began and when it must end.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its beginning.
    pub began: Instant,
    /// Its deadline.
    pub deadline: Instant,
}

impl Span {
    /// From now on, for no longer than that.
    #[must_use]
    pub fn of(limit: Duration) -> Self {
        let began = Instant::now();
        Self { began, deadline: began + limit }
    }

    /// Milliseconds since the beginning.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Until when a pass may read: what cannot be read by then is unknown, and the rest is still moved.
#[must_use]
pub fn reads_until(deadline: Instant) -> Instant {
    deadline - KEPT_FOR_WRITES.min(deadline.saturating_duration_since(Instant::now()) / 2)
}

/// A read that ends by the deadline.
///
/// # Errors
/// The read's own, or that it took too long.
pub async fn by<T>(
    deadline: Instant,
    call: &str,
    resource: &impl ToString,
    read: impl Future<Output = Read<T>>,
) -> Read<T> {
    timeout_at(deadline, read).await.unwrap_or_else(|_| Err(too_late(call, resource)))
}

/// Whether there is something more urgent than what a later pass can do as well.
#[derive(Clone, Debug)]
pub struct Cut(watch::Receiver<bool>);

impl Cut {
    /// One that has not come, and where to say that it has.
    #[must_use]
    pub fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// One that never comes.
    #[must_use]
    pub fn never() -> Self {
        Self::channel().1
    }

    /// What a call returns, if it does so by then. Once there is something more urgent none is begun, and one that is under way
    /// has a moment to end: a message that is given up is published again, and most would have been answered.
    pub async fn by<T>(&self, until: Instant, call: impl Future<Output = T>) -> Option<T> {
        let mut cut = self.0.clone();
        if *cut.borrow() {
            return None;
        }
        let given_up = async move {
            if cut.wait_for(|cut| *cut).await.is_err() {
                pending::<()>().await;
            }
            sleep(ANSWER_WITHIN).await;
        };
        tokio::select! {
            biased;
            result = timeout_at(until, call) => result.ok(),
            () = given_up => None,
        }
    }
}

/// The failure of a call that the pass could not wait for.
pub fn too_late(call: &str, resource: &impl ToString) -> Failure {
    Failure::new(Kind::Unavailable, call, resource.to_string(), "no answer before the pass's deadline")
}
