//! `repoint plan`: what one pass would change.

use std::process::ExitCode;

use super::{Format, run};
use crate::config::Settings;
use crate::runtime::pass::Mode;

/// Looks, decides, and changes nothing.
pub async fn main(settings: Settings, format: Format) -> ExitCode {
    run::pass(settings, format, Mode::DryRun).await
}
