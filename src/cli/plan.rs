//! `repoint plan`: what one pass would change.

use std::process::ExitCode;

use super::{Format, run};
use crate::app::Mode;
use crate::config::Settings;

/// Looks, decides, and changes nothing.
pub async fn main(settings: Settings, format: Format) -> ExitCode {
    run::pass(settings, format, Mode::DryRun, None).await
}
