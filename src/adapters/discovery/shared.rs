//! Answers that are shared for a minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use repoint_domain::observed::Read;

/// How long an answer counts. Replaced nodes are learned of from `/cluster` long before; this is for when all are gone.
const FRESH_FOR: Duration = Duration::from_mins(1);
/// How long a failure does.
const FAILED_FOR: Duration = Duration::from_secs(10);

type Answer<T> = Shared<BoxFuture<'static, Read<T>>>;

/// Answers by question: each is asked once at a time, whichever passes wait for it, and goes on if one gives up.
pub struct Answers<K, T>(Mutex<BTreeMap<K, (Instant, Answer<T>)>>);

impl<K: Ord, T> Default for Answers<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, T: Clone + Send + Sync + 'static> Answers<K, T> {
    /// The answer to a question, which is asked again if the last answer is too old.
    pub async fn get(&self, question: K, ask: impl FnOnce() -> BoxFuture<'static, Read<T>>) -> Read<T> {
        let answer = {
            let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_fresh = |(at, answer): &&(Instant, Answer<T>)| {
                let has_failed = answer.peek().is_some_and(Result::is_err);
                at.elapsed() < if has_failed { FAILED_FOR } else { FRESH_FOR }
            };
            if let Some((_, answer)) = answers.get(&question).filter(is_fresh) {
                answer.clone()
            } else {
                let answer = ask().shared();
                answers.insert(question, (Instant::now(), answer.clone()));
                answer
            }
        };
        answer.await
    }
}
