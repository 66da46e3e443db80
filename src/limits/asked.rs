//! When a question went out.
//!
//! Law: queueing is not silence. Where more members are to be asked than there are open files for, a question waits for its
//! turn, and nothing that is waited for of its member begins before it is sent.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tokio::time::Instant;

/// When one question was sent, once it was.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    at: Arc<OnceLock<Instant>>,
    bell: Arc<Notify>,
}

impl Asked {
    /// A question that has not been sent; `bell` is rung when it is.
    #[must_use]
    pub fn ringing(bell: &Arc<Notify>) -> Self {
        Self { at: Arc::default(), bell: bell.clone() }
    }

    /// It is sent now.
    pub fn now(&self) {
        if self.at.set(Instant::now()).is_ok() {
            self.bell.notify_one();
        }
    }

    /// When it was sent; `None` while it waits for its turn.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        self.at.get().copied()
    }
}
