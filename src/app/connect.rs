//! What a process that is started for a pass does before it: it connects to AWS and loads the state.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use tokio::time::timeout;

use super::{App, StoreKind};
use crate::adapters::aws::connect;
use crate::adapters::clock::SystemClock;
use crate::ports::Clock;
use crate::runtime::ahead::Ahead;
use crate::runtime::fleet::FEW;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;

impl App {
    /// Connects to every service that passes call, all at the same time, so that the first pass need not. Sessions of roles are
    /// begun, too. The states of a few clusters are loaded: the next passes begin with those, if they begin at once. What does
    /// not answer by then is left alone; failures are ignored here.
    pub async fn prepare(&self, within: Duration) {
        let sns = self.sns.values().map(|client| connect::sns(client).boxed());
        let endpoints = self.clients.iter().flat_map(|(owner, clients)| {
            let (groups, discovery) =
                (self.roles.group_regions(owner), self.roles.discovery_regions(owner, self.aws.region()));
            let zones = self.roles.has_records(owner).then(|| clients.connect_to_zones().boxed());
            clients.connect_in(&groups, &discovery).into_iter().chain(zones)
        });
        let state = [self.load_ahead().boxed()];
        let connections: Vec<BoxFuture<'_, ()>> = state.into_iter().chain(sns).chain(endpoints).collect();
        drop(timeout(within, join_all(connections)).await);
    }

    /// Loading a state connects to where it is.
    async fn load_ahead(&self) {
        let clusters = &self.settings.clusters;
        if clusters.len() <= FEW {
            let ahead = Ahead::load(clusters, &|| self.ports(), self.settings.deadline).await;
            *self.ahead() = ahead;
        } else if let StoreKind::Table(client, table) = &self.state {
            connect::dynamodb(client, table.as_str()).await;
        }
    }

    /// The state for a pass over this cluster that begins now.
    pub(super) fn loaded_ahead(&self, spec: &Spec) -> Option<State> {
        self.ahead().take(&spec.name, SystemClock.now())
    }

    /// Values are only replaced, so a panic leaves no partial change.
    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
