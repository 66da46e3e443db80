//! One pass over one cluster: attempts until one finishes, then the report and the alerts.
//!
//! Invariants: idempotent (8), so a pass that finds everything right writes and publishes nothing; explained (11), so it
//! always ends with a report; crash anywhere (9), so it may end between any two of its calls.

mod acting;
mod attempt;
mod decision;
mod finish;
mod lease;
mod progress;

use std::time::Duration;

use tokio::time::Instant;

use super::deadline::{Cut, Span};
use super::lease_wait::LeaseWait;
use super::members::{KnownState, Members};
use super::observe::Observation;
pub use super::settings::{Mode, Settings};
use crate::ports::Ports;
use repoint_domain::decide::snapshot::Snapshot;
use repoint_domain::report::{ClusterReport, PassHold};
use repoint_domain::spec::Spec;

use attempt::attempt;
use finish::finish;
use progress::Progress;

/// How many attempts a pass makes before it gives up. Other processes cannot be quicker that often unless something is wrong.
const ATTEMPTS: u32 = 10;

/// How long a pass that has done all else waits for discovery. It asks AWS once a minute at most.
const DISCOVERY_WITHIN: Duration = Duration::from_secs(1);

/// What stays the same in a pass.
#[derive(Clone, Copy)]
struct Pass<'a> {
    spec: &'a Spec,
    ports: &'a Ports,
    settings: &'a Settings,
    mode: Mode,
    span: Span,
}

/// What a pass, or one attempt of it, ended with.
struct Ended {
    observation: Observation,
    /// Why nothing may be written now, if so.
    hold: Option<PassHold>,
    progress: Progress,
}

/// How an attempt ended.
enum Attempt {
    /// There is nothing left to do, or no more can be done now.
    Finished(Ended),
    /// What it rested on is out of date, so the pass has to observe again.
    Again(Ended),
}

/// The whole pass: observe, decide, commit, apply, notify.
pub async fn pass(spec: &Spec, ports: &Ports, settings: &Settings, mode: Mode) -> ClusterReport {
    Box::pin(pass_with(spec, ports, settings, mode, &mut Members::default())).await
}

/// The same by a process that has just asked some members: their answers count as long as they are fresh.
pub async fn pass_with(
    spec: &Spec,
    ports: &Ports,
    settings: &Settings,
    mode: Mode,
    members: &mut Members,
) -> ClusterReport {
    let span = Span::of(settings.limit);
    let pass = Pass { spec, ports, settings, mode, span };
    let mut ended = attempts(pass, members).await;
    ports.calls.release();
    // The endpoints are done, and the next pass may need what discovery says: what is wrong with it is reported now.
    let until = span.deadline.min(Instant::now() + DISCOVERY_WITHIN);
    ended.observation.observed.discovered = members.discovered(until).await;
    let said = Snapshot::of(spec, members.sites(spec));
    let (sender, cut) = Cut::channel();
    let until = Instant::now() + settings.limit;
    let mut finishing = Box::pin(finish(pass, ended, &cut));
    let (report, state) = tokio::select! {
        biased;
        finished = &mut finishing => finished,
        // A topic that hangs does not keep the endpoints from following the next primary (invariant 15).
        () = members.name_another(spec, &ports.members, &said, until) => {
            sender.send_replace(true);
            finishing.await
        }
    };
    if let Some(state) = state {
        members.keep(KnownState::Remembered(state));
    }
    report
}

/// Makes attempts until one finishes. Each begins with a new observation and with what the earlier ones have done.
async fn attempts(pass: Pass<'_>, members: &mut Members) -> Ended {
    let (mut lease_wait, mut progress) = (LeaseWait::default(), Progress::default());
    let mut number = 1;
    loop {
        // Boxed: it holds an observation of everything, and a daemon has a pass for each of a thousand clusters.
        match Box::pin(attempt(pass, members, &mut lease_wait, progress)).await {
            Attempt::Finished(ended) => return ended,
            Attempt::Again(ended) if number == ATTEMPTS => {
                return Ended { hold: Some(PassHold::Conflict), ..ended };
            }
            Attempt::Again(ended) => progress = ended.progress,
        }
        number += 1;
    }
}
