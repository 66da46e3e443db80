//! `repoint plan`: what one pass would change.

use std::process::ExitCode;

use super::{Printing, run};
use crate::app::Mode;
use crate::config::Settings;
use repoint_domain::report::{Outcome, Report};

pub const HELP: &str = "\
Examples:
  repoint plan
  repoint plan --cluster batman --format json | jq '.clusters[].steps'
  repoint plan --exit-code || echo \"not converged\"       in a pipeline

Exit status with --exit-code: 0 nothing would be changed, and nothing is held; 3 changes are planned, and nothing is
held; 1 some cluster is held or failed; 2 usage or configuration.";

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
