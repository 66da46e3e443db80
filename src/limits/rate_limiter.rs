//! Waiting for one's turn to ask AWS.
//!
//! Law: what may be sent and in which order is decided by [`domain::budget`](repoint_domain::rates); here it is only
//! waited for. A token that is dropped is given back, so nobody who dies or gives up keeps one.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until};

use repoint_domain::rates::{Bucket, Rank, RateKey, Urgency};

/// How many passes that follow a primary are under way at the same time. Each waits for its writes before it commits, so
/// no more than these wait with something that they have seen.
const FAILOVERS_AT_ONCE: usize = 32;
/// How many that make sure: enough to hide one cluster's timeouts behind the others.
const AUDITS_AT_ONCE: usize = 16;

/// How long after a panic a line is served again.
const AGAIN_AFTER_MS: u64 = 100;

/// What one process may ask of AWS, shared by all its passes. The default has no limits.
#[derive(Clone, Debug, Default)]
pub struct RateLimiter(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    /// Hundredths of AWS's limits.
    percent: u32,
    began: Instant,
    lines: Mutex<Lines>,
    failovers: Arc<Semaphore>,
    audits: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Lines {
    queues: BTreeMap<RateKey, Queue>,
    asked: u64,
}

#[derive(Debug)]
struct Queue {
    bucket: Bucket,
    waiting: BTreeMap<u64, (Rank, oneshot::Sender<Vec<Token>>)>,
    /// When those who wait are served next, unless something comes back before.
    served_at: Option<u64>,
}

/// Leave for one request.
#[derive(Debug)]
pub struct Token {
    shared: Arc<Shared>,
    line: RateKey,
    is_spent: bool,
}

/// A place among the passes that are under way.
pub type Place = Option<OwnedSemaphorePermit>;

impl RateLimiter {
    /// So many hundredths of AWS's limits.
    #[must_use]
    pub fn new(percent: u32) -> Self {
        Self(Some(Arc::new(Shared {
            percent,
            began: Instant::now(),
            lines: Mutex::default(),
            failovers: Arc::new(Semaphore::new(FAILOVERS_AT_ONCE)),
            audits: Arc::new(Semaphore::new(AUDITS_AT_ONCE)),
        })))
    }

    /// Waits for a place.
    pub(super) async fn place(&self, urgency: Urgency) -> Place {
        let shared = self.0.as_ref()?;
        let places = match urgency {
            Urgency::Failover => &shared.failovers,
            Urgency::Audit => &shared.audits,
        };
        places.clone().acquire_owned().await.ok()
    }

    /// Waits for tokens; there may be fewer, if so many never are at once.
    pub(super) async fn take(&self, line: &RateKey, rank: Rank, tokens: u32) -> Vec<Token> {
        let Some(shared) = &self.0 else { return Vec::new() };
        let waiting = Shared::ask(shared, line, rank, tokens);
        // Nobody else can end it, so it does not fail.
        waiting.await.unwrap_or_default()
    }

    /// A request is sent without a token.
    pub(super) fn owe(&self, line: &RateKey) {
        if let Some(shared) = &self.0 {
            let now = shared.now();
            shared.lock().queue(line, shared.percent, now).bucket.owe(now);
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
            let mut lines = self.shared.lock();
            let bucket = &mut lines.queue(&self.line, self.shared.percent, now).bucket;
            if self.is_spent { bucket.answered(now) } else { bucket.unspent(now) }
        }
        if !self.is_spent {
            Shared::serve(&self.shared, &self.line, By::Somebody);
        }
    }
}

impl Lines {
    fn queue(&mut self, line: &RateKey, percent: u32, now: u64) -> &mut Queue {
        self.queues.entry(line.clone()).or_insert_with(|| Queue {
            bucket: Bucket::new(line.rate(), percent, now),
            waiting: BTreeMap::new(),
            served_at: None,
        })
    }
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Nothing is half done where one panicked: a bucket changes within one call.
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(this: &Arc<Self>, line: &RateKey, rank: Rank, tokens: u32) -> oneshot::Receiver<Vec<Token>> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut lines = this.lock();
            lines.asked += 1;
            let number = lines.asked;
            let queue = lines.queue(line, this.percent, this.now());
            queue.bucket.ask(rank, tokens, number);
            queue.waiting.insert(number, (rank, sender));
        }
        if let Some(at) = Self::serve(this, line, By::Asker) {
            tokio::spawn(Self::go_on(this.clone(), line.clone(), at));
        }
        receiver
    }

    /// Grants what can be granted. When it is to be called again, for whoever has to see to that.
    fn serve(this: &Arc<Self>, line: &RateKey, by: By) -> Option<u64> {
        let now = this.now();
        let (granted, next) = {
            let mut lines = this.lock();
            let queue = lines.queue(line, this.percent, now);
            queue.forget_the_gone();
            let granted: Vec<_> = queue
                .bucket
                .serve(now)
                .into_iter()
                .filter_map(|(number, tokens)| Some((queue.waiting.remove(&number)?.1, tokens)))
                .collect();
            if matches!(by, By::Server(at) if queue.served_at == Some(at)) {
                queue.served_at = None;
            }
            // Whoever has just come may be served before those for whom it was planned.
            let next = queue.bucket.next_in().map(|wait| now + wait);
            let next = next.filter(|next| queue.served_at.is_none_or(|planned| *next < planned));
            let next = next.filter(|_| !matches!(by, By::Somebody));
            queue.served_at = next.or(queue.served_at);
            (granted, next)
        };
        // Out of the lock: a token that nobody takes any more is dropped here, and asks for it.
        for (sender, tokens) in granted {
            let token = || Token { shared: this.clone(), line: line.clone(), is_spent: false };
            drop(sender.send(std::iter::repeat_with(token).take(tokens as usize).collect()));
        }
        next
    }

    /// Serves at that time, and until nobody waits any more, or another one does it sooner. Whoever is served may panic when
    /// it is woken, which must not end the others' wait for ever.
    async fn go_on(this: Arc<Self>, line: RateKey, at: u64) {
        let mut next = Some(at);
        while let Some(at) = next {
            sleep_until(this.began + Duration::from_millis(at)).await;
            let served = catch_unwind(AssertUnwindSafe(|| Self::serve(&this, &line, By::Server(at))));
            next = served.unwrap_or_else(|_| Some(this.again(&line)));
        }
    }

    /// When a line is served whose server has panicked.
    fn again(&self, line: &RateKey) -> u64 {
        let at = self.now() + AGAIN_AFTER_MS;
        self.lock().queue(line, self.percent, at).served_at = Some(at);
        at
    }
}

/// Who serves.
#[derive(Clone, Copy)]
enum By {
    /// A task that does as time goes by, at the time that was planned.
    Server(u64),
    /// Whoever has just begun to wait, and starts such a task if there is none that comes in time.
    Asker,
    /// Whoever has given something back.
    Somebody,
}

impl Queue {
    fn forget_the_gone(&mut self) {
        let gone = self.waiting.extract_if(.., |_, (_, sender)| sender.is_closed());
        for (number, (rank, _)) in gone {
            self.bucket.withdraw(rank, number);
        }
    }
}
