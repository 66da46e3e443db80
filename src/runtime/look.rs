//! Seeing and deciding.
//!
//! A trigger may come before a promotion is finished (Patroni fires `on_role_change` right after `pg_ctl promote`), so a
//! look goes on until the new primary really is one. The endpoints are read meanwhile, part by part, and each part is
//! planned as soon as it can be (invariant 15). A look never acts.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::info;

use super::endpoints::{Hosts, Lookups, read};
use super::members::{FRESH_FOR, Members};
use super::observe::recall;
use crate::ports::Ports;
use repoint_domain::decide::sight::Sight;
use repoint_domain::decide::verdict::{HoldKind, Primary, Verdict, verdict};
use repoint_domain::observed::{Read, World};
use repoint_domain::plan::{Plan, plan};
use repoint_domain::rates::{Urgency, reads};
use repoint_domain::spec::Intent;
use repoint_domain::spec::part::{Part, PartKey, parts};
use repoint_domain::state::{Memory, Timestamp};

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

/// A look under way: who leads is decided, and the endpoints come to be known.
pub struct Looking {
    /// What is remembered.
    pub memory: Read<Memory>,
    /// Who is the primary.
    pub verdict: Verdict,
    /// What members say.
    pub sight: Sight,
    members: World,
    now: Timestamp,
    reading: JoinSet<(Part, World)>,
    seen: BTreeMap<PartKey, (World, Plan)>,
}

/// A part that was read and planned.
pub struct PartLook {
    /// Which one.
    pub part: Part,
    /// What bears on it.
    pub world: World,
    /// What to change of it.
    pub plan: Plan,
}

/// Sees who leads, and begins to read the endpoints. What members have said within [`FRESH_FOR`] is not asked again.
pub async fn begin(intent: &Intent, ports: &Ports, deadline: Instant, members: &mut Members) -> Looking {
    let until = reads_until(deadline);
    begin_until(intent, ports, until, until, members).await
}

/// The same; nothing is read after `until`, and members are not waited for after `members_until`.
async fn begin_until(
    intent: &Intent,
    ports: &Ports,
    until: Instant,
    members_until: Instant,
    members: &mut Members,
) -> Looking {
    members.ask(intent, ports, FRESH_FOR, members_until);
    // Endpoints are read after memory: what another process has done and told of is then no change from outside.
    let memory = recall(intent, ports, until).await;
    if let Some(memory) = memory.as_ref().ok().filter(|memory| !memory.is_of_others(intent)) {
        members.remember(intent, memory);
        members.ask(intent, ports, FRESH_FOR, members_until);
    }
    let (hosts, known) = oneshot::channel();
    let known = known.shared();
    let lookups = Lookups::default();
    let mut reading = JoinSet::new();
    let mut start = |intent: &Intent| {
        for part in parts(intent) {
            let (ports, known, lookups) = (ports.clone(), known.clone(), lookups.clone());
            reading.spawn(async move {
                let world = read(&part, &ports, until, known, &lookups).await;
                (part, world)
            });
        }
    };
    start(&intent.with_groups(|group| group.site.is_none()));
    members.settle(intent, ports, members_until).await;
    let sites = members.sites(intent);
    let world = World { sites: sites.clone(), ..World::default() };
    let verdict = decide(intent, &world, &memory);
    // The groups of the other sites are left alone: a Region whose API is away, as it well may be when its site is lost,
    // holds up no other.
    if let Verdict::Primary(Primary { site: Some(site), .. }) = &verdict {
        let its = intent.with_groups(|group| group.site.as_ref() == Some(site));
        start(&Intent { records: Vec::new(), ..its });
    }
    // Where nothing is read, nothing waits for them.
    drop(hosts.send(Hosts::of(&sites, memory.as_ref().ok(), &verdict)));
    Looking {
        memory,
        verdict,
        sight: Sight::of(intent, sites),
        members: world,
        now: ports.clock.now(),
        reading,
        seen: BTreeMap::new(),
    }
}

impl Looking {
    /// The next part that has been read, planned; `None` when there is none left. It may be given up at any time.
    pub async fn next(&mut self) -> Option<PartLook> {
        let (part, read) = match self.reading.join_next().await? {
            Ok(read) => read,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return None,
            },
        };
        let world = World { sites: self.members.sites.clone(), ..read.clone() };
        let nothing = Memory::default();
        let known = self.memory.as_ref().unwrap_or(&nothing);
        let plan = plan(&part.intent, &world, &self.verdict, known, self.now);
        self.seen.insert(part.key.clone(), (read, plan.clone()));
        Some(PartLook { part, world, plan })
    }

    /// What has been seen and planned so far, in the order of the parts.
    #[must_use]
    pub fn look(&self) -> Look {
        let mut world = self.members.clone();
        let mut plan = Plan { needs_no_primary: !self.seen.is_empty(), ..Plan::default() };
        for (seen, planned) in self.seen.values() {
            world.add(seen.clone());
            plan.add(planned.clone());
        }
        Look { world, memory: self.memory.clone(), verdict: self.verdict.clone(), plan }
    }
}

/// Sees and decides, once, and waits for every endpoint.
pub async fn look(intent: &Intent, ports: &Ports, deadline: Instant) -> Look {
    let mut looking = begin(intent, ports, deadline, &mut Members::default()).await;
    while looking.next().await.is_some() {}
    looking.look()
}

/// Looks only in order to connect to whatever a look asks. A member that does not answer by `members_until` is not waited
/// for, and the endpoints are read meanwhile.
pub async fn connect(intent: &Intent, ports: &Ports, members_until: Instant, until: Instant) {
    let mut looking = begin_until(intent, ports, until, members_until, &mut Members::default()).await;
    while looking.next().await.is_some() {}
}

/// Without memory, the verdict rests on what members say alone; whether it may then be acted on is another question.
fn decide(intent: &Intent, world: &World, memory: &Read<Memory>) -> Verdict {
    match memory {
        Ok(memory) => verdict(intent, world, memory),
        Err(_) => verdict(intent, world, &Memory::default()),
    }
}

fn is_promoting(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Hold(hold) if hold.kind() == HoldKind::Promoting)
}

/// Begins to look. While a member is promoting, it looks again until the pass's deadline comes near.
pub async fn begin_when_promoted(
    intent: &Intent,
    ports: &Ports,
    deadline: Instant,
    members: &mut Members,
) -> Looking {
    loop {
        let looking = begin(intent, ports, deadline, members).await;
        if !is_promoting(&looking.verdict) {
            return looking;
        }
        // Others have something to ask of AWS meanwhile.
        ports.calls.step_aside();
        if !wait_for_promotion(intent, ports, &looking.memory, deadline, members).await {
            return looking;
        }
        // Whoever's turn does not come in time looks all the same, as far as AWS lets it.
        drop(timeout_at(deadline, ports.calls.admit(Urgency::Failover, &reads(intent))).await);
    }
}

/// Asks Patroni alone until no member is promoting any more; `false` if that would take too long.
async fn wait_for_promotion(
    intent: &Intent,
    ports: &Ports,
    memory: &Read<Memory>,
    deadline: Instant,
    members: &mut Members,
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
        members.ask(intent, ports, Duration::ZERO, until);
        members.settle(intent, ports, until).await;
        // A question that the deadline cut off does not show that its member is unreachable.
        if Instant::now() >= until {
            return false;
        }
        let world = World { sites: members.sites(intent), ..World::default() };
        match decide(intent, &world, memory) {
            Verdict::Hold(hold) if hold.kind() == HoldKind::Promoting => {
                if !std::mem::replace(&mut is_told, true) {
                    let left = until.saturating_duration_since(Instant::now()).as_secs();
                    info!(cluster.name = %intent.name, seconds_left = left, "{hold}; looking again");
                }
            }
            Verdict::Hold(_) | Verdict::Primary(_) => return true,
        }
    }
}
