//! Connecting to AWS before the first pass.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::time::timeout;

use super::{App, StoreKind};
use crate::adapters::aws::connect;

impl App {
    /// Connects to every service that passes call, all at the same time, so that the first pass need not. Sessions of roles are
    /// begun, too. What does not answer by then is left alone; failures are ignored here.
    pub async fn connect(&self, within: Duration) {
        let state = match &self.state {
            StoreKind::File(_) => None,
            StoreKind::Table(client, table) => Some(connect::dynamodb(client, table.as_str()).boxed()),
        };
        let sns = self.sns.values().map(|client| connect::sns(client).boxed());
        let endpoints = self.clients.iter().flat_map(|(owner, clients)| {
            let (groups, discovery) =
                (self.roles.group_regions(owner), self.roles.discovery_regions(owner, self.aws.region()));
            let zones = self.roles.has_records(owner).then(|| clients.connect_to_zones().boxed());
            clients.connect_in(&groups, &discovery).into_iter().chain(zones)
        });
        let connections: Vec<BoxFuture<'_, ()>> = state.into_iter().chain(sns).chain(endpoints).collect();
        drop(timeout(within, join_all(connections)).await);
    }
}
