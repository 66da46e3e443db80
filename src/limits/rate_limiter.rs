//! Waiting for a turn at AWS's request rates.
//!
//! What may be sent, and in which order, is decided by [`repoint_domain::rates`]; here it is only waited for. A token that
//! is dropped is given back, so a pass that panics or gives up keeps none.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::counters::Counters;
use repoint_domain::rates::{Bucket, Rank, RateKey, Urgency};

/// How many passes that follow a failover are under way at the same time. Each waits for its writes before it commits, so
/// no more than these wait with an observation that grows old.
const FAILOVERS_AT_ONCE: usize = 32;
/// How many passes that audit: enough to hide one cluster's timeouts behind the others.
const AUDITS_AT_ONCE: usize = 16;

/// How long after a panic a queue is served again.
const AGAIN_AFTER_MS: u64 = 100;

/// What one process may ask of AWS, shared by all its passes. The default has no limit.
#[derive(Clone, Debug, Default)]
pub struct RateLimiter(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    /// Percentage of AWS's rate limits.
    percent: u32,
    began: Instant,
    queues: Mutex<Queues>,
    failovers: Arc<Semaphore>,
    audits: Arc<Semaphore>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Queues {
    by_key: BTreeMap<RateKey, Queue>,
    asked: u64,
    /// No failover can come any more.
    has_no_reserve: bool,
}

#[derive(Debug)]
struct Queue {
    bucket: Bucket,
    waiting: BTreeMap<u64, (Rank, oneshot::Sender<Vec<Token>>)>,
    /// When the waiting requests are served next, unless a token comes back before.
    served_at: Option<u64>,
}

/// The right to send one request.
#[derive(Debug)]
pub struct Token {
    shared: Arc<Shared>,
    key: RateKey,
    is_spent: bool,
}

/// A slot among the passes that are under way.
pub type Slot = Option<OwnedSemaphorePermit>;

impl RateLimiter {
    /// This percentage of AWS's rate limits.
    #[must_use]
    pub fn new(percent: u32) -> Self {
        Self::counting(percent, Counters::default())
    }

    /// The same, with counters that outlive it.
    #[must_use]
    pub fn counting(percent: u32, counters: Counters) -> Self {
        Self(Some(Arc::new(Shared {
            percent,
            began: Instant::now(),
            queues: Mutex::default(),
            failovers: Arc::new(Semaphore::new(FAILOVERS_AT_ONCE)),
            audits: Arc::new(Semaphore::new(AUDITS_AT_ONCE)),
            counters,
        })))
    }

    /// Waits for a slot.
    pub(super) async fn slot(&self, urgency: Urgency) -> Slot {
        let shared = self.0.as_ref()?;
        let slots = match urgency {
            Urgency::Failover => &shared.failovers,
            Urgency::Audit => &shared.audits,
        };
        slots.clone().acquire_owned().await.ok()
    }

    /// Waits for tokens; there may be fewer, if the bucket never holds so many at once.
    pub(super) async fn take(&self, key: &RateKey, rank: Rank, tokens: u32) -> Vec<Token> {
        let Some(shared) = &self.0 else { return Vec::new() };
        let began = Instant::now();
        let waiting = Shared::ask(shared, key, rank, tokens);
        // The other end is dropped only with this request, so it does not fail.
        let tokens = waiting.await.unwrap_or_default();
        shared.counters.waited(key, began.elapsed());
        tokens
    }

    /// Whether audits leave half of each burst to failovers from now on.
    pub(super) fn keep_reserve(&self, is_kept: bool) {
        let Some(shared) = &self.0 else { return };
        let keys: Vec<RateKey> = {
            let mut queues = shared.lock();
            queues.has_no_reserve = !is_kept;
            queues.by_key.values_mut().for_each(|queue| queue.bucket.keep_reserve(is_kept));
            queues.by_key.keys().cloned().collect()
        };
        for key in keys {
            Shared::serve(shared, &key, By::Returned);
        }
    }

    /// What this process counts, if there is a limit.
    pub(super) fn counters(&self) -> Option<&Counters> {
        self.0.as_ref().map(|shared| &shared.counters)
    }

    /// A request is sent without a token.
    pub(super) fn owe(&self, key: &RateKey) {
        if let Some(shared) = &self.0 {
            let now = shared.now();
            shared.lock().queue(key, shared.percent, now).bucket.owe(now);
        }
    }
}

impl Token {
    /// Its request is being sent.
    #[must_use]
    pub(super) fn spent(mut self) -> Self {
        self.is_spent = true;
        self
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let now = self.shared.now();
        {
            let mut queues = self.shared.lock();
            let bucket = &mut queues.queue(&self.key, self.shared.percent, now).bucket;
            if self.is_spent { bucket.answered(now) } else { bucket.unspent(now) }
        }
        if !self.is_spent {
            Shared::serve(&self.shared, &self.key, By::Returned);
        }
    }
}

impl Queues {
    fn queue(&mut self, key: &RateKey, percent: u32, now: u64) -> &mut Queue {
        let is_kept = !self.has_no_reserve;
        self.by_key.entry(key.clone()).or_insert_with(|| {
            let mut bucket = Bucket::new(key.rate(), percent, now);
            bucket.keep_reserve(is_kept);
            Queue { bucket, waiting: BTreeMap::new(), served_at: None }
        })
    }
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A panic leaves nothing half done: a bucket changes within one call.
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(this: &Arc<Self>, key: &RateKey, rank: Rank, tokens: u32) -> oneshot::Receiver<Vec<Token>> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut queues = this.lock();
            queues.asked += 1;
            let number = queues.asked;
            let queue = queues.queue(key, this.percent, this.now());
            queue.bucket.ask(rank, tokens, number);
            queue.waiting.insert(number, (rank, sender));
        }
        if let Some(at) = Self::serve(this, key, By::Asker) {
            tokio::spawn(Self::go_on(this.clone(), key.clone(), at));
        }
        receiver
    }

    /// Grants what can be granted. Returns when it has to be called again, if its caller has to see to that.
    fn serve(this: &Arc<Self>, key: &RateKey, by: By) -> Option<u64> {
        let now = this.now();
        let (granted, next) = {
            let mut queues = this.lock();
            let queue = queues.queue(key, this.percent, now);
            queue.withdraw_closed();
            let granted: Vec<_> = queue
                .bucket
                .serve(now)
                .into_iter()
                .filter_map(|(number, tokens)| Some((queue.waiting.remove(&number)?.1, tokens)))
                .collect();
            if matches!(by, By::Server(at) if queue.served_at == Some(at)) {
                queue.served_at = None;
            }
            // A new request may be served before those for which it was planned.
            let next = queue.bucket.next_in().map(|wait| now + wait);
            let next = next.filter(|next| queue.served_at.is_none_or(|planned| *next < planned));
            let next = next.filter(|_| !matches!(by, By::Returned));
            queue.served_at = next.or(queue.served_at);
            (granted, next)
        };
        // Outside the lock: a token whose request has gone is dropped here, which takes the lock.
        for (sender, tokens) in granted {
            let token = || Token { shared: this.clone(), key: key.clone(), is_spent: false };
            drop(sender.send(std::iter::repeat_with(token).take(tokens as usize).collect()));
        }
        next
    }

    /// Serves at that time, and until no request waits or another task serves sooner. A request may panic when it is woken,
    /// which must not leave the others waiting for ever.
    async fn go_on(this: Arc<Self>, key: RateKey, at: u64) {
        let mut next = Some(at);
        while let Some(at) = next {
            sleep_until(this.began + Duration::from_millis(at)).await;
            let served = catch_unwind(AssertUnwindSafe(|| Self::serve(&this, &key, By::Server(at))));
            next = served.unwrap_or_else(|_| Some(this.again(&key)));
        }
    }

    /// When a queue is served whose server has panicked.
    fn again(&self, key: &RateKey) -> u64 {
        let at = self.now() + AGAIN_AFTER_MS;
        self.lock().queue(key, self.percent, at).served_at = Some(at);
        at
    }
}

/// What serves a queue.
#[derive(Clone, Copy)]
enum By {
    /// The task that serves as time goes by, at the time that was planned.
    Server(u64),
    /// A request that has just begun to wait, and starts such a task if there is none that comes in time.
    Asker,
    /// A token that was given back.
    Returned,
}

impl Queue {
    fn withdraw_closed(&mut self) {
        let gone = self.waiting.extract_if(.., |_, (_, sender)| sender.is_closed());
        for (number, (rank, _)) in gone {
            self.bucket.withdraw(rank, number);
        }
    }
}
