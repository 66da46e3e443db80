//! A reconciler that looks again and again, and is started anew when it dies.

use std::time::Duration;

use repoint::runtime::pass::{Mode, Settings, pass};
use repoint_domain::report::{ClusterReport, Outcome, PassHoldKind, Reason, StepResult};
use repoint_domain::state::update::Rules;
use tokio::time::{Instant, sleep};

use super::laws::Law;
use crate::door::{Line, ports};

/// Telling comes after the deadline, and a call under way is cut off there.
pub const TELLING: Duration = Duration::from_secs(12);

/// How passes are made.
#[must_use]
pub fn settings(needs_state: bool) -> Settings {
    Settings {
        limit: Duration::from_secs(30),
        notify_within: Duration::from_secs(10),
        needs_state,
        alerts: Rules { grace_ms: 10_000, contested_grace_ms: 0, reminder_ms: Some(30_000) },
    }
}

/// Looks for ever.
pub async fn live(line: Line, settings: Settings) {
    let mut lives = 0;
    loop {
        lives += 1;
        let identity = format!("{}r{}.{lives}", line.identity, line.reconciler);
        tokio::select! {
            biased;
            () = line.died.notified() => {
                let now = line.now();
                line.world().under_way[line.reconciler] = None;
                line.world().note(now, || format!("{identity} died"));
                let wait = line.world().rng.u64(100..8_000);
                sleep(Duration::from_millis(wait)).await;
            }
            () = work(&line, &identity, &settings) => {}
        }
    }
}

async fn work(line: &Line, identity: &str, settings: &Settings) {
    for number in 0_u64.. {
        let wait = line.world().rng.u64(200..6_000);
        sleep(Duration::from_millis(wait)).await;
        let report = once(line, &format!("{identity}#{number}"), settings).await;
        let now = line.now();
        let mut world = line.world();
        world.reports[line.reconciler].push((now, report.outcome));
    }
}

/// One pass, judged.
pub async fn once(line: &Line, identity: &str, settings: &Settings) -> ClusterReport {
    let ports = ports(line, identity.to_owned());
    let spec = line.world().resources.spec.clone();
    let began = Instant::now();
    let at = line.now();
    line.world().under_way[line.reconciler] = Some(at);
    let report = pass(&spec, &ports, settings, Mode::Apply).await;
    let took = began.elapsed();
    let now = line.now();
    let mut world = line.world();
    world.under_way[line.reconciler] = None;
    world.note(now, || {
        let steps: Vec<String> =
            report.steps.iter().map(|step| format!("{} {:?}", step.summary(), step.result)).collect();
        let holds: Vec<&str> = report.holds.iter().map(|hold| hold.message.as_str()).collect();
        format!("{identity}: {} {steps:?} {holds:?} {:?}", report.outcome.as_str(), report.warnings)
    });
    world.judge_outcome(now, identity, report.outcome);
    if report.steps.is_empty() && world.laws.deeds.contains_key(identity) {
        world.laws.broken(now, Law::Idempotent, format!("{identity} changed something and reports nothing"));
    }
    let refused = report.holds.iter().find(|hold| hold.reason == Reason::Pass(PassHoldKind::Refused));
    if let Some(refused) = refused {
        world.laws.broken(now, Law::Audited, format!("{identity}: {}", refused.message));
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
        world.laws.broken(now, Law::Explained, format!("{identity}: {:?} without a reason", report.outcome));
    }
    if took > settings.limit + TELLING {
        world.laws.broken(now, Law::Bounded, format!("{identity} took {} ms", took.as_millis()));
    }
    report
}
