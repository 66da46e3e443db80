//! What this process has done since it started, counted for its metrics.
//!
//! Counting takes no lock that is held across a wait, and nothing is decided by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use repoint_domain::rates::RateKey;
use repoint_domain::report::Outcome;

use crate::permission::ACTIONS;

/// The code of a request that AWS has answered without an error.
pub const OK: &str = "ok";
/// Instead of an error code beyond the first [`MOST_CODES`] pairs of action and error code (invariant 10).
const OTHER: &str = "other";
const MOST_CODES: usize = 200;

/// In seconds: a pass without failures takes well below 1 s, and has 30 s by default.
const PASS_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// In seconds: a move takes a fraction of a second, unless AWS is slow or throttles.
const DELAY_BUCKETS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The outcomes that a pass of the daemon may have.
const OUTCOMES: [Outcome; 4] = [Outcome::Converged, Outcome::Changed, Outcome::Held, Outcome::Failed];

type Labels<const N: usize> = [(&'static str, String); N];

/// The counters of one process; clones count together.
#[derive(Clone, Debug)]
pub struct Counters(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    passes: Family<Labels<1>, Counter>,
    pass_duration: Histogram,
    retarget_delay: Histogram,
    requests: Family<Labels<2>, Counter>,
    codes: AtomicUsize,
    waits: Family<Labels<1>, Counter<f64, AtomicU64>>,
    published: Counter,
    failed: Counter,
}

impl Default for Counters {
    /// What is known beforehand begins at 0: a counter that is born at 1 hides its first event from `increase()`.
    fn default() -> Self {
        let counters = Self(Arc::new(Counted {
            passes: Family::default(),
            pass_duration: Histogram::new(PASS_BUCKETS),
            retarget_delay: Histogram::new(DELAY_BUCKETS),
            requests: Family::default(),
            codes: AtomicUsize::default(),
            waits: Family::default(),
            published: Counter::default(),
            failed: Counter::default(),
        }));
        for outcome in OUTCOMES {
            drop(counters.0.passes.get_or_create(&of_outcome(outcome)));
        }
        for action in ACTIONS {
            drop(counters.0.requests.get_or_create(&of_request(action, OK)));
        }
        counters
    }
}

fn of_outcome(outcome: Outcome) -> Labels<1> {
    [("outcome", outcome.as_str().to_owned())]
}

fn of_request(action: &str, code: &str) -> Labels<2> {
    [("action", action.to_owned()), ("code", code.to_owned())]
}

fn of_bucket(key: &RateKey) -> Labels<1> {
    let bucket = match key {
        RateKey::ElbRead(region) => format!("elb_read {region}"),
        RateKey::ElbWrite(region) => format!("elb_write {region}"),
        RateKey::Route53 => "route53".to_owned(),
        RateKey::Ec2(region) => format!("ec2 {region}"),
        RateKey::Settings(region) => format!("settings {region}"),
    };
    [("bucket", bucket)]
}

impl Counters {
    /// A pass has ended, and took so long.
    pub fn pass(&self, outcome: Outcome, duration: Duration) {
        self.0.passes.get_or_create(&of_outcome(outcome)).inc();
        self.0.pass_duration.observe(duration.as_secs_f64());
    }

    /// Endpoints followed a new primary so long after it was first seen.
    pub fn retarget(&self, delay: Duration) {
        self.0.retarget_delay.observe(delay.as_secs_f64());
    }

    /// A request to AWS was answered with this code: [`OK`], or AWS's error code.
    pub fn request(&self, action: &str, code: &str) {
        let labels = of_request(action, code);
        let is_new = self.0.requests.get(&labels).is_none();
        let is_full = is_new && self.0.codes.fetch_add(1, Ordering::Relaxed) >= MOST_CODES;
        let labels = if is_full { of_request(action, OTHER) } else { labels };
        self.0.requests.get_or_create(&labels).inc();
    }

    /// A request waited so long for its tokens.
    pub fn waited(&self, key: &RateKey, time: Duration) {
        self.0.waits.get_or_create(&of_bucket(key)).inc_by(time.as_secs_f64());
    }

    /// An alert was published, or could not be.
    pub fn alert(&self, is_published: bool) {
        if is_published {
            self.0.published.inc()
        } else {
            self.0.failed.inc()
        };
    }

    /// Adds the counters to what is rendered.
    pub fn register(&self, registry: &mut Registry) {
        let Counted { passes, pass_duration, retarget_delay, requests, waits, published, failed, .. } =
            &*self.0;
        registry.register("passes", "Passes that have ended, by their outcome", passes.clone());
        let help = "How long passes took, without publishing alerts";
        registry.register("pass_duration_seconds", help, pass_duration.clone());
        let help = "From when a new primary was first seen until the last endpoint was changed to it, after a failover or switchover";
        registry.register("retarget_delay_seconds", help, retarget_delay.clone());
        let help = "Requests to AWS, retries included, by IAM action and by AWS's error code: `ok` without an error, `none` without an answer";
        registry.register("aws_requests", help, requests.clone());
        let help = "Time that requests to AWS waited for their turn within AWS's rate limits";
        registry.register("aws_tokens_wait_seconds", help, waits.clone());
        registry.register("alerts_published", "Alerts that were published", published.clone());
        registry.register("alerts_failed", "Attempts to publish an alert that failed", failed.clone());
    }
}
