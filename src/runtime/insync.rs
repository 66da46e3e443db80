//! Waiting until Route 53's servers have what was changed.
//!
//! A change that was accepted stands, whatever comes of the wait. The wait is bounded (invariant 10) by a time of its own and
//! by the pass's deadline. It comes after the alerts and holds up no other pass: it needs no lease and no slot among the
//! passes, and has the last rank. Each batch is asked about once for all passes that wait for it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::time::{Instant, sleep, timeout_at};

use super::deadline::Span;
use crate::ports::{Ports, Zones};
use repoint_domain::report::{Arrival, ClusterReport};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::record::ChangeId;

/// The wait between two requests. It takes mostly less than a minute (Route 53 API, `GetChange`), and all of the account's
/// calls share one limit, so the wait grows.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The passes of one process that wait. By default none does.
#[derive(Clone, Default)]
pub struct Insync {
    within: Option<Duration>,
    /// The batches that are asked about.
    asked: Arc<Mutex<BTreeMap<ChangeId, Sender<Known>>>>,
}

/// What is known of a batch.
#[derive(Clone, Debug)]
enum Known {
    /// Nothing yet, or the last failure.
    Open(Option<Failure>),
    Insync,
    /// No answer will come.
    Closed(Failure),
}

impl Insync {
    /// Waits so long, if at all.
    #[must_use]
    pub fn new(within: Option<Duration>) -> Self {
        Self { within, ..Self::default() }
    }

    /// Whether there is something to wait for.
    #[must_use]
    pub fn is_due(&self, report: &ClusterReport) -> bool {
        self.within.is_some() && !report.changes().is_empty()
    }

    /// The report of a pass with what became of its changes. `ports` are for these requests alone.
    pub async fn wait(
        &self,
        mut report: ClusterReport,
        ports: impl FnOnce() -> Ports,
        span: Span,
    ) -> ClusterReport {
        let changes = report.changes();
        let Some(within) = self.within.filter(|_| !changes.is_empty()) else { return report };
        let ports = ports();
        let began = Instant::now();
        let until = span.deadline.min(began + within);
        let arrivals = changes.iter().map(|change| async {
            let mut known = self.ask(change, &ports.zones);
            drop(timeout_at(until, known.wait_for(|known| !matches!(known, Known::Open(_)))).await);
            match known.borrow().clone() {
                Known::Insync => Arrival::Seen(span.elapsed_ms()),
                Known::Open(None) => Arrival::NotYet(milliseconds(began.elapsed())),
                Known::Open(Some(failure)) | Known::Closed(failure) => Arrival::Unknown(failure),
            }
        });
        for (change, arrival) in changes.iter().zip(join_all(arrivals).await) {
            report.arrived(change, &arrival);
        }
        for (action, count) in ports.calls.counts() {
            *report.api_calls.entry(action).or_default() += count;
        }
        report
    }

    /// What becomes known of a batch. It is asked about with the ports of the first pass that waits, as long as any does.
    fn ask(&self, change: &ChangeId, zones: &Arc<dyn Zones>) -> Receiver<Known> {
        let mut asked = self.lock();
        if let Some(known) = asked.get(change) {
            return known.subscribe();
        }
        let (known, receiver) = watch::channel(Known::Open(None));
        asked.insert(change.clone(), known.clone());
        tokio::spawn(self.clone().follow(change.clone(), zones.clone(), known));
        receiver
    }

    async fn follow(self, change: ChangeId, zones: Arc<dyn Zones>, known: Sender<Known>) {
        let mut wait = FIRST_WAIT;
        loop {
            let answer = async {
                sleep(wait).await;
                // A panic closes the question, instead of leaving it open for all that wait.
                let asked = AssertUnwindSafe(zones.is_insync(&change)).catch_unwind().await;
                asked.unwrap_or_else(|_| Err(given_up(&change)))
            };
            let now = tokio::select! {
                answer = answer => now_known(answer),
                () = known.closed() => Known::Open(None),
            };
            let mut asked = self.lock();
            if !matches!(now, Known::Open(_)) || known.receiver_count() == 0 {
                asked.remove(&change);
                known.send_replace(now);
                return;
            }
            known.send_replace(now);
            wait = (wait * 3 / 2).min(LONGEST_WAIT);
        }
    }

    /// A panic leaves nothing half done: each change is one call.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ChangeId, Sender<Known>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A failure that may pass by itself is asked again; another one is not.
fn now_known(answer: Result<bool, Failure>) -> Known {
    match answer {
        Ok(true) => Known::Insync,
        Ok(false) => Known::Open(None),
        Err(failure) => match failure.kind {
            Kind::Throttled | Kind::Unavailable | Kind::NotFound => Known::Open(Some(failure)),
            Kind::Unauthenticated | Kind::Denied | Kind::Invalid | Kind::Conflict => Known::Closed(failure),
        },
    }
}

fn given_up(change: &ChangeId) -> Failure {
    Failure::new(
        Kind::Invalid,
        "route53:GetChange",
        change.to_string(),
        "repoint stopped asking because of an internal error; the log has it",
    )
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
