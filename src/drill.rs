//! `repoint drill`: a rehearsed switchover, measured by clients of its own.
//!
//! What is decided and computed is in [`repoint_domain::drill`]. Here are the clients of PostgreSQL, with the parameters of
//! libpq, and the sequence. One request changes something at Patroni, and it is never repeated.

pub mod clients;
pub mod conduct;
pub mod dsn;
pub mod endpoint;
pub mod pgpass;
mod session;
pub mod table;
mod tls;

use crate::adapters::patroni::switchover::BasicAuth;
use crate::config::{ConfigError, Settings};

/// The user and password that are configured for Patroni.
///
/// # Errors
/// If the password cannot be read.
pub fn login(settings: &Settings) -> Result<Option<BasicAuth>, ConfigError> {
    let login = settings.patroni.login.as_ref();
    let auth = |login: &crate::config::Login| {
        Ok(BasicAuth { username: login.username.clone(), password: login.password()? })
    };
    login.map(auth).transpose()
}
