//! SRV records, which the system's resolver does not look up.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{ResolverBuilder, TokioResolver};

use repoint_domain::observed::Read;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::text;

/// The hosts and ports of a name, by the servers of `/etc/resolv.conf`, which is read each time: that is once a minute.
///
/// # Errors
/// If it has no such records, or no server answers.
pub async fn lookup(name: &str, timeout: Duration) -> Read<Vec<(String, u16)>> {
    match TokioResolver::builder_tokio() {
        Ok(builder) => by(builder, name, timeout).await,
        Err(error) => Err(failed(name, &error)),
    }
}

/// The same by that server alone.
///
/// # Errors
/// If it has no such records, or does not answer.
pub async fn lookup_at(server: SocketAddr, name: &str, timeout: Duration) -> Read<Vec<(String, u16)>> {
    let mut connection = ConnectionConfig::udp();
    connection.port = server.port();
    let server = NameServerConfig::new(server.ip(), true, vec![connection]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    by(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()), name, timeout).await
}

async fn by(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
    name: &str,
    timeout: Duration,
) -> Read<Vec<(String, u16)>> {
    let options = builder.options_mut();
    (options.timeout, options.cache_size) = (timeout, 0);
    let resolver = builder.build().map_err(|error| failed(name, &error))?;
    let answer = resolver.srv_lookup(name).await.map_err(|error| failed(name, &error))?;
    let services = answer.answers().iter().filter_map(|record| match &record.data {
        // A root target says that there is no such service (RFC 2782).
        RData::SRV(service) if !service.target.is_root() && service.port > 0 => {
            Some((service.target.to_ascii().trim_end_matches('.').to_owned(), service.port))
        }
        _ => None,
    });
    Ok(services.collect())
}

fn failed(name: &str, error: &impl ToString) -> Failure {
    Failure::new(Kind::Unavailable, "DNS", name, text::message(&error.to_string()))
}
