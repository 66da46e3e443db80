//! Watching one cluster: Patroni often, AWS seldom.
//!
//! Laws: a trigger carries no facts (1), so whatever the reason, a pass looks anew; bounded (10), so a pass that was not
//! finished is made again after a wait that grows. Where many are watched, a pass waits for its turn, and members are
//! looked at meanwhile. It never decides: it says when to look, and the pass does the rest.

mod rhythm;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, pending};
use tokio::sync::{Notify, watch as channel};
use tokio::time::{Instant, sleep_until};

use super::apply::Span;
use super::insync::Insync;
use super::members::Members;
use super::observe::recall;
use super::pass::{self, Mode, pass_with};
use crate::ports::Ports;
use repoint_domain::decide::sight::Sight;
use repoint_domain::rates::{Urgency, reads};
use repoint_domain::report::{self, ClusterReport, StepReport, StepResult};
use repoint_domain::spec::Intent;
use repoint_domain::spec::part::is_writer;
use rhythm::Rhythm;
pub use rhythm::{Pace, Reason};

/// How a cluster is watched.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often it is looked at.
    pub pace: Pace,
    /// How passes are made.
    pub pass: pass::Settings,
}

/// What a watched cluster and the rest of the program tell each other.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Rung when it should look at once.
    pub poke: Arc<Notify>,
    /// Becomes true when it should end.
    pub stop: channel::Receiver<bool>,
    /// When it last began to look.
    pub beat: Arc<channel::Sender<Instant>>,
}

/// What is told of a watched cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A pass has ended.
    Passed(Reason),
    /// What became of its changes of records on their way to Route 53's servers.
    Arrived,
}

/// Watches until told to stop, the first time `after` a while; a pass under way is finished, and changes on their way are
/// not waited for any longer.
pub async fn watch(
    intent: &Intent,
    new_ports: impl Fn() -> Ports,
    settings: &Settings,
    mut lines: Lines,
    after: Duration,
    insync: &Insync,
    mut tell: impl FnMut(News, &ClusterReport),
) {
    let mut rhythm = Rhythm::new(settings.pace, Instant::now() + after);
    let mut members = Members::default();
    let mut turn: Option<Turn> = None;
    // The newest changes on their way to Route 53's servers; nobody waits for what they have replaced.
    let mut arriving: Fuse<BoxFuture<'_, ClusterReport>> = Fuse::terminated();
    while !*lines.stop.borrow_and_update() {
        tokio::select! {
            biased;
            _ = lines.stop.changed() => continue,
            ports = come(&mut turn) => {
                if let Some(Turn { reason, sight, .. }) = turn.take() {
                    let span = Span::of(settings.pass.limit);
                    let report =
                        Box::pin(pass_with(intent, &ports, &settings.pass, Mode::Apply, &mut members)).await;
                    rhythm.passed(reason, sight, is_unfinished(intent, &report), &report, Instant::now());
                    tell(News::Passed(reason), &report);
                    if insync.is_due(&report) {
                        let report = ClusterReport { warnings: Vec::new(), ..report };
                        let ports = new_ports();
                        arriving = insync.wait(report, || ports, span).boxed().fuse();
                    }
                }
                continue;
            }
            report = &mut arriving => {
                tell(News::Arrived, &report);
                continue;
            }
            () = lines.poke.notified() => rhythm.poked(Instant::now()),
            () = sleep_until(rhythm.look_at()) => {}
        }
        lines.beat.send_replace(Instant::now());
        let ports = new_ports();
        let until = Instant::now() + settings.pass.limit;
        members.ask(intent, &ports, Duration::ZERO, until);
        tokio::select! {
            biased;
            _ = lines.stop.changed() => continue,
            () = members.settle(intent, &ports, until) => {}
        }
        let sight = Sight::of(intent, members.sites(intent));
        let reason = rhythm.looked(&sight, Instant::now());
        let urgency = match rhythm.urgency(&sight) {
            Some(urgency) => urgency,
            None => remembered(intent, &sight, &ports, settings).await,
        };
        turn = match turn {
            // Members are looked at while it waits, and what they say may make it urgent.
            Some(waiting) if waiting.urgency <= urgency => Some(Turn { sight, ..waiting }),
            Some(Turn { reason, .. }) => Some(Turn::new(intent, reason, urgency, sight, ports)),
            None => reason.map(|reason| Turn::new(intent, reason, urgency, sight, ports)),
        };
    }
}

/// A pass that waits for its turn.
struct Turn {
    reason: Reason,
    urgency: Urgency,
    /// What members said last.
    sight: Sight,
    admitted: BoxFuture<'static, Ports>,
}

impl Turn {
    fn new(intent: &Intent, reason: Reason, urgency: Urgency, sight: Sight, ports: Ports) -> Self {
        let reads = reads(intent);
        let admitted = async move {
            ports.calls.admit(urgency, &reads).await;
            ports
        };
        Self { reason, urgency, sight, admitted: admitted.boxed() }
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
fn is_unfinished(intent: &Intent, report: &ClusterReport) -> bool {
    let is_left = |step: &StepReport| {
        matches!(step.result, StepResult::Failed | StepResult::Skipped) && is_writer(intent, &step.endpoint)
    };
    report.steps.iter().any(is_left)
        || report.holds.iter().any(|hold| matches!(hold.reason, report::Reason::Pass(_)))
}

/// Before the first pass, only memory can tell what the endpoints follow.
async fn remembered(intent: &Intent, sight: &Sight, ports: &Ports, settings: &Settings) -> Urgency {
    let memory = recall(intent, ports, Instant::now() + settings.pass.limit).await;
    memory.map_or(Urgency::Audit, |memory| sight.urgency(&memory))
}
