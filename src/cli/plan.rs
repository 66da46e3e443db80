//! `repoint plan`: what one pass would change.

use std::process::ExitCode;

use super::{Printing, run};
use crate::app::Mode;
use crate::config::Settings;
use repoint_domain::report::{Outcome, Report};

/// Exit status 3 of `--exit-code`: changes are planned. Terraform's `-detailed-exitcode` uses 2, which here means
/// wrong usage.
const PLANNED: u8 = 3;

/// Makes a dry run.
pub async fn main(settings: Settings, printing: Printing, exit_code: bool) -> ExitCode {
    let report = match run::pass(settings, Mode::DryRun, printing).await {
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
