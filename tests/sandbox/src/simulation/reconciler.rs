//! A reconciler that makes pass after pass, and is restarted when it dies.

use std::time::Duration;

use repoint::runtime::pass::{Mode, Settings, pass};
use repoint_domain::alerts::{Limits, Rules};
use repoint_domain::report::{ClusterReport, Outcome, PassHoldKind, Reason, StepResult};
use tokio::time::{Instant, sleep};

use super::invariants::Invariant;
use crate::transport::{Link, ports};

/// Alerts are published after the deadline; a call under way is cut off there.
pub const NOTIFYING: Duration = Duration::from_secs(12);

/// How passes are made.
#[must_use]
pub fn settings(needs_state: bool) -> Settings {
    Settings {
        limit: Duration::from_secs(30),
        notify_within: Duration::from_secs(10),
        needs_state,
        alerts: Rules {
            grace_ms: 10_000,
            contested_grace_ms: 0,
            replica_grace_ms: 30_000,
            paused_grace_ms: 30_000,
            reminder_ms: Some(30_000),
            limits: Limits::DEFAULT,
        },
    }
}

/// Makes passes without end.
pub async fn run_forever(link: Link, settings: Settings) {
    let mut starts = 0;
    loop {
        starts += 1;
        let identity = format!("{}r{}.{starts}", link.identity, link.reconciler);
        tokio::select! {
            biased;
            () = link.died.notified() => {
                let now = link.now();
                link.world().under_way[link.reconciler] = None;
                link.world().note(now, || format!("{identity} died"));
                let wait = link.world().rng.u64(100..8_000);
                sleep(Duration::from_millis(wait)).await;
            }
            () = work(&link, &identity, &settings) => {}
        }
    }
}

async fn work(link: &Link, identity: &str, settings: &Settings) {
    for number in 0_u64.. {
        let wait = link.world().rng.u64(200..6_000);
        sleep(Duration::from_millis(wait)).await;
        let report = once(link, &format!("{identity}#{number}"), settings).await;
        let now = link.now();
        let mut world = link.world();
        world.reports[link.reconciler].push((now, report.outcome));
    }
}

/// One pass, checked.
pub async fn once(link: &Link, identity: &str, settings: &Settings) -> ClusterReport {
    let ports = ports(link, identity.to_owned());
    let spec = link.world().resources.spec.clone();
    let began = Instant::now();
    let at = link.now();
    link.world().under_way[link.reconciler] = Some(at);
    let report = pass(&spec, &ports, settings, Mode::Apply).await;
    let took = began.elapsed();
    let now = link.now();
    let mut world = link.world();
    world.under_way[link.reconciler] = None;
    world.note(now, || {
        let steps: Vec<String> =
            report.steps.iter().map(|step| format!("{} {:?}", step.summary(), step.result)).collect();
        let holds: Vec<&str> = report.holds.iter().map(|hold| hold.message.as_str()).collect();
        format!("{identity}: {} {steps:?} {holds:?} {:?}", report.outcome.as_str(), report.warnings)
    });
    world.check_outcome(now, identity, report.outcome);
    if report.steps.is_empty() && world.invariants.actions.contains_key(identity) {
        world.invariants.violated(
            now,
            Invariant::Idempotent,
            format!("{identity} changed something and reports nothing"),
        );
    }
    let refused = report.holds.iter().find(|hold| hold.reason == Reason::Pass(PassHoldKind::Refused));
    if let Some(refused) = refused {
        world.invariants.violated(now, Invariant::Audited, format!("{identity}: {}", refused.message));
    }
    let is_explained = match report.outcome {
        Outcome::Held => !report.holds.is_empty() && report.holds.iter().all(|hold| !hold.message.is_empty()),
        Outcome::Failed => {
            let failed = report.steps.iter().filter(|step| step.result == StepResult::Failed);
            !report.holds.is_empty()
                || failed.clone().count() > 0 && failed.clone().all(|step| step.error.is_some())
        }
        Outcome::Converged | Outcome::Changed | Outcome::Planned => true,
    };
    if !is_explained {
        world.invariants.violated(
            now,
            Invariant::Explained,
            format!("{identity}: {:?} without a reason", report.outcome),
        );
    }
    if took > settings.limit + NOTIFYING {
        world.invariants.violated(
            now,
            Invariant::Bounded,
            format!("{identity} took {} ms", took.as_millis()),
        );
    }
    report
}
