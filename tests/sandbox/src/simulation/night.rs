//! Spends a night: the events in their time, the laws after every step, and in the morning everything must end well.

use std::fmt;
use std::ops::Add;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::event::Event;
use super::happen::happen;
use super::laws::{Broken, Law};
use super::morning::{accept, converge, dawn, nobody_hangs, rest, tidy};
use super::reconciler::{live, settings};
use super::scenario::{Beside, MORNING, Scenario};
use super::second_entry::SecondWorld;
use super::world::World;
use crate::Millis;
use crate::aws::error::AwsError;
use crate::door::{Line, Shared, Weather};
use crate::patroni::{Cluster, Settings, Spec};

/// The system identifier of both sites' clusters.
const SYSTEM: u64 = 7_000_000_000_000_000_000;

/// How a night ended.
#[derive(Debug)]
pub enum Ending {
    /// All laws held, and in the morning the endpoints equalled the truth.
    Well(Figures),
    /// Not so.
    Badly(Broken),
}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Nights.
    pub nights: usize,
    /// Passes by all reconcilers.
    pub passes: usize,
    /// Changes of endpoints.
    pub deeds: u64,
    /// Messages to people.
    pub messages: usize,
}

impl Add for Figures {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            nights: self.nights + other.nights,
            passes: self.passes + other.passes,
            deeds: self.deeds + other.deeds,
            messages: self.messages + other.messages,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nights, passes, deeds, messages } = self;
        write!(
            f,
            "{nights} nights ended well: {passes} passes, {deeds} changes of endpoints, {messages} messages"
        )
    }
}

/// A night and its journal.
#[derive(Debug)]
pub struct Night {
    /// How it ended.
    pub ending: Ending,
    /// What happened, if it was written down.
    pub journal: Vec<(Millis, String)>,
    /// The subjects of the messages that reached the topic, in their order.
    pub messages: Vec<(Millis, String)>,
}

/// Spends a night, in simulated time.
#[must_use]
pub fn spend(scenario: &Scenario, keeps_journal: bool) -> Night {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let failed = |how: String| Night {
        ending: Ending::Badly(Broken { at: 0, law: Law::Converges, how }),
        journal: Vec::new(),
        messages: Vec::new(),
    };
    match runtime {
        Ok(runtime) => match world(scenario, keeps_journal) {
            Ok(world) => runtime.block_on(run(scenario, world)),
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

fn world(scenario: &Scenario, keeps_journal: bool) -> Result<World, AwsError> {
    let mut home = cluster("batman", 1, SYSTEM, scenario.members, scenario.settings.clone());
    if scenario.is_behind_nat {
        home.translate();
    }
    let mut world = World::new(home, scenario.shape, scenario.seed ^ 0x5eed)?;
    if let Some(Beside { members, has_aliases }) = scenario.beside {
        let settings = Settings { standby_cluster: true, ..scenario.settings.clone() };
        world.span(cluster("robin", 2, SYSTEM, members, settings), scenario.shape, has_aliases)?;
    }
    world.weather = vec![Weather::FAIR; scenario.reconcilers];
    world.under_way = vec![None; scenario.reconcilers];
    world.reports = vec![Vec::new(); scenario.reconcilers];
    world.journal = keeps_journal.then(Vec::new);
    world.laws.is_fenced = scenario.needs_state;
    world.laws.is_plain = scenario.is_plain;
    world.laws.may_repeat = scenario.events.iter().any(|(_, event)| {
        matches!(
            event,
            Event::MemoryDown(true) | Event::MemoryReadOnly(true) | Event::HangZones(true) | Event::ClockAhead(..) | Event::DarkRegion(..)
        )
            || matches!(event, Event::Weather(_, weather)
                if weather.crash + weather.lost_answer + weather.lost_request + weather.stopped + weather.slow > 0)
    });
    Ok(world)
}

async fn run(scenario: &Scenario, world: World) -> Night {
    let shared: Shared = Arc::new(Mutex::new(world));
    let began = Instant::now();
    let line = |reconciler| Line {
        world: shared.clone(),
        began,
        reconciler,
        identity: String::new(),
        died: Arc::new(Notify::new()),
    };
    let settings = settings(scenario.needs_state);
    let reconcilers: Vec<JoinHandle<()>> =
        (0..scenario.reconcilers).map(|number| tokio::spawn(live(line(number), settings))).collect();
    let second = scenario
        .second_entry
        .as_ref()
        .and_then(|second_entry| SecondWorld::start(scenario, second_entry, &line(0)));
    play(&line(0), &scenario.events).await;
    sleep_until(began + Duration::from_millis(MORNING)).await;
    let operator = line(0);
    dawn(&operator);
    rest(&operator).await;
    accept(&operator, &settings).await;
    let healthy = line(0);
    // What was under way when the night ended may take its time: a commit of the dead is respected for a while.
    sleep(Duration::from_secs(10)).await;
    for reconciler in &reconcilers {
        reconciler.abort();
    }
    nobody_hangs(&healthy, &settings);
    sleep(Duration::from_secs(7)).await;
    // A late pass may have acted on what it saw in the night.
    accept(&operator, &settings).await;
    converge(&healthy, scenario, &settings).await;
    let theirs = match second {
        Some(second) => second.end(scenario).await,
        None => None,
    };
    if lock(&shared).laws.broken.is_none() {
        tidy(&healthy, &settings).await;
    }
    let mut world = lock(&shared);
    world.laws.broken = world.laws.broken.take().or(theirs);
    let journal = world.journal.take().unwrap_or_default();
    let messages: Vec<(Millis, String)> = world
        .account
        .published(&world.resources.topic)
        .iter()
        .map(|published| (published.at, published.message.subject.clone().unwrap_or_default()))
        .collect();
    let figures = Figures {
        nights: 1,
        passes: world.reports.iter().map(Vec::len).sum(),
        deeds: world.laws.deeds.values().sum(),
        messages: messages.len(),
    };
    let ending = world.laws.broken.take().map_or(Ending::Well(figures), Ending::Badly);
    Night { ending, journal, messages }
}

/// Lets the events happen, each in its time.
pub(super) async fn play(line: &Line, events: &[(Millis, Event)]) {
    for (at, event) in events.iter().copied().filter(|(at, _)| *at < MORNING) {
        sleep_until(line.began + Duration::from_millis(at)).await;
        let mut world = lock(&line.world);
        world.advance(at);
        world.note(at, || format!("* {event}"));
        happen(&mut world, at, event);
        if world.laws.broken.is_some() {
            return;
        }
    }
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, World> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
