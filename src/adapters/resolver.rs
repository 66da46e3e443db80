//! Host names by the system's resolver.

use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::ports::Resolver;
use repoint_domain::observed::Read;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::host::is_name;
use repoint_domain::values::text;

/// So many names are looked up at the same time. Each takes a thread of those that the runtime has for what blocks, 512.
const AT_ONCE: usize = 64;

/// The system's resolver, with a bound of its own.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    /// The longest wait for one name, from when it is looked up.
    timeout: Duration,
    turns: Arc<Semaphore>,
}

impl SystemResolver {
    /// With the longest wait for one name.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> Read<Vec<IpAddr>> {
        let failure = |message: String| Failure::new(Kind::Unavailable, "DNS", host, message);
        // The system's resolver takes `010.0.0.1` and `127.1` for addresses, each in its own way.
        if !is_name(host) {
            return Err(Failure { kind: Kind::Invalid, ..failure("it is no host name".to_owned()) });
        }
        // Nobody closes them. A look-up that hangs keeps its turn, as it keeps its thread.
        let turn = self.turns.clone().acquire_owned().await;
        let name = host.to_owned();
        let observing = tokio::task::spawn_blocking(move || {
            let addresses = (name.as_str(), 0).to_socket_addrs();
            drop(turn);
            addresses
        });
        let addresses = timeout(self.timeout, observing)
            .await
            .map_err(|_| failure(format!("no answer within {} s", self.timeout.as_secs_f64())))?
            .map_err(|error| failure(text::message(&error.to_string())))?
            .map_err(|error| failure(text::message(&error.to_string())))?;
        let mut addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
        addresses.sort();
        addresses.dedup();
        Ok(addresses)
    }
}
