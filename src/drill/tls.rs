//! Which servers' certificates are accepted, by `sslmode` (PostgreSQL, "SSL Mode Descriptions").

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, Error};
use tokio_postgres::config::SslMode;

use super::dsn::{DsnError, Parameters};
use crate::adapters::tls::{self, Accepted};
use crate::config::pem;

/// What a server says that speaks PostgreSQL over TLS (PostgreSQL 17).
const PROTOCOL: &str = "postgresql";

/// How a server is connected to.
#[derive(Clone)]
pub struct Tls {
    /// Whether TLS is asked for.
    pub mode: SslMode,
    /// How; `None` without TLS.
    pub config: Option<ClientConfig>,
}

impl Tls {
    /// By `sslmode`, `sslrootcert`, `sslcert` and `sslkey`; `home` has the default files.
    ///
    /// # Errors
    /// If a mode is not supported, or a certificate cannot be used.
    pub fn of(parameters: &Parameters, home: Option<&Path>) -> Result<Self, DsnError> {
        let default =
            |name: &str| home.map(|home| home.join(".postgresql").join(name)).filter(|path| path.exists());
        let given = parameters.get("sslrootcert");
        let root = || given.map(PathBuf::from).or_else(|| default("root.crt"));
        let mode = parameters.get("sslmode").unwrap_or(if given == Some("system") {
            "verify-full"
        } else {
            "prefer"
        });
        let (mode, trust) = match mode {
            "disable" => return Ok(Self { mode: SslMode::Disable, config: None }),
            "prefer" => (SslMode::Prefer, Trust::Any),
            // With a root certificate libpq verifies the authority here, too.
            "require" if given.is_some() => (SslMode::Require, Trust::of(root(), false)?),
            "require" => (SslMode::Require, Trust::Any),
            "verify-ca" if given == Some("system") => {
                return Err(DsnError::Value(
                    "sslmode",
                    "`sslrootcert=system` needs `verify-full`".to_owned(),
                ));
            }
            "verify-ca" => (SslMode::Require, Trust::of(root(), false)?),
            "verify-full" => (SslMode::Require, Trust::of(root(), true)?),
            other => {
                let message = format!(
                    "`{other}` is not supported; use disable, prefer, require, verify-ca or verify-full"
                );
                return Err(DsnError::Value("sslmode", message));
            }
        };
        let certificate = parameters.get("sslcert").map(PathBuf::from).or_else(|| default("postgresql.crt"));
        let key = parameters.get("sslkey").map(PathBuf::from).or_else(|| default("postgresql.key"));
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(identity(&certificate, &key)?),
            (Some(_), None) => return Err(DsnError::Value("sslcert", "it needs `sslkey`".to_owned())),
            (None, _) => None,
        };
        let config = trust.client(identity).map_err(|error| DsnError::Value("sslmode", error.to_string()))?;
        Ok(Self { mode, config: Some(config) })
    }
}

/// Whose certificates are accepted.
enum Trust {
    /// Any.
    Any,
    /// Those that one of these authorities has signed, or that are one of these; and whether the name counts.
    These(Vec<CertificateDer<'static>>, bool),
    /// Those of the system's authorities; the name counts.
    System,
}

impl Trust {
    fn of(root: Option<PathBuf>, verify_hostname: bool) -> Result<Self, DsnError> {
        let Some(root) = root else {
            let message =
                "the root certificate is missing: set it, or create ~/.postgresql/root.crt, or use `system`";
            return Err(DsnError::Value("sslrootcert", message.to_owned()));
        };
        if root.as_os_str() == "system" {
            return Ok(Self::System);
        }
        let certificates = read("sslrootcert", &root, pem::authorities)?;
        Ok(Self::These(certificates, verify_hostname))
    }

    fn client(&self, identity: Option<Arc<CertifiedKey>>) -> Result<ClientConfig, Error> {
        let accepted = match self {
            Self::Any => Accepted::Any,
            Self::These(certificates, verify_hostname) => {
                Accepted::Trusted { by: Some(certificates), verify_hostname: *verify_hostname }
            }
            Self::System => Accepted::Trusted { by: None, verify_hostname: true },
        };
        tls::client(accepted, identity, PROTOCOL)
    }
}

/// What a file holds, or what is wrong with it.
fn read<T>(
    name: &'static str,
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<T, DsnError> {
    let error = |message: String| DsnError::Value(name, format!("{} {message}", path.display()));
    let bytes = fs::read(path).map_err(|failure| error(format!("cannot be read: {failure}")))?;
    parse(&bytes).map_err(error)
}

fn identity(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, DsnError> {
    let chain = read("sslcert", certificate, pem::certificates)?;
    let private_key = read("sslkey", key, pem::private_key)?;
    let pair = CertifiedKey::from_der(chain, private_key, &aws_lc_rs::default_provider());
    pair.map(Arc::new)
        .map_err(|error| DsnError::Value("sslkey", format!("{} cannot be used: {error}", key.display())))
}
