//! Tasks that are started again when they panic.
//!
//! A task that panics is logged, and started again after a pause that grows up to `LONGEST_PAUSE`. One that lives for `STEADY`
//! has recovered; one that does not, again and again, does no work, and does not count as one that does.

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch as channel;
use tokio::time::sleep;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longer than a failover takes from its beginning to its end, in which the fault may lie.
const STEADY: Duration = Duration::from_mins(1);
/// With the pauses between them, so many take 15 s.
const MANY: u32 = 5;

/// How often a task has panicked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Panics {
    /// Since it was first started.
    pub all: u64,
    /// Since it last lived for a minute.
    pub in_a_row: u32,
}

impl Panics {
    /// Whether it does nothing but panic.
    #[must_use]
    pub fn is_lasting(self) -> bool {
        self.in_a_row >= MANY
    }

    fn pause(self) -> Duration {
        (FIRST_PAUSE * 2_u32.saturating_pow(self.in_a_row.saturating_sub(1))).min(LONGEST_PAUSE)
    }
}

/// Runs what `start` returns until that ends by itself, or `stop` becomes true during a pause. `notify` is called after each
/// panic, with its message and the pause that follows.
pub async fn supervise<F: Future<Output = ()>>(
    mut start: impl FnMut() -> F,
    mut stop: channel::Receiver<bool>,
    panics: &channel::Sender<Panics>,
    mut notify: impl FnMut(&str, Duration),
) {
    loop {
        // What the task has left half done is its own, and is dropped with it; what is shared says at its lock why it is whole.
        let mut run = pin!(AssertUnwindSafe(async { start().await }).catch_unwind());
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = sleep(STEADY) => {
                panics.send_modify(|panics| panics.in_a_row = 0);
                run.await
            }
        };
        let Err(panic) = ended else { return };
        panics.send_modify(|panics| {
            panics.all += 1;
            panics.in_a_row += 1;
        });
        let pause = panics.borrow().pause();
        notify(message(&*panic), pause);
        tokio::select! {
            // An error means that the sender is gone: the task can no longer be stopped, and is not waited for.
            _ = stop.wait_for(|stop| *stop) => return,
            () = sleep(pause) => {}
        }
    }
}

/// A panic in one of many pieces of work, which waits until the others have ended.
#[derive(Debug, Default)]
pub struct Panicked(Mutex<Option<Box<dyn Any + Send>>>);

impl Panicked {
    /// Does one piece of work; `None` if it panics.
    pub async fn catch<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(done) => Some(done),
            Err(panic) => {
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
                None
            }
        }
    }

    /// Resumes the panic, if there was one.
    pub fn resume(&self) {
        if let Some(panic) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            resume_unwind(panic);
        }
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}
