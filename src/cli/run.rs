//! `repoint run`: one pass.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, warn};

use super::{Format, Printing, block_on, job, print, systemd};
use crate::app::lock::{JobLock, job_path, try_lock};
use crate::app::{App, Mode};
use crate::config::{Settings, StateStore};
use repoint_domain::report::{ClusterReport, Outcome, Report, text};

/// A pass ends by its own deadlines; what outlives them by this hangs where nothing can be waited for with a limit.
const OVERDUE: Duration = Duration::from_secs(5);

/// Looks, changes what differs, and tells people, unless another run does just that.
pub fn main(settings: Settings, config: &Path, printing: Printing) -> ExitCode {
    let lock = match &settings.state.store {
        StateStore::File(state) => match lock(state, config, &settings) {
            Ok(lock) => lock,
            Err(code) => return code,
        },
        // It is for several machines, whose runs are kept apart by the state alone.
        StateStore::DynamoDb(_) => None,
    };
    block_on(async {
        let passed = pass(settings, Mode::Apply).await;
        // Given up before the report is printed: whoever reads it may take any time to.
        drop(lock);
        let (app, report) = match passed {
            Ok(passed) => passed,
            Err(code) => return code,
        };
        let code = print(&report, printing);
        if report.clusters.iter().all(ClusterReport::is_working) {
            app.send_heartbeat().await;
        }
        code
    })
}

/// The lock that runs over the same clusters share, beside the state; or the exit status, if another run has it.
fn lock(state: &Path, config: &Path, settings: &Settings) -> Result<Option<JobLock>, ExitCode> {
    let job = job::digest(config, settings.names());
    match try_lock(state, &job) {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(print::error(&format!(
            "another `repoint run` with {} is under way, so nothing was done; `fuser {}` tells which",
            config.display(),
            job_path(state, &job).display()
        ))),
        // The pass says what is wrong with the state.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            debug!(%error, "no lock beside {}", state.display());
            Ok(None)
        }
        // Passes at the same time do no harm: the state sees to that.
        Err(error) => {
            warn!(%error, "runs at the same time cannot be kept apart by a lock beside {}", state.display());
            Ok(None)
        }
    }
}

/// One pass, and what made it.
///
/// # Errors
/// The exit status, if there is no report; stderr says why.
pub async fn pass(settings: Settings, mode: Mode) -> Result<(App, Report), ExitCode> {
    let app = App::new(settings)
        .await
        .map_err(|error| print::usage_error(&format!("{:#}", anyhow::Error::from(error))))?;
    let within = app.longest_run() + OVERDUE;
    systemd::notify(&[systemd::may_take(within)]);
    let passed = timeout(within, app.run(mode)).await;
    let report = passed.map_err(|_| {
        print::error(&format!(
            "no end within {} s although the pass may take {} s: something hangs, perhaps the disk of the state file or \
             the resolver; what was done is done, and the next run goes on from there",
            within.as_secs(),
            app.limits().pass.as_secs()
        ))
    })?;
    Ok((app, report))
}

/// Prints the report of a pass; where `--quiet` was given, only if there is something to say.
pub fn print(report: &Report, Printing { format, quiet }: Printing) -> ExitCode {
    let is_shown = |cluster: &&ClusterReport| !quiet || has_news(cluster);
    if !report.clusters.iter().any(|cluster| is_shown(&cluster)) {
        return print::exit(report.is_good());
    }
    match format {
        Format::Json => print::json(report, report.is_good()),
        Format::Text => {
            let shown = report.clusters.iter().filter(is_shown);
            let clusters: String = shown.map(|cluster| text(cluster, &print::paint)).collect();
            print::text(&clusters, report.is_good())
        }
    }
}

/// Whether something was changed, held or failed, or an alert was not published.
fn has_news(cluster: &ClusterReport) -> bool {
    cluster.outcome != Outcome::Converged || cluster.is_unnotified
}
