//! One run: the events in their time, the invariants after every step; then the faults end, and every endpoint must be right.

use std::fmt;
use std::ops::Add;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::apply::apply;
use super::event::Event;
use super::heal::{accept, check_no_pass_hangs, converge, heal, rest, tidy};
use super::invariants::{Invariant, Violation};
use super::reconciler::{run_forever, settings};
use super::scenario::{Found, HEALED_AT, Scenario, SecondSite};
use super::second_entry::SecondWorld;
use super::world::World;
use crate::Millis;
use crate::aws::error::AwsError;
use crate::patroni::{Cluster, Settings, Spec};
use crate::transport::{FaultRates, Link, Shared};

/// The system identifier of both sites' clusters.
const SYSTEM: u64 = 7_000_000_000_000_000_000;

/// How a run ended.
#[derive(Debug)]
pub enum Ending {
    /// Every invariant held, and after the faults the endpoints equalled the truth.
    Passed(Figures),
    /// A violation.
    Failed(Violation),
}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Runs.
    pub runs: usize,
    /// Passes by all reconcilers.
    pub passes: usize,
    /// Changes of endpoints.
    pub actions: u64,
    /// Messages that were published.
    pub messages: usize,
}

impl Add for Figures {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            passes: self.passes + other.passes,
            actions: self.actions + other.actions,
            messages: self.messages + other.messages,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, passes, actions, messages } = self;
        write!(f, "{runs} runs passed: {passes} passes, {actions} changes of endpoints, {messages} messages")
    }
}

/// A run and its event log.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub ending: Ending,
    /// What happened, if it was written down.
    pub event_log: Vec<(Millis, String)>,
    /// The subjects of the messages that reached the topic, in their order.
    pub messages: Vec<(Millis, String)>,
}

/// Runs a scenario, in simulated time.
#[must_use]
pub fn run(scenario: &Scenario, keeps_log: bool) -> Run {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let failed = |how: String| Run {
        ending: Ending::Failed(Violation { at: 0, invariant: Invariant::Converges, how }),
        event_log: Vec::new(),
        messages: Vec::new(),
    };
    match runtime {
        Ok(runtime) => match world(scenario, keeps_log) {
            Ok(world) => runtime.block_on(simulate(scenario, world)),
            Err(error) => failed(format!("the world cannot be made: {error}")),
        },
        Err(error) => failed(format!("no runtime: {error}")),
    }
}

/// A cluster whose members are in the network of that number.
pub(super) fn cluster(scope: &str, net: u8, system: u64, members: usize, settings: Settings) -> Cluster {
    let members = (0..members).map(|number| {
        let phase = Millis::try_from(number).unwrap_or_default() * 450;
        Spec::new(&format!("pg{}", number + 1), &format!("172.31.{net}.{}", 11 + number), phase)
    });
    Cluster::new(scope, system, 3, settings, members.collect(), 0)
}

fn world(scenario: &Scenario, keeps_log: bool) -> Result<World, AwsError> {
    let mut home = cluster("batman", 1, SYSTEM, scenario.members, scenario.settings.clone());
    if scenario.found == Found::BehindNat {
        home.translate();
    }
    let mut world = World::new(home, scenario.shape, scenario.seed ^ 0x5eed)?;
    if let Some(SecondSite { members, has_aliases }) = scenario.second_site {
        let settings = Settings { standby_cluster: true, ..scenario.settings.clone() };
        world.span(cluster("robin", 2, SYSTEM, members, settings), scenario.shape, has_aliases)?;
    }
    if scenario.found == Found::ByTag {
        world.discover();
    }
    if let Some(first) = scenario.far_from {
        world.stretch(first, scenario.shape.is_filled)?;
    }
    world.fault_rates = vec![FaultRates::NONE; scenario.reconcilers];
    world.under_way = vec![None; scenario.reconcilers];
    world.reports = vec![Vec::new(); scenario.reconcilers];
    world.event_log = keeps_log.then(Vec::new);
    world.invariants.is_fenced = scenario.needs_state;
    world.invariants.is_plain = scenario.is_plain;
    world.invariants.may_repeat = scenario.events.iter().any(|(_, event)| {
        matches!(
            event,
            Event::StateDown(true) | Event::StateReadOnly(true) | Event::HangZones(true) | Event::ClockAhead(..) | Event::RegionDown(..) | Event::Part { .. } | Event::FarDown(true)
        )
            || matches!(event, Event::FaultRates(_, fault_rates)
                if fault_rates.crash + fault_rates.lost_answer + fault_rates.lost_request + fault_rates.stopped + fault_rates.slow > 0)
    });
    Ok(world)
}

async fn simulate(scenario: &Scenario, world: World) -> Run {
    let shared: Shared = Arc::new(Mutex::new(world));
    let began = Instant::now();
    let link = |reconciler| Link {
        world: shared.clone(),
        began,
        reconciler,
        identity: String::new(),
        died: Arc::new(Notify::new()),
    };
    let settings = settings(scenario.needs_state);
    let reconcilers: Vec<JoinHandle<()>> =
        (0..scenario.reconcilers).map(|number| tokio::spawn(run_forever(link(number), settings))).collect();
    let second = scenario
        .second_entry
        .as_ref()
        .and_then(|second_entry| SecondWorld::start(scenario, second_entry, &link(0)));
    play(&link(0), &scenario.events).await;
    sleep_until(began + Duration::from_millis(HEALED_AT)).await;
    let operator = link(0);
    heal(&operator);
    rest(&operator).await;
    accept(&operator, &settings).await;
    let healthy = link(0);
    // A pass that was under way may take its time: the lease of an ended process is waited for.
    sleep(Duration::from_secs(10)).await;
    for reconciler in &reconcilers {
        reconciler.abort();
    }
    check_no_pass_hangs(&healthy, &settings);
    sleep(Duration::from_secs(7)).await;
    // A late pass may have acted on what it observed before.
    accept(&operator, &settings).await;
    converge(&healthy, scenario, &settings).await;
    let theirs = match second {
        Some(second) => second.end(scenario).await,
        None => None,
    };
    if lock(&shared).invariants.violation.is_none() {
        tidy(&healthy, &settings).await;
    }
    let mut world = lock(&shared);
    world.invariants.violation = world.invariants.violation.take().or(theirs);
    let event_log = world.event_log.take().unwrap_or_default();
    let messages: Vec<(Millis, String)> = world
        .account
        .published(&world.resources.topic)
        .iter()
        .map(|published| (published.at, published.message.subject.clone().unwrap_or_default()))
        .collect();
    let figures = Figures {
        runs: 1,
        passes: world.reports.iter().map(Vec::len).sum(),
        actions: world.invariants.actions.values().sum(),
        messages: messages.len(),
    };
    let ending = world.invariants.violation.take().map_or(Ending::Passed(figures), Ending::Failed);
    Run { ending, event_log, messages }
}

/// Lets the events happen, each in its time.
pub(super) async fn play(link: &Link, events: &[(Millis, Event)]) {
    for (at, event) in events.iter().copied().filter(|(at, _)| *at < HEALED_AT) {
        sleep_until(link.began + Duration::from_millis(at)).await;
        let mut world = lock(&link.world);
        world.advance(at);
        world.note(at, || format!("* {event}"));
        apply(&mut world, at, event);
        if world.invariants.violation.is_some() {
            return;
        }
    }
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, World> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
