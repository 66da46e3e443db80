//! Where clients connect to, and how: the connection string, made whole.

use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::dsn::{DsnError, Parameters};
use super::pgpass::{Login, password};
use super::tls::Tls;
use crate::config::Environment;

const PORT: &str = "5432";

/// An endpoint with everything that a connection takes.
#[derive(Clone)]
pub struct Endpoint {
    /// Hosts and ports: no user, no password.
    pub label: String,
    pub(super) config: Config,
    pub(super) tls: Option<MakeRustlsConnect>,
}

impl Endpoint {
    /// Reads a connection string; without one everything comes from the environment.
    ///
    /// # Errors
    /// If something is missing or not supported.
    pub fn read(dsn: Option<&str>, environment: &Environment) -> Result<Self, DsnError> {
        let parameters = Parameters::read(dsn, environment)?;
        let home = environment.get(&["HOME"]).map(|(_, home)| PathBuf::from(home));
        Self::of(&parameters, home.as_deref())
    }

    fn of(parameters: &Parameters, home: Option<&Path>) -> Result<Self, DsnError> {
        let needed = |name: &'static str, hint: &str| {
            parameters.get(name).ok_or_else(|| DsnError::Value(name, format!("it is missing: {hint}")))
        };
        let hostaddr = parameters.get("hostaddr");
        let hosts = match parameters.get("host").or(hostaddr) {
            Some(hosts) => hosts,
            None => needed("host", "give the endpoint's host name in --dsn, or in PGHOST")?,
        };
        let user = needed("user", "give it in --dsn, or in PGUSER")?;
        let database = parameters.get("dbname").unwrap_or(user);
        let ports = parameters.get("port").unwrap_or(PORT);
        let tls = Tls::of(parameters, home)?;
        let mut config = Config::new();
        config.user(user).dbname(database).ssl_mode(tls.mode);
        config.application_name(parameters.get("application_name").unwrap_or("repoint drill"));
        let (hosts, ports): (Vec<&str>, Vec<&str>) = (hosts.split(',').collect(), ports.split(',').collect());
        if ports.len() != 1 && ports.len() != hosts.len() {
            let message = format!("{} ports for {} hosts", ports.len(), hosts.len());
            return Err(DsnError::Value("port", message));
        }
        let mut label = Vec::new();
        for (at, host) in hosts.iter().enumerate() {
            if host.is_empty() || host.starts_with(['/', '@']) {
                let message = "a Unix socket is no endpoint: give a host name or an address";
                return Err(DsnError::Value("host", message.to_owned()));
            }
            let port =
                ports.get(at).or(ports.first()).copied().filter(|port| !port.is_empty()).unwrap_or(PORT);
            let number = port.parse::<u16>().ok().filter(|port| *port > 0);
            let number = number.ok_or_else(|| DsnError::Value("port", format!("`{port}` is not a port")))?;
            config.host(*host).port(number);
            label.push(format!("{host}:{number}"));
        }
        for address in hostaddr.into_iter().flat_map(|addresses| addresses.split(',')) {
            let message = || DsnError::Value("hostaddr", format!("`{address}` is not an IP address"));
            config.hostaddr(address.parse().map_err(|_| message())?);
        }
        if let Some(options) = parameters.get("options") {
            config.options(options);
        }
        if let Some(wanted) = parameters.get("target_session_attrs") {
            config.target_session_attrs(session_attributes(wanted)?);
        }
        let login = Login {
            host: hosts[0],
            port: ports.first().copied().filter(|port| !port.is_empty()).unwrap_or(PORT),
            database,
            user,
        };
        let file =
            parameters.get("passfile").map(PathBuf::from).or_else(|| home.map(|home| home.join(".pgpass")));
        let stored = || file.as_deref().and_then(|file| password(file, login));
        if let Some(password) = parameters.get("password").map(str::to_owned).or_else(stored) {
            config.password(password);
        }
        let tls = tls.config.map(MakeRustlsConnect::new);
        Ok(Self { label: label.join(","), config, tls })
    }
}

fn session_attributes(wanted: &str) -> Result<TargetSessionAttrs, DsnError> {
    match wanted {
        "any" => Ok(TargetSessionAttrs::Any),
        "read-write" => Ok(TargetSessionAttrs::ReadWrite),
        "read-only" => Ok(TargetSessionAttrs::ReadOnly),
        other => {
            let message = format!("`{other}` is not supported; use any, read-write or read-only");
            Err(DsnError::Value("target_session_attrs", message))
        }
    }
}
