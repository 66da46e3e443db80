//! What one pass asks of AWS: how often, and with whose leave.
//!
//! Law: each request has its token before it is sent, from the time of whoever asks; only a retry is sent without one,
//! and is made up for by those who come after. A write that was not foreseen waits for nobody's audit: a permit is running
//! out, and others may travel with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rate_limiter::{Place, RateLimiter, Token};
use repoint_domain::rates::{Needs, Rank, RateKey, Urgency};

/// Counts requests by IAM action, retries included, and waits for leave to make them.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Account>);

#[derive(Debug, Default)]
struct Account {
    budget: RateLimiter,
    pass: Mutex<Pass>,
}

/// What belongs to the pass that is under way.
#[derive(Debug, Default)]
struct Pass {
    counts: BTreeMap<String, u64>,
    urgency: Urgency,
    place: Place,
    /// Taken in advance.
    tokens: BTreeMap<RateKey, Vec<Token>>,
}

impl Calls {
    /// Within a budget.
    #[must_use]
    pub fn new(budget: RateLimiter) -> Self {
        Self(Arc::new(Account { budget, pass: Mutex::default() }))
    }

    /// One more request.
    pub fn count(&self, action: &str) {
        *self.pass().counts.entry(action.to_owned()).or_default() += 1;
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.pass().counts.clone()
    }

    /// Waits until a pass may begin, with tokens for what it will read: it then waits for nobody while its time runs.
    pub async fn admit(&self, urgency: Urgency, reads: &Needs) {
        let place = self.0.budget.place(urgency).await;
        {
            let mut pass = self.pass();
            pass.urgency = urgency;
            pass.place = place;
        }
        self.take(reads, true).await;
    }

    /// Waits for tokens for what will be written, so that none is waited for between the decision and the write.
    pub async fn prepare(&self, writes: &Needs) {
        self.take(writes, false).await;
    }

    /// Gives back what is left of place and tokens: the pass has ended, or has nothing to ask of AWS for a while.
    pub fn release(&self) {
        let left = {
            let mut pass = self.pass();
            (std::mem::take(&mut pass.tokens), pass.place.take())
        };
        drop(left);
    }

    /// Why the pass looks at its cluster.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        self.pass().urgency
    }

    /// Waits for leave to send one read, which ends when it is dropped.
    pub async fn read(&self, line: &RateKey) -> Option<Token> {
        self.leave(line, Rank { urgency: self.urgency(), is_read: true }).await
    }

    /// Waits for leave to send one write, which ends when it is dropped.
    pub async fn write(&self, line: &RateKey) -> Option<Token> {
        self.leave(line, Rank { urgency: Urgency::Failover, is_read: false }).await
    }

    /// A request is sent again.
    pub fn retried(&self, line: &RateKey) {
        self.0.budget.owe(line);
    }

    async fn leave(&self, line: &RateKey, rank: Rank) -> Option<Token> {
        let kept = self.pass().tokens.get_mut(line).and_then(Vec::pop);
        let token = match kept {
            Some(token) => Some(token),
            None => self.0.budget.take(line, rank, 1).await.pop(),
        };
        token.map(Token::spent)
    }

    /// What is there already counts. Everybody takes lines in the same order, so nobody waits in a circle.
    async fn take(&self, needs: &Needs, is_read: bool) {
        let rank = Rank { urgency: self.urgency(), is_read };
        for (line, needed) in needs {
            let kept = self.pass().tokens.get(line).map_or(0, Vec::len);
            let missing = needed.saturating_sub(u32::try_from(kept).unwrap_or(u32::MAX));
            if missing > 0 {
                let tokens = self.0.budget.take(line, rank, missing).await;
                self.pass().tokens.entry(line.clone()).or_default().extend(tokens);
            }
        }
    }

    /// Nothing is half done where one panicked: each change is one assignment.
    fn pass(&self) -> MutexGuard<'_, Pass> {
        self.0.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
