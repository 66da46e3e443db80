//! `repoint check`: the effective configuration.

use std::process::ExitCode;

use tracing::warn;

use super::{Format, print};
use crate::app::patroni_client;
use crate::config::{Settings, show};

pub const HELP: &str = "\
Examples:
  repoint check --config /etc/repoint.toml
  repoint check --format json";

/// Prints the configuration. Certificates are checked; no request is made.
pub fn main(settings: &Settings, format: Format) -> ExitCode {
    if let Err(error) = patroni_client(&settings.patroni) {
        return print::usage_error(&format!("{:#}", anyhow::Error::from(error)));
    }
    if let Some(warning) = settings.http.warning() {
        warn!("{warning}");
    }
    let shown = show(settings);
    match format {
        Format::Json => print::json(&shown, true),
        Format::Text => match toml::to_string(&shown) {
            Ok(toml) => print::text(&toml, true),
            Err(error) => print::usage_error(&format!("the configuration cannot be shown: {error}")),
        },
    }
}
