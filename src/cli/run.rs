//! `repoint run`: one pass.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::progress::Progress;
use super::{Format, Printing, block_on, job, print, systemd};
use crate::app::lock::{JobLock, job_path, try_lock};
use crate::app::{App, Mode, write_textfile};
use crate::config::{Settings, StateStore};
use repoint_domain::report::{ClusterReport, Outcome, Report, text};

pub const HELP: &str = "\
Examples:
  repoint run                                             once
  * * * * *  postgres  repoint run --quiet --config /etc/repoint.toml     in /etc/cron.d
  repoint run --dry-run                                   the same as `repoint plan`

With [metrics] textfile it writes its metrics to that file, for the textfile collector of node_exporter.";

/// A pass ends by its own deadlines; if it exceeds them by this, it hangs in something without a timeout.
const OVERDUE: Duration = Duration::from_secs(5);
/// A disk that hangs holds up the end of the process, but not for long.
const TEXTFILE_WITHIN: Duration = Duration::from_secs(2);

/// Makes one pass and publishes alerts, unless another run with the same clusters is in progress.
pub fn main(settings: Settings, config: &Path, printing: Printing) -> ExitCode {
    let lock = match &settings.state.store {
        StateStore::File(state) => match lock(state, config, &settings) {
            Ok(lock) => lock,
            Err(code) => return code,
        },
        // Several machines share the state, which alone keeps their runs apart.
        StateStore::DynamoDb(_) => None,
    };
    block_on(async {
        let passed = pass(settings, Mode::Apply, printing).await;
        // Released before the report is printed: its reader may take any time.
        drop(lock);
        let (app, report) = match passed {
            Ok(passed) => passed,
            Err(code) => return code,
        };
        write_metrics(&app, &report).await;
        let code = print(&report, printing);
        if report.clusters.iter().all(ClusterReport::is_working) {
            app.send_heartbeat().await;
        }
        code
    })
}

/// Writes the textfile, if one is configured; a failure is a warning.
async fn write_metrics(app: &App, report: &Report) {
    let settings = app.settings();
    let Some(path) = settings.metrics.textfile.clone() else { return };
    let (clusters, reports) = (settings.clusters.clone(), report.clusters.clone());
    let shown = path.display().to_string();
    let write = spawn_blocking(move || write_textfile(&path, &clusters, &reports));
    let why = match timeout(TEXTFILE_WITHIN, write).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it took more than {} s", TEXTFILE_WITHIN.as_secs()),
    };
    warn!("the metrics were not written to {shown}: {why}");
}

/// The lock that runs with the same clusters share, beside the state file; or the exit status, if another run has it.
fn lock(state: &Path, config: &Path, settings: &Settings) -> Result<Option<JobLock>, ExitCode> {
    let job = job::digest(config, settings.names());
    match try_lock(state, &job) {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(print::error(&format!(
            "another `repoint run` with {} is in progress, so nothing was done; `fuser {}` shows its process",
            config.display(),
            job_path(state, &job).display()
        ))),
        // The pass itself reports what is wrong with the state.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            debug!(%error, "no lock beside {}", state.display());
            Ok(None)
        }
        // Concurrent passes do no harm: the state prevents conflicting writes.
        Err(error) => {
            warn!(%error, "concurrent runs cannot be excluded by a lock beside {}", state.display());
            Ok(None)
        }
    }
}

/// Makes one pass, and shows its progress on a terminal; returns its report and what made it.
///
/// # Errors
/// The exit status, if there is no report; stderr has the reason.
pub async fn pass(
    settings: Settings,
    mode: Mode,
    Printing { quiet, .. }: Printing,
) -> Result<(App, Report), ExitCode> {
    let app = App::new(settings)
        .await
        .map_err(|error| print::usage_error(&format!("{:#}", anyhow::Error::from(error))))?;
    let within = app.longest_run() + OVERDUE;
    systemd::notify(&[systemd::may_take(within)]);
    let progress = Progress::of(app.settings().clusters.len());
    let running = app.run(mode, |report| progress.passed(report));
    let passed = timeout(within, progress.shown(quiet, running)).await;
    let report = passed.map_err(|_| {
        print::error(&format!(
                "the pass has not ended after {} s, although its limit is {} s: something hangs, perhaps the disk of the state \
                 file or the resolver; completed changes stay, and the next run continues",
            within.as_secs(),
            app.limits().pass.as_secs()
        ))
    })?;
    Ok((app, report))
}

/// Prints the report of a pass; with `--quiet` only if something was changed, held or failed.
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
