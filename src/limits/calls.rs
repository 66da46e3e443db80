//! The requests of one pass to AWS: their counts, and their tokens.
//!
//! Invariant 10: each request has its token before it is sent. Only a retry is sent without one, which later requests make
//! up for. A write that was not planned for goes before every audit: its lease is running out, and other clusters' changes
//! may be in its batch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rate_limiter::{RateLimiter, Slot, Token};
use repoint_domain::rates::{Needs, Rank, RateKey, Urgency};

/// Counts requests by IAM action, retries included, and waits for the tokens that they need.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Account>);

#[derive(Debug, Default)]
struct Account {
    limiter: RateLimiter,
    pass: Mutex<Pass>,
}

/// What belongs to the pass that is under way.
#[derive(Debug, Default)]
struct Pass {
    counts: BTreeMap<String, u64>,
    urgency: Urgency,
    slot: Slot,
    /// Taken in advance.
    tokens: BTreeMap<RateKey, Vec<Token>>,
}

impl Calls {
    /// Within the limits of a process.
    #[must_use]
    pub fn new(limiter: RateLimiter) -> Self {
        Self(Arc::new(Account { limiter, pass: Mutex::default() }))
    }

    /// One more request.
    pub fn count(&self, action: &str) {
        *self.pass().counts.entry(action.to_owned()).or_default() += 1;
    }

    /// A request was answered with this code, or not at all; for metrics.
    pub fn answered(&self, action: &str, code: &str) {
        if let Some(counters) = self.0.limiter.counters() {
            counters.request(action, code);
        }
    }

    /// An alert was published, or could not be; for metrics.
    pub fn alert(&self, is_published: bool) {
        if let Some(counters) = self.0.limiter.counters() {
            counters.alert(is_published);
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.pass().counts.clone()
    }

    /// Whether a failover may still come to this process, for which audits leave half of each burst.
    pub fn expect_failovers(&self, are_expected: bool) {
        self.0.limiter.keep_reserve(are_expected);
    }

    /// Waits until a pass may begin, with tokens for what it will read, so that it waits for none while its time runs.
    pub async fn admit(&self, urgency: Urgency, reads: &Needs) {
        let slot = self.0.limiter.slot(urgency).await;
        {
            let mut pass = self.pass();
            pass.urgency = urgency;
            pass.slot = slot;
        }
        self.take(reads, true).await;
    }

    /// Waits for tokens for what will be written, so that none is waited for between the decision and the write.
    pub async fn prepare(&self, writes: &Needs) {
        self.take(writes, false).await;
    }

    /// Gives back the slot and the tokens that are left: the pass has ended, or has nothing to ask of AWS for a while.
    pub fn release(&self) {
        let left = {
            let mut pass = self.pass();
            (std::mem::take(&mut pass.tokens), pass.slot.take())
        };
        drop(left);
    }

    /// Whether the pass follows a failover or only audits.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        self.pass().urgency
    }

    /// Waits for the token of one read; the request has ended when it is dropped.
    pub async fn read(&self, key: &RateKey) -> Option<Token> {
        self.token(key, Rank { urgency: self.urgency(), is_read: true }).await
    }

    /// Waits for the token of one write; the request has ended when it is dropped.
    pub async fn write(&self, key: &RateKey) -> Option<Token> {
        self.token(key, Rank { urgency: Urgency::Failover, is_read: false }).await
    }

    /// A request is sent again.
    pub fn retried(&self, key: &RateKey) {
        self.0.limiter.owe(key);
    }

    async fn token(&self, key: &RateKey, rank: Rank) -> Option<Token> {
        let kept = self.pass().tokens.get_mut(key).and_then(Vec::pop);
        let token = match kept {
            Some(token) => Some(token),
            None => self.0.limiter.take(key, rank, 1).await.pop(),
        };
        token.map(Token::spent)
    }

    /// Tokens that are there already count. All passes take keys in the same order, so no two wait for each other.
    async fn take(&self, needs: &Needs, is_read: bool) {
        let rank = Rank { urgency: self.urgency(), is_read };
        for (key, needed) in needs {
            let kept = self.pass().tokens.get(key).map_or(0, Vec::len);
            let missing = needed.saturating_sub(u32::try_from(kept).unwrap_or(u32::MAX));
            if missing > 0 {
                let tokens = self.0.limiter.take(key, rank, missing).await;
                self.pass().tokens.entry(key.clone()).or_default().extend(tokens);
            }
        }
    }

    /// A panic leaves nothing half done: each change is one assignment.
    fn pass(&self) -> MutexGuard<'_, Pass> {
        self.0.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
