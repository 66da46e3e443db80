//! One pass over one cluster.
//!
//! Laws: idempotent (8), so a pass that finds everything right writes nothing and tells nobody; explained (11), so it
//! always ends with a report.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::apply::{Span, apply};
use super::observe::{members, observe};
use crate::domain::alert::alert;
use crate::domain::intent::Intent;
use crate::domain::memory::Memory;
use crate::domain::plan::{Plan, plan};
use crate::domain::report::{self, ClusterReport, VerdictReport};
use crate::domain::verdict::{Hold, Verdict, verdict};
use crate::domain::world::World;
use crate::ports::Ports;

/// The first wait before a promoting member is asked again; a promotion without much to replay takes a fraction of a
/// second, and the question costs AWS nothing.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait between two looks at a promotion.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// What a pass keeps of its deadline for the writes, when it waits for a promotion.
const KEPT_FOR_WRITES: Duration = Duration::from_secs(5);

/// What was seen and decided.
#[derive(Clone, Debug)]
pub struct Look {
    /// What was seen.
    pub world: World,
    /// Who is the primary.
    pub verdict: Verdict,
    /// What to change.
    pub plan: Plan,
}

/// Whether a pass may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It changes what differs, and tells people.
    Apply,
    /// It says what it would change.
    DryRun,
}

/// Sees and decides. While a member is promoting, it looks again until the pass's deadline comes near.
pub async fn look(intent: &Intent, ports: &Ports, memory: &Memory, deadline: Instant) -> Look {
    loop {
        let world = observe(intent, ports, deadline).await;
        let decided = verdict(intent, &world, memory);
        if !is_promoting(&decided) || !wait_for_promotion(intent, ports, memory, deadline).await {
            let plan = plan(intent, &world, &decided);
            return Look { world, verdict: decided, plan };
        }
    }
}

fn is_promoting(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Hold(Hold::Promoting { .. }))
}

/// Asks Patroni alone until nobody is promoting any more; `false` if that would take too long.
async fn wait_for_promotion(intent: &Intent, ports: &Ports, memory: &Memory, deadline: Instant) -> bool {
    let until = deadline - KEPT_FOR_WRITES.min(deadline.saturating_duration_since(Instant::now()));
    let mut wait = FIRST_WAIT;
    let mut is_told = false;
    loop {
        let next = Instant::now() + wait;
        if next >= until {
            return false;
        }
        sleep_until(next).await;
        let world = World { members: members(intent, ports, until).await, ..World::default() };
        match verdict(intent, &world, memory) {
            Verdict::Hold(hold @ Hold::Promoting { .. }) if !is_told => {
                let left = until.saturating_duration_since(Instant::now()).as_secs();
                info!(cluster.name = %intent.scope, seconds_left = left, "{hold}; looking again");
                is_told = true;
            }
            Verdict::Hold(Hold::Promoting { .. }) => {}
            _ => return true,
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// The whole pass: look, apply, tell.
pub async fn pass(
    intent: &Intent,
    ports: &Ports,
    memory: &Memory,
    mode: Mode,
    limit: Duration,
) -> ClusterReport {
    let began = Instant::now();
    let span = Span { began, deadline: began + limit };
    let look = look(intent, ports, memory, span.deadline).await;
    let steps = match mode {
        Mode::DryRun => report::planned_steps(&look.plan),
        Mode::Apply => apply(&look.plan, ports, span).await,
    };
    let holds = report::holds(&look.verdict, &look.plan);
    let previous_primary = match &look.verdict {
        Verdict::Primary(primary) => report::previous_primary(&look.plan, &look.world, primary),
        Verdict::Hold(_) => None,
    };
    let mut report = ClusterReport {
        scope: intent.scope.clone(),
        outcome: report::outcome(mode == Mode::DryRun, &steps, &holds),
        verdict: VerdictReport::from(&look.verdict),
        previous_primary,
        steps,
        holds,
        warnings: report::warnings(&look.verdict),
        duration_ms: span.elapsed_ms(),
        api_calls: ports.calls.counts(),
    };
    if mode == Mode::Apply {
        tell(&mut report, ports).await;
    }
    report
}

/// Publishes the alert, if the pass is worth one. A failing topic is reported, and changes nothing else.
async fn tell(report: &mut ClusterReport, ports: &Ports) {
    let (Some(topic), Some(alert)) = (&ports.topic, alert(report)) else { return };
    if let Err(failure) = topic.publish(&alert).await {
        let hint = failure.hint().map_or(String::new(), |hint| format!(" ({hint})"));
        report.warnings.push(format!("the alert was not published: {failure}{hint}"));
    }
    report.api_calls = ports.calls.counts();
}
