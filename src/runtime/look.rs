//! Seeing and deciding, until there is something to decide.
//!
//! Law: a trigger may come before a promotion is finished (Patroni fires `on_role_change` right after `pg_ctl promote`), so
//! a pass looks again until the new primary really is one. It must never act.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::info;

use super::observe::{members, observe, observe_site};
use crate::domain::budget::{Urgency, reads};
use crate::domain::intent::Intent;
use crate::domain::memory::Memory;
use crate::domain::plan::{Plan, plan};
use crate::domain::verdict::{HoldKind, Primary, Verdict, verdict};
use crate::domain::world::{Read, World};
use crate::ports::Ports;

/// The shortest and the longest wait before a promoting member is asked again, which costs AWS nothing. In between it is a
/// quarter of the time that has passed: a promotion without much to replay takes a fraction of a second, and a long one
/// is not made much longer.
const WAIT: RangeInclusive<Duration> = Duration::from_millis(25)..=Duration::from_millis(250);
/// What a pass keeps of its deadline for the writes.
const KEPT_FOR_WRITES: Duration = Duration::from_secs(5);

/// Until when a pass may look: what cannot be read by then is unknown, and the rest is still moved.
#[must_use]
pub fn reads_until(deadline: Instant) -> Instant {
    deadline - KEPT_FOR_WRITES.min(deadline.saturating_duration_since(Instant::now()) / 2)
}

/// What was seen and decided.
#[derive(Clone, Debug)]
pub struct Look {
    /// What was seen.
    pub world: World,
    /// What is remembered.
    pub memory: Read<Memory>,
    /// Who is the primary.
    pub verdict: Verdict,
    /// What to change.
    pub plan: Plan,
}

/// Sees and decides, once.
pub async fn look(intent: &Intent, ports: &Ports, deadline: Instant) -> Look {
    let until = reads_until(deadline);
    let (mut world, memory) = observe(intent, ports, until).await;
    let verdict = decide(intent, &world, &memory);
    if let Verdict::Primary(Primary { site: Some(site), .. }) = &verdict {
        world = observe_site(world, memory.as_ref().ok(), site, intent, ports, until).await;
    }
    let nothing = Memory::default();
    let known = memory.as_ref().unwrap_or(&nothing);
    let plan = plan(intent, &world, &verdict, known, ports.clock.now());
    Look { world, memory, verdict, plan }
}

/// Without memory, the verdict rests on what members say alone; whether it may then be acted on is another question.
fn decide(intent: &Intent, world: &World, memory: &Read<Memory>) -> Verdict {
    match memory {
        Ok(memory) => verdict(intent, world, memory),
        Err(_) => verdict(intent, world, &Memory::default()),
    }
}

/// Sees and decides. While a member is promoting, it looks again until the pass's deadline comes near.
pub async fn look_until_promoted(intent: &Intent, ports: &Ports, deadline: Instant) -> Look {
    loop {
        let look = look(intent, ports, deadline).await;
        let is_promoting = matches!(&look.verdict, Verdict::Hold(hold) if hold.kind() == HoldKind::Promoting);
        if is_promoting {
            // Others have something to ask of AWS meanwhile.
            ports.calls.step_aside();
        }
        if !is_promoting || !wait_for_promotion(intent, ports, &look.memory, deadline).await {
            return look;
        }
        // Whoever's turn does not come in time looks all the same, as far as AWS lets it.
        drop(timeout_at(deadline, ports.calls.admit(Urgency::Failover, &reads(intent))).await);
    }
}

/// Asks Patroni alone until nobody is promoting any more; `false` if that would take too long.
async fn wait_for_promotion(
    intent: &Intent,
    ports: &Ports,
    memory: &Read<Memory>,
    deadline: Instant,
) -> bool {
    let until = reads_until(deadline);
    let began = Instant::now();
    let mut is_told = false;
    loop {
        let next = Instant::now() + (began.elapsed() / 4).clamp(*WAIT.start(), *WAIT.end());
        if next >= until {
            return false;
        }
        sleep_until(next).await;
        let world = World { sites: members(intent, ports, until).await, ..World::default() };
        match decide(intent, &world, memory) {
            Verdict::Hold(hold) if hold.kind() != HoldKind::Promoting => return true,
            Verdict::Hold(hold) if !is_told => {
                let left = until.saturating_duration_since(Instant::now()).as_secs();
                info!(cluster.name = %intent.name, seconds_left = left, "{hold}; looking again");
                is_told = true;
            }
            Verdict::Hold(_) => {}
            Verdict::Primary(_) => return true,
        }
    }
}
