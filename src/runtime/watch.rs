//! Watching one cluster: Patroni often, AWS seldom.
//!
//! Invariants: a trigger carries no facts (1), so a pass observes everything again whatever its reason; bounded (10), so a pass that was
//! not finished is made again after a wait that grows. Where many clusters are watched, a pass waits for its turn, and
//! members are asked meanwhile. All that is decided here is when to ask; the pass does the rest.

mod drift;
mod schedule;
mod steady;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, pending};
use tokio::sync::{Notify, watch as channel};
use tokio::time::{Instant, sleep_until};

use super::deadline::Span;
use super::insync::Insync;
use super::load_state::load_state;
use super::members::Members;
use super::pass::{self, Mode, pass_with};
use crate::ports::Ports;
use drift::has_drifted;
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::decide::verdict::verdict;
use repoint_domain::observed::Observed;
use repoint_domain::rates::{Urgency, reads};
use repoint_domain::report::status::{MemberReport, is_paused, member_reports};
use repoint_domain::report::{self, ClusterReport, StepReport, StepResult, VerdictReport};
use repoint_domain::spec::Spec;
use repoint_domain::spec::part::is_writer;
use repoint_domain::state::State;
use schedule::Schedule;
pub use schedule::{Intervals, Reason, TICK};
use steady::Steady;

/// How a cluster is watched.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often the members and AWS are asked.
    pub intervals: Intervals,
    /// How passes are made.
    pub pass: pass::Settings,
}

/// What connects a watched cluster with the rest of the program.
#[derive(Clone, Debug)]
pub struct Channels {
    /// Notified when it should check at once.
    pub wake: Arc<Notify>,
    /// Becomes true when it should end.
    pub stop: channel::Receiver<bool>,
    /// When it last began a check.
    pub checked: Arc<channel::Sender<Instant>>,
}

/// What a watched cluster reports.
#[derive(Clone, Debug)]
pub enum News<'a> {
    /// Members were asked.
    Checked(Checked),
    /// The primary, or every member, was asked for its status alone, and it is what it was.
    Unchanged,
    /// A pass has ended.
    Passed {
        /// Why it was made.
        reason: Reason,
        /// Its report.
        report: &'a ClusterReport,
        /// From when the new primary was first seen until the last endpoint was changed to it, after a failover or switchover.
        delay: Option<Duration>,
    },
    /// What became of its changes of records, on their way to Route 53's servers.
    Arrived(&'a ClusterReport),
}

/// What members say between two passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Patroni is in maintenance mode.
    pub is_paused: bool,
    /// How the members stand.
    pub members: Vec<MemberReport>,
    /// Who is the primary by the answers alone; absent while they name whom they named at the end of the last pass, whose
    /// verdict rests on the state as well.
    pub verdict: Option<VerdictReport>,
}

impl Checked {
    /// What these answers say, after a pass that ended with other ones.
    fn of(spec: &Spec, observed: &Observed, snapshot: &Snapshot, passed: Option<&Snapshot>) -> Self {
        let is_known = passed.is_some_and(|passed| passed.agrees(snapshot));
        let verdict = (!is_known).then(|| VerdictReport::from(&verdict(spec, observed, &State::default())));
        Self { is_paused: is_paused(observed), members: member_reports(observed), verdict }
    }
}

/// Watches until it is stopped; the first check is made at `first`. When it is stopped, a pass under way is finished, and
/// changes on their way to Route 53's servers are not waited for any longer.
pub async fn watch(
    spec: &Spec,
    new_ports: impl Fn() -> Ports,
    settings: &Settings,
    mut channels: Channels,
    first: Instant,
    insync: &Insync,
    mut notify: impl FnMut(News<'_>),
) {
    let mut schedule = Schedule::new(settings.intervals, first);
    let asking = new_ports().members;
    let mut members = Members::default();
    // While all members agree, their own status is enough most of the time.
    let mut steady: Option<Steady> = None;
    let mut turn: Option<Turn> = None;
    // Whom members named at the end of the last pass, and since when they name another primary.
    let mut passed: Option<Snapshot> = None;
    let mut changed_at: Option<Instant> = None;
    // The newest changes on their way to Route 53's servers; what they have replaced is not waited for.
    let mut arriving: Fuse<BoxFuture<'_, ClusterReport>> = Fuse::terminated();
    while !*channels.stop.borrow_and_update() {
        let news = async {
            if schedule.is_urgent(Instant::now()) {
                members.news(spec, &asking).await
            } else {
                pending().await
            }
        };
        let mut heard = None;
        tokio::select! {
            biased;
            _ = channels.stop.changed() => continue,
            ports = come(&mut turn) => {
                if let Some(Turn { reason, snapshot, .. }) = turn.take() {
                    let span = Span::of(settings.pass.limit);
                    let waited = changed_at.take().map_or(Duration::ZERO, |at| at.elapsed());
                    let report =
                        Box::pin(pass_with(spec, &ports, &settings.pass, Mode::Apply, &mut members)).await;
                    schedule.passed(reason, snapshot, is_unfinished(spec, &report), &report, Instant::now());
                    passed = Some(Snapshot::of(spec, members.sites(spec)));
                    steady = None;
                    let delay = report.followed_ms().map(|took| waited + Duration::from_millis(took));
                    notify(News::Passed { reason, report: &report, delay });
                    if insync.is_due(&report) {
                        let report = ClusterReport { warnings: Vec::new(), status: None, ..report };
                        let ports = new_ports();
                        arriving = insync.wait(report, || ports, span).boxed().fuse();
                    }
                }
                continue;
            }
            report = &mut arriving => {
                notify(News::Arrived(&report));
                continue;
            }
            () = channels.wake.notified() => schedule.woken(Instant::now()),
            news = news => heard = Some(news),
            () = sleep_until(schedule.ask_at()) => {}
        }
        channels.checked.send_replace(Instant::now());
        let is_waiting = turn.is_some();
        if let (Some(steady), Some(whom)) = (&steady, schedule.whom(is_waiting, Instant::now())) {
            let lasts = tokio::select! {
                biased;
                _ = channels.stop.changed() => continue,
                lasts = steady.lasts(&*asking.patroni, whom) => lasts,
            };
            if lasts {
                schedule.lasts(whom, Instant::now());
                notify(News::Unchanged);
                continue;
            }
        }
        let ports = new_ports();
        let until = Instant::now() + settings.pass.limit;
        tokio::select! {
            biased;
            _ = channels.stop.changed() => continue,
            () = members.look(heard, spec, &ports.members, until) => {}
        }
        let observed = members.observed(spec);
        let snapshot = Snapshot::of(spec, observed.sites.clone());
        let is_new = passed.as_ref().is_some_and(|passed| !passed.agrees(&snapshot));
        changed_at = (is_new && snapshot.names_a_primary()).then(|| changed_at.unwrap_or_else(Instant::now));
        notify(News::Checked(Checked::of(spec, &observed, &snapshot, passed.as_ref())));
        let agreed = Steady::of(spec, &observed.sites, &snapshot);
        let reason = match schedule.answered(&snapshot, Instant::now()) {
            None if has_drifted(spec, observed, &ports, until).await => schedule.drifted(),
            reason => reason,
        };
        let urgency = match schedule.urgency(&snapshot) {
            Some(urgency) => urgency,
            None => loaded(spec, &snapshot, &ports, settings).await,
        };
        let is_settled = urgency == Urgency::Audit && (reason.is_some() || schedule.is_known(&snapshot));
        steady = agreed.filter(|_| is_settled);
        turn = match turn {
            // Members are asked while it waits, and what they say may make it urgent.
            Some(waiting) if waiting.urgency <= urgency => Some(Turn { snapshot, ..waiting }),
            Some(Turn { reason, .. }) => Some(Turn::new(spec, reason, urgency, snapshot, ports)),
            None => reason.map(|reason| Turn::new(spec, reason, urgency, snapshot, ports)),
        };
    }
}

/// A pass that waits for its turn.
struct Turn {
    reason: Reason,
    urgency: Urgency,
    /// What members said last.
    snapshot: Snapshot,
    admitted: BoxFuture<'static, Ports>,
}

impl Turn {
    fn new(spec: &Spec, reason: Reason, urgency: Urgency, snapshot: Snapshot, ports: Ports) -> Self {
        let reads = reads(spec);
        let admitted = async move {
            ports.calls.admit(urgency, &reads).await;
            ports
        };
        Self { reason, urgency, snapshot, admitted: admitted.boxed() }
    }
}

/// The turn, when it has come.
async fn come(turn: &mut Option<Turn>) -> Ports {
    match turn {
        Some(turn) => (&mut turn.admitted).await,
        None => pending().await,
    }
}

/// Whether a pass has left writes behind: it knows the primary and may not act, or a step failed on an endpoint that
/// follows the primary.
fn is_unfinished(spec: &Spec, report: &ClusterReport) -> bool {
    let is_left = |step: &StepReport| {
        matches!(step.result, StepResult::Failed | StepResult::Skipped) && is_writer(spec, &step.endpoint)
    };
    report.steps.iter().any(is_left)
        || report.holds.iter().any(|hold| matches!(hold.reason, report::Reason::Pass(_)))
}

/// Before the first pass, only the state says what the endpoints follow.
async fn loaded(spec: &Spec, snapshot: &Snapshot, ports: &Ports, settings: &Settings) -> Urgency {
    let state = load_state(spec, ports, Instant::now() + settings.pass.limit).await;
    state.map_or(Urgency::Audit, |state| snapshot.urgency(&state))
}
