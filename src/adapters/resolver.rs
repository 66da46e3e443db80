//! Host names by the system's resolver.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::failure::{Failure, Kind};
use crate::domain::host::is_name;
use crate::domain::text;
use crate::domain::world::Read;
use crate::ports::Resolver;

/// The system's resolver, with a bound of its own.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    /// The longest wait for one name.
    pub timeout: Duration,
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> Read<Vec<IpAddr>> {
        let failure = |message: String| Failure::new(Kind::Unavailable, "DNS", host, message);
        // The system's resolver takes `010.0.0.1` and `127.1` for addresses, each in its own way.
        if !is_name(host) {
            return Err(Failure { kind: Kind::Invalid, ..failure("it is no host name".to_owned()) });
        }
        let addresses = tokio::time::timeout(self.timeout, tokio::net::lookup_host((host, 0)))
            .await
            .map_err(|_| failure(format!("no answer within {} s", self.timeout.as_secs_f64())))?
            .map_err(|error| failure(text::message(&error.to_string())))?;
        let mut addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
        addresses.sort();
        addresses.dedup();
        Ok(addresses)
    }
}
