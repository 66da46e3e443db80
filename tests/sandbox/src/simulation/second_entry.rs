//! Another entry of the same scope: staging beside production, or Citus' workers beside their coordinator.
//!
//! It is a world of its own, with its cluster, its account and its reconciler. All that both have in common is the
//! table where state is kept. The invariants of each world find what was done for the other one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use repoint_domain::report::Outcome;
use repoint_domain::values::cluster::EntryName;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::heal::{converge, heal, rest};
use super::invariants::{Invariant, Violation};
use super::reconciler::{once, run_forever, settings};
use super::run::{cluster, play};
use super::scenario::{Scenario, SecondEntry};
use super::world::World;
use crate::aws::Account;
use crate::transport::Link;

/// The system identifier of its cluster.
const SYSTEM: u64 = 7_000_000_000_000_000_005;
/// How often the table is checked for the first one's state.
const POLL: Duration = Duration::from_millis(500);

/// What goes on there.
pub(super) struct SecondWorld {
    link: Link,
    shares_name: bool,
    reconciler: JoinHandle<()>,
    events: JoinHandle<()>,
}

impl SecondWorld {
    /// Begins beside the world of `first`. Without a name of its own it begins once the first one has saved its state:
    /// the first one keeps it.
    pub fn start(scenario: &Scenario, second_entry: &SecondEntry, first: &Link) -> Option<Self> {
        let there = cluster("batman", 3, SYSTEM, scenario.members, scenario.settings.clone());
        let account = Account::new("210987654321", "eu-west-1");
        let mut world = World::within(account, there, scenario.shape, scenario.seed ^ 0xbeef).ok()?;
        world.table = first.world().table.clone();
        world.invariants.is_fenced = true;
        world.invariants.has_anothers_state = second_entry.shares_name;
        if !second_entry.shares_name {
            world.resources.spec.name = EntryName::new("staging");
        }
        let link = Link {
            world: Arc::new(Mutex::new(world)),
            reconciler: 0,
            identity: "second-".to_owned(),
            died: Arc::new(Notify::new()),
            ..first.clone()
        };
        let (watching, shares_name) = (link.clone(), second_entry.shares_name);
        let reconciler = tokio::spawn(async move {
            while shares_name && watching.world().table.is_empty() {
                sleep(POLL).await;
            }
            run_forever(watching, settings(true)).await;
        });
        let (there, events) = (link.clone(), second_entry.events.clone());
        let events = tokio::spawn(async move { play(&there, &events).await });
        Some(Self { link, shares_name, reconciler, events })
    }

    /// Afterwards its endpoints are right; or it was held all the while, for the state is that of other endpoints.
    pub async fn end(self, scenario: &Scenario) -> Option<Violation> {
        let Self { link, shares_name, reconciler, events } = self;
        reconciler.abort();
        events.abort();
        heal(&link);
        rest(&link).await;
        // A pass that was cut off in its commit is respected for a while.
        sleep(Duration::from_secs(20)).await;
        if shares_name {
            let report = once(&link, "second", &settings(true)).await;
            let now = link.now();
            let mut world = link.world();
            if report.outcome != Outcome::Held || !world.invariants.actions.is_empty() {
                let how = format!("the state of other endpoints was shared: {}", report.outcome.as_str());
                world.invariants.violated(now, Invariant::NeverGuess, how);
            }
        } else {
            converge(&link, scenario, &settings(true)).await;
        }
        link.world().invariants.violation.take()
    }
}
