//! One pass over one cluster.
//!
//! Laws: idempotent (8), so a pass that finds everything right writes nothing and tells nobody; explained (11), so it
//! always ends with a report.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tracing::info;

use super::apply::{Span, apply};
use super::observe::{members, observe, too_late};
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
/// The longest that an alert may take. It comes after the deadline, since a pass that ran out of time is just what people
/// should be told of.
const TELL_WITHIN: Duration = Duration::from_secs(10);
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

/// Sees and decides, once.
pub async fn look(intent: &Intent, ports: &Ports, memory: &Memory, deadline: Instant) -> Look {
    let world = observe(intent, ports, deadline).await;
    let verdict = verdict(intent, &world, memory);
    let plan = plan(intent, &world, &verdict);
    Look { world, verdict, plan }
}

/// Sees and decides. While a member is promoting, it looks again until the pass's deadline comes near.
async fn look_until_promoted(intent: &Intent, ports: &Ports, memory: &Memory, deadline: Instant) -> Look {
    loop {
        let look = look(intent, ports, memory, deadline).await;
        let is_promoting = matches!(look.verdict, Verdict::Hold(Hold::Promoting { .. }));
        if !is_promoting || !wait_for_promotion(intent, ports, memory, deadline).await {
            return look;
        }
    }
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
    let look = look_until_promoted(intent, ports, memory, span.deadline).await;
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
    let told = timeout(TELL_WITHIN, topic.publish(&alert)).await;
    if let Err(failure) = told.unwrap_or_else(|_| Err(too_late("sns:Publish", &"the topic"))) {
        let hint = failure.hint().map_or(String::new(), |hint| format!(" ({hint})"));
        report.warnings.push(format!("the alert was not published: {failure}{hint}"));
    }
    report.api_calls = ports.calls.counts();
}
