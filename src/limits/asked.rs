//! When a request to a member was sent.
//!
//! Queueing is not silence: where more members are to be asked than there are open files for, a request waits for its turn,
//! and no timeout of its member begins before it is sent.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tokio::time::Instant;

/// When one request was sent, once it was.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    at: Arc<OnceLock<Instant>>,
    sent: Arc<Notify>,
}

impl Asked {
    /// A request that has not been sent; `sent` is notified when it is.
    #[must_use]
    pub fn notifying(sent: &Arc<Notify>) -> Self {
        Self { at: Arc::default(), sent: sent.clone() }
    }

    /// It is sent now.
    pub fn now(&self) {
        if self.at.set(Instant::now()).is_ok() {
            self.sent.notify_one();
        }
    }

    /// When it was sent; `None` while it waits for its turn.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        self.at.get().copied()
    }
}
