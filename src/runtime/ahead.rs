//! States that are loaded before there is a reason for a pass.
//!
//! Where a process is started for a pass, as the Lambda is for its first event, loading the state need not wait until the process
//! has connected to everything else. AWS freezes a function between its start and an event that comes later, so what was loaded
//! counts for a moment alone. The members are asked when there is a reason: it may be that one of them has just changed.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout};

use super::load_state::load_state;
use super::members::FRESH_FOR;
use crate::ports::Ports;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::cluster::EntryName;
use repoint_domain::values::timestamp::Timestamp;

/// The states of some entries.
#[derive(Debug, Default)]
pub struct Ahead {
    /// By the wall clock, which goes on while a machine is frozen.
    at: Timestamp,
    states: BTreeMap<EntryName, State>,
}

impl Ahead {
    /// Loads the states of these clusters. What takes so long that it would not count is not waited for; its connection may
    /// still be of use.
    pub async fn load(specs: &[Spec], ports: &impl Fn() -> Ports, limit: Duration) -> Self {
        let (at, deadline) = (ports().clock.now(), Instant::now() + limit);
        let loading = specs.iter().map(|spec| {
            let (spec, ports) = (spec.clone(), ports());
            let loading = tokio::spawn(async move {
                let state = load_state(&spec, &ports, deadline).await;
                // What cannot be loaded is loaded again, and then reported.
                Some((spec.name, state.ok()?))
            });
            timeout(FRESH_FOR, loading)
        });
        let loaded = join_all(loading).await.into_iter();
        Self { at, states: loaded.filter_map(|loaded| loaded.ok()?.ok()?).collect() }
    }

    /// The state of this entry, once; nothing if it was loaded too long ago.
    pub fn take(&mut self, entry: &EntryName, now: Timestamp) -> Option<State> {
        let age = now.0.checked_sub(self.at.0).map(Duration::from_millis);
        self.states.remove(entry).filter(|_| age.is_some_and(|age| age <= FRESH_FOR))
    }
}
