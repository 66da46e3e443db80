//! What `repoint drill` asks: the cluster with its endpoints, its members again and again, and the state.

use std::time::Duration;

use tokio::time::Instant;

use super::{App, MemberWatch};
use crate::adapters::clock::SystemClock;
use crate::adapters::patroni::switchover::{BasicAuth, SwitchoverAnswer};
use crate::ports::Clock as _;
use crate::runtime::load_state::load_state;
use crate::runtime::observe::{Observation, observe};
use crate::runtime::save::update;
use repoint_domain::drill::gates::Switch;
use repoint_domain::history::HistoryEvent;
use repoint_domain::report::status::{ClusterStatus, status};
use repoint_domain::spec::Spec;
use repoint_domain::state::State;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::timestamp::Timestamp;
use repoint_domain::values::utc::Utc;

/// How long members are waited for that are asked again and again.
const MEMBERS_WITHIN: Duration = Duration::from_secs(2);

/// A cluster with its endpoints, as read once.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What was observed and decided.
    pub observation: Observation,
    /// The same for a reader.
    pub status: ClusterStatus,
    /// When.
    pub at: Timestamp,
}

impl App {
    /// This process, as the state names it.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The date.
    #[must_use]
    pub fn now(&self) -> Utc {
        Utc(SystemClock.now())
    }

    /// Reads the cluster and its endpoints.
    pub async fn survey(&self, spec: &Spec) -> Survey {
        let observation = observe(spec, &self.ports(), Instant::now() + self.settings.deadline).await;
        let at = SystemClock.now();
        let Observation { observed, state, verdict, plan } = &observation;
        let status = status(spec, observed, state, verdict, plan, at);
        Survey { observation, status, at }
    }

    /// Asks the members of a cluster; `state` has those that no configuration names.
    #[must_use]
    pub fn member_watch<'a>(&self, spec: &'a Spec, state: Option<&State>) -> MemberWatch<'a> {
        MemberWatch::new(spec, self.member_ports(), state, MEMBERS_WITHIN)
    }

    /// Asks Patroni for a switchover, once.
    pub async fn switchover(&self, switch: &Switch, auth: Option<&BasicAuth>) -> SwitchoverAnswer {
        self.patroni.switchover(switch, auth).await
    }

    /// Records in the state that this process makes a drill.
    ///
    /// # Errors
    /// If another process does, or the state cannot be written.
    pub async fn begin_drill(&self, spec: &Spec) -> Result<(), Failure> {
        let saved = self.update(spec, |state| state.with_drill(&self.identity, SystemClock.now())).await?;
        match saved.drill {
            Some(drill) if drill.by != self.identity => {
                let message = format!("{} is making a drill", drill.by);
                Err(Failure::new(Kind::Conflict, "recording the drill", spec.name.to_string(), message))
            }
            _ => Ok(()),
        }
    }

    /// Records that it has ended.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub async fn end_drill(&self, spec: &Spec) -> Result<(), Failure> {
        self.update(spec, |state| state.without_drill(&self.identity)).await.map(|_| ())
    }

    /// What has happened to a cluster since then.
    pub async fn events_since(&self, spec: &Spec, since: Utc) -> Vec<HistoryEvent> {
        let history = self.history(Some(since)).await;
        let its = history.clusters.into_iter().filter(|cluster| cluster.name == spec.name);
        its.flat_map(|cluster| cluster.events).map(|view| view.event).collect()
    }

    async fn update(
        &self,
        spec: &Spec,
        change: impl FnMut(&State) -> Option<State>,
    ) -> Result<State, Failure> {
        let (ports, deadline) = (self.ports(), Instant::now() + self.settings.deadline);
        let state = load_state(spec, &ports, deadline).await?;
        update(spec, state, &ports, deadline, change).await
    }
}
