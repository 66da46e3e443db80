//! When the members are asked, and when a pass is made.
//!
//! It keeps no facts about the cluster but what it needs to see that something has changed (invariant 1).

use std::time::Duration;

use tokio::time::Instant;

use super::steady::Whom;
use crate::runtime::backoff::Backoff;
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::plan::EndpointReasonKind;
use repoint_domain::rates::Urgency;
use repoint_domain::report::{self, ClusterReport, HoldReport, Outcome, VerdictReport};

/// How often Patroni is asked while it is not clear which member is the primary: a new primary then has its endpoints a
/// fraction of a second after it takes writes.
const URGENT: Duration = Duration::from_millis(200);
/// For so long after the primary was lost. A failover with Patroni's defaults (`ttl` 30) takes half a minute; what lasts
/// longer is an outage, and for each `GET /cluster` a member asks the DCS (`patroni/api.py`, `do_GET_cluster`).
const URGENT_FOR: Duration = Duration::from_mins(1);
/// And after a wake: a callback comes before the promotion is finished, and perhaps before anything of it can be observed.
const WOKEN_FOR: Duration = Duration::from_secs(10);
/// The longest wait after one that failed.
const LONGEST_RETRY: Duration = Duration::from_secs(15);
/// What members say may change without another primary, as when one comes and goes: such changes set off no more than one
/// pass in this time, so that AWS's request rate is kept for a failover.
const DEBOUNCE: Duration = Duration::from_secs(5);
/// While members agree, the others are asked for their status after so many intervals, and after so much time at the latest.
const MEMBERS_AFTER: (u32, Duration) = (10, Duration::from_secs(10));
/// The same of all that they know: what `/cluster` lists, members write every `loop_wait`, 10 s by default.
const ALL_AFTER: (u32, Duration) = (30, Duration::from_secs(30));
/// Clusters are asked in groups, at ticks that all of a process share: then one wake of the process serves many.
pub const TICK: Duration = Duration::from_millis(20);
/// An interval below this has too few ticks.
const TICKED_FROM: Duration = Duration::from_millis(500);
/// How much of each wait is random, so that clusters and daemons do not fall into step.
const JITTER: f64 = 0.1;

/// How often a cluster is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// Patroni.
    pub interval: Duration,
    /// AWS, where nothing seems to have changed.
    pub audit_interval: Duration,
}

/// Why a pass is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The first one.
    Start,
    /// A callback asked for it.
    Wake,
    /// Members say something new.
    Change,
    /// The one before was not finished.
    Retry,
    /// An endpoint on this machine is not as the last pass left it.
    Drift,
    /// It was time to.
    Audit,
}

impl Reason {
    /// For logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Wake => "wake",
            Self::Change => "change",
            Self::Retry => "retry",
            Self::Drift => "drift",
            Self::Audit => "audit",
        }
    }
}

pub struct Schedule {
    intervals: Intervals,
    rng: fastrand::Rng,
    /// A tick.
    first: Instant,
    ask_at: Instant,
    /// When each member is asked for its status next, whatever the primary says.
    ask_members_at: Instant,
    /// When they are asked for all that they know.
    ask_all_at: Instant,
    audit_at: Instant,
    /// When an unfinished pass is made again.
    retry_at: Option<Instant>,
    backoff: Backoff,
    /// The last pass has left writes undone: it may not act, or a step failed on an endpoint that follows the primary.
    is_behind: bool,
    urgent_until: Option<Instant>,
    is_woken: bool,
    /// What the last pass began with, and when it ended.
    passed: Option<(Snapshot, Instant)>,
}

impl Schedule {
    pub fn new(intervals: Intervals, first: Instant) -> Self {
        Self {
            intervals,
            rng: fastrand::Rng::new(),
            first,
            ask_at: first,
            ask_members_at: first,
            ask_all_at: first,
            audit_at: first,
            retry_at: None,
            backoff: Backoff::default(),
            is_behind: false,
            urgent_until: None,
            is_woken: false,
            passed: None,
        }
    }

    /// When Patroni is asked next.
    pub fn ask_at(&self) -> Instant {
        self.ask_at
    }

    pub fn woken(&mut self, now: Instant) {
        self.is_woken = true;
        self.urgent_until = self.urgent_until.max(Some(now + WOKEN_FOR));
    }

    /// Whose status is enough now, if all agreed when they were last asked. A pass that waits for its turn will ask for all.
    pub fn whom(&self, is_waiting: bool, now: Instant) -> Option<Whom> {
        let is_due = self.audit_at <= now || self.retry_at.is_some_and(|at| at <= now);
        let may_be =
            now < self.ask_all_at && !self.is_urgent(now) && !self.is_woken && (is_waiting || !is_due);
        may_be.then_some(if now < self.ask_members_at { Whom::Primary } else { Whom::Members })
    }

    /// Those were asked for their status, and nothing has changed.
    pub fn lasts(&mut self, whom: Whom, now: Instant) {
        self.ask_at = self.next_ask(now);
        if whom == Whom::Members {
            self.ask_members_at = self.after(MEMBERS_AFTER, now);
        }
    }

    /// Whether the last pass began with the same.
    pub fn is_known(&self, snapshot: &Snapshot) -> bool {
        self.passed.as_ref().is_some_and(|(known, _)| known == snapshot)
    }

    /// Members have answered this. Returns whether to make a pass, and why.
    pub fn answered(&mut self, snapshot: &Snapshot, now: Instant) -> Option<Reason> {
        self.ask_at = self.next_ask(now);
        self.ask_members_at = self.after(MEMBERS_AFTER, now);
        self.ask_all_at = self.after(ALL_AFTER, now);
        let Some((known, at)) = &self.passed else { return Some(Reason::Start) };
        let is_woken = std::mem::take(&mut self.is_woken);
        let has_changed = !snapshot.agrees(known) || (snapshot != known && *at + DEBOUNCE <= now);
        if is_woken {
            Some(Reason::Wake)
        } else if has_changed {
            Some(Reason::Change)
        } else if self.retry_at.is_some_and(|at| at <= now) {
            Some(Reason::Retry)
        } else {
            (self.audit_at <= now).then_some(Reason::Audit)
        }
    }

    /// An endpoint on this machine is not as it should be. What a pass could not do is left to its repetition.
    pub fn drifted(&self) -> Option<Reason> {
        self.retry_at.is_none().then_some(Reason::Drift)
    }

    /// Whether there is a primary to follow, or only an audit to make; `None` before the first pass. An endpoint that could not
    /// be read is no reason to go first: while a service is unavailable, that is so for every cluster.
    pub fn urgency(&self, snapshot: &Snapshot) -> Option<Urgency> {
        let (known, _) = self.passed.as_ref()?;
        let follows = snapshot.names_a_primary() && (self.is_behind || !snapshot.agrees(known));
        Some(if follows { Urgency::Failover } else { Urgency::Audit })
    }

    /// A pass has ended that began with this snapshot, and may have left writes undone.
    pub fn passed(
        &mut self,
        reason: Reason,
        snapshot: Snapshot,
        is_behind: bool,
        report: &ClusterReport,
        now: Instant,
    ) {
        self.is_behind = is_behind;
        let is_led = matches!(report.verdict, VerdictReport::Primary(_));
        match reason {
            Reason::Start | Reason::Change if is_led => self.urgent_until = None,
            Reason::Start | Reason::Change => {
                self.urgent_until = self.urgent_until.max(Some(now + URGENT_FOR));
            }
            Reason::Wake | Reason::Retry | Reason::Drift | Reason::Audit => {}
        }
        let is_new = matches!(reason, Reason::Start | Reason::Change | Reason::Wake);
        if is_new || self.retry_at.is_none() {
            self.backoff = Backoff::default();
        }
        self.retry_at = self.unfinished(report).map(|longest| {
            let wait = self.backoff.next(longest);
            now + self.jittered(wait)
        });
        self.audit_at = now + self.jittered(self.intervals.audit_interval);
        self.ask_at = self.next_ask(now);
        self.passed = Some((snapshot, now));
    }

    /// Whether a pass has left something to do, and the longest wait before it is tried again. Most holds end when members
    /// answer something new, and until then there are only alerts to publish; some end without a sign.
    fn unfinished(&self, report: &ClusterReport) -> Option<Duration> {
        let ends_without_a_sign = |hold: &HoldReport| {
            matches!(
                hold.reason,
                report::Reason::Pass(_) | report::Reason::Endpoint(EndpointReasonKind::Unreadable)
            )
        };
        match report.outcome {
            Outcome::Converged | Outcome::Changed if !report.is_unnotified => None,
            Outcome::Held if !report.holds.iter().any(ends_without_a_sign) => {
                Some(self.intervals.audit_interval)
            }
            _ => Some(LONGEST_RETRY.min(self.intervals.audit_interval)),
        }
    }

    /// Whether a new primary may be there at any moment.
    pub fn is_urgent(&self, now: Instant) -> bool {
        self.urgent_until.is_some_and(|until| now < until)
    }

    fn next_ask(&mut self, now: Instant) -> Instant {
        let interval =
            if self.is_urgent(now) { self.intervals.interval.min(URGENT) } else { self.intervals.interval };
        let next = now + self.jittered(interval);
        if interval < TICKED_FROM { next } else { self.tick_before(next) }
    }

    fn tick_before(&self, at: Instant) -> Instant {
        let since = at.saturating_duration_since(self.first).as_millis();
        let ticks = u32::try_from(since / TICK.as_millis()).unwrap_or(u32::MAX);
        self.first + TICK * ticks
    }

    fn after(&mut self, (intervals, most): (u32, Duration), now: Instant) -> Instant {
        now + self.jittered((self.intervals.interval * intervals).min(most))
    }

    fn jittered(&mut self, time: Duration) -> Duration {
        time.mul_f64(1.0 + JITTER * (2.0 * self.rng.f64() - 1.0))
    }
}
