//! Host names, by the system's resolver.

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

/// The number of names that are resolved at the same time. Each takes one of the runtime's 512 blocking threads.
const AT_ONCE: usize = 64;

/// The system's resolver with a timeout.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    /// The timeout of one name, from when its resolution begins.
    timeout: Duration,
    turns: Arc<Semaphore>,
}

impl SystemResolver {
    /// With this timeout for one name.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> Read<Vec<IpAddr>> {
        let failure = |message: String| Failure::new(Kind::Unavailable, "DNS", host, message);
        // The system's resolver accepts `010.0.0.1` and `127.1` as addresses, and platforms differ in how.
        if !is_name(host) {
            return Err(Failure { kind: Kind::Invalid, ..failure("not a host name".to_owned()) });
        }
        // The semaphore is never closed. A resolution that hangs keeps its permit, as it keeps its thread.
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
