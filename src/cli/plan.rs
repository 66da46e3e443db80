//! `repoint plan`: what one pass would change.

use std::process::ExitCode;

use super::{Printing, run};
use crate::app::Mode;
use crate::config::Settings;
use repoint_domain::report::{Outcome, Report};

/// Exit status 3, where it was asked for: changes are planned. Terraform's `-detailed-exitcode` has 2 for that, which here is
/// usage.
const PLANNED: u8 = 3;

/// Looks, decides, and changes nothing.
pub async fn main(settings: Settings, printing: Printing, exit_code: bool) -> ExitCode {
    let report = match run::pass(settings, Mode::DryRun).await {
        Ok((_, report)) => report,
        Err(code) => return code,
    };
    let printed = run::print(&report, printing);
    if exit_code && printed == ExitCode::SUCCESS && is_planned(&report) {
        return ExitCode::from(PLANNED);
    }
    printed
}

fn is_planned(report: &Report) -> bool {
    report.clusters.iter().any(|cluster| cluster.outcome == Outcome::Planned)
}
