//! The clients of a drill, and the attempts that they have made.
//!
//! An attempt begins every [`EVERY`], whether the one before it has ended or not, so that one that hangs does not hide when
//! the endpoint is good again. After one that fails at once the next begins after [`AGAIN`]. What the clients measure is thus
//! at most the sum of both too long, and twice [`EVERY`] where attempts are held up before they fail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::endpoint::Endpoint;
use super::session::{Failed, Session};
use super::table::Table;
use repoint_domain::drill::attempts::{Attempt, Client, ClientKind, ErrorKind, Health, Server};
use repoint_domain::drill::rows::Fate;

/// From the beginning of one attempt to that of the next.
pub const EVERY: Duration = Duration::from_millis(50);
/// From the end of an attempt that failed at once to the beginning of the next.
pub const AGAIN: Duration = Duration::from_millis(10);
/// How long an attempt may take, the connection included: some ten round trips across an ocean.
pub const WITHIN: Duration = Duration::from_secs(2);
/// The most attempts of a client that are under way: as many as begin within the limit of one.
const MOST_AT_ONCE: usize = 40;

/// Milliseconds since the drill began.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    #[must_use]
    pub fn started() -> Self {
        Self(Instant::now())
    }

    /// How many have gone by.
    #[must_use]
    pub fn ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What all clients share.
struct Shared {
    stopwatch: Stopwatch,
    /// Where writers write, once it is there.
    table: OnceLock<Table>,
    /// The numbers of the rows.
    next_row: AtomicI64,
    rows: Mutex<BTreeMap<i64, Fate>>,
}

/// Clients that run until they are stopped.
pub struct Clients {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
    known: Vec<Known>,
}

struct Known {
    kind: ClientKind,
    endpoint: String,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

impl Known {
    /// The attempts of the last minute or so, by which it is seen whether the client is good.
    fn latest(&self) -> Vec<Attempt> {
        const LATEST: usize = 1000;
        let attempts = lock(&self.attempts);
        attempts[attempts.len().saturating_sub(LATEST)..].to_vec()
    }
}

/// What all attempts of a client need.
#[derive(Clone)]
struct Run {
    kind: ClientKind,
    endpoint: Endpoint,
    shared: Arc<Shared>,
    attempts: Arc<Mutex<Vec<Attempt>>>,
    stop: watch::Receiver<bool>,
}

impl Clients {
    /// Starts two writers for each endpoint of `writers`, and a reader for each of `readers`, or else for the first writer.
    #[must_use]
    pub fn start(writers: &[Endpoint], readers: &[Endpoint], stopwatch: Stopwatch) -> Self {
        let shared = Arc::new(Shared {
            stopwatch,
            table: OnceLock::new(),
            next_row: AtomicI64::new(1),
            rows: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let mut clients = Self { shared, stop, running: JoinSet::new(), known: Vec::new() };
        let readers = if readers.is_empty() { &writers[..writers.len().min(1)] } else { readers };
        for endpoint in writers {
            clients.add(ClientKind::NewConnections, endpoint, &stopped);
            clients.add(ClientKind::OneConnection, endpoint, &stopped);
        }
        for endpoint in readers {
            clients.add(ClientKind::Reader, endpoint, &stopped);
        }
        clients
    }

    fn add(&mut self, kind: ClientKind, endpoint: &Endpoint, stop: &watch::Receiver<bool>) {
        let attempts = Arc::<Mutex<Vec<Attempt>>>::default();
        let run = Run {
            kind,
            endpoint: endpoint.clone(),
            shared: self.shared.clone(),
            attempts: attempts.clone(),
            stop: stop.clone(),
        };
        self.known.push(Known { kind, endpoint: endpoint.label.clone(), attempts });
        match kind {
            ClientKind::OneConnection => self.running.spawn(run.over_one_connection()),
            ClientKind::NewConnections | ClientKind::Reader => self.running.spawn(run.over_new_connections()),
        };
    }

    /// Writers write rows from now on.
    pub fn write_to(&self, table: &Table) {
        // Set once.
        drop(self.shared.table.set(table.clone()));
    }

    /// How many rows were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        lock(&self.shared.rows).values().filter(|fate| **fate == Fate::Acknowledged).count()
    }

    /// For how long each has been good.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        let now = self.shared.stopwatch.ms();
        let health = |known: &Known| {
            let attempts = known.latest();
            Client { kind: known.kind, endpoint: known.endpoint.clone(), attempts }.health(now)
        };
        self.known.iter().map(health).collect()
    }

    /// Whether one of the latest attempts that began since then has failed.
    #[must_use]
    pub fn has_failed_since(&self, ms: u64) -> bool {
        let failed = |attempt: &Attempt| attempt.error.is_some() && attempt.began_ms >= ms;
        self.known.iter().any(|known| known.latest().iter().any(failed))
    }

    /// What they have done so far.
    #[must_use]
    pub fn so_far(&self) -> Vec<Client> {
        let client = |known: &Known| Client {
            kind: known.kind,
            endpoint: known.endpoint.clone(),
            attempts: lock(&known.attempts).clone(),
        };
        self.known.iter().map(client).collect()
    }

    /// Stops them, and waits for the attempts under way, since a row that was sent may be acknowledged.
    pub async fn stop(&mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }

    /// The rows that were sent.
    #[must_use]
    pub fn rows(&self) -> BTreeMap<i64, Fate> {
        lock(&self.shared.rows).clone()
    }
}

/// A panic leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until clients are to stop; they are, too, where nothing is left that could say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|is_stopped| *is_stopped).await);
}

impl Run {
    async fn over_new_connections(self) {
        let mut stop = self.stop.clone();
        let mut under_way: JoinSet<bool> = JoinSet::new();
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                Some(ended) = under_way.join_next() => {
                    if ended.is_ok_and(|failed_at_once| failed_at_once) {
                        next = next.min(Instant::now() + AGAIN);
                    }
                }
                () = sleep_until(next), if under_way.len() < MOST_AT_ONCE => {
                    let run = self.clone();
                    next = Instant::now() + EVERY;
                    under_way.spawn(async move {
                        let began = Instant::now();
                        run.attempt(&mut None, false).await && began.elapsed() < EVERY
                    });
                }
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn over_one_connection(self) {
        let mut stop = self.stop.clone();
        let mut session = None;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                () = sleep_until(next) => {}
            }
            let began = Instant::now();
            let has_failed = self.attempt(&mut session, true).await;
            next = if has_failed { (began + EVERY).min(Instant::now() + AGAIN) } else { began + EVERY };
        }
        if let Some(session) = session {
            session.close();
        }
    }

    /// Makes an attempt and records it; whether it failed.
    async fn attempt(&self, kept: &mut Option<Session>, keeps: bool) -> bool {
        let began_ms = self.shared.stopwatch.ms();
        let mut row = None;
        let made = timeout(WITHIN, self.ask(kept, keeps, &mut row)).await;
        let (server, failed) = made.unwrap_or_else(|_| {
            let failed = Failed { kind: ErrorKind::Timeout, is_certain: false, message: String::new() };
            (None, Some(failed))
        });
        if let Some(row) = row {
            let fate = match &failed {
                None => Some(Fate::Acknowledged),
                Some(failed) => (!failed.is_certain).then_some(Fate::InDoubt),
            };
            if let Some(fate) = fate {
                lock(&self.shared.rows).insert(row, fate);
            }
        }
        let error = failed.map(|failed| failed.kind);
        let has_failed = error.is_some();
        let attempt = Attempt { began_ms, ended_ms: self.shared.stopwatch.ms(), server, error };
        lock(&self.attempts).push(attempt);
        has_failed
    }

    /// Connects if need be, and writes or reads. `row` is the number of the row, from when it is sent.
    async fn ask(
        &self,
        kept: &mut Option<Session>,
        keeps: bool,
        row: &mut Option<i64>,
    ) -> (Option<Server>, Option<Failed>) {
        let session = match kept.take() {
            Some(session) => session,
            None => match Session::connect(&self.endpoint).await {
                Ok(session) => session,
                Err(failed) => return (None, Some(failed)),
            },
        };
        let (server, asked) = self.ask_over(&session, row).await;
        match asked {
            Ok(()) => {
                if keeps {
                    *kept = Some(session);
                } else {
                    session.close();
                }
                (server, None)
            }
            // A pool does not keep a connection after an error, either.
            Err(failed) => {
                session.close();
                (server, Some(failed))
            }
        }
    }

    async fn ask_over(
        &self,
        session: &Session,
        row: &mut Option<i64>,
    ) -> (Option<Server>, Result<(), Failed>) {
        let table = self.shared.table.get().filter(|_| self.kind.writes());
        let answer = match session.who(self.kind.writes() && table.is_none()).await {
            Ok(answer) => answer,
            Err(failed) => return (None, Err(failed)),
        };
        let server = Some(answer.server);
        if let Some(kind) = answer.not_writable.filter(|_| self.kind.writes()) {
            return (server, Err(Failed { kind, is_certain: true, message: String::new() }));
        }
        let Some(table) = table else { return (server, Ok(())) };
        let number = self.shared.next_row.fetch_add(1, Ordering::Relaxed);
        *row = Some(number);
        let inserted = session.query(&table.insert(number)).await;
        (server, inserted.map(|_| ()))
    }
}
