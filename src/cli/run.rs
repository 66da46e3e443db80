//! `repoint run`: one pass.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, warn};

use super::{Format, block_on, job, print, systemd};
use crate::app::lock::{JobLock, job_path, try_lock};
use crate::app::{App, Mode};
use crate::config::{Settings, StateStore};
use crate::domain::report::{ClusterReport, text};

/// A pass ends by its own deadlines; what outlives them by this hangs where nothing can be waited for with a limit.
const OVERDUE: Duration = Duration::from_secs(5);

/// Looks, changes what differs, and tells people, unless another run does just that.
pub fn main(settings: Settings, config: &Path, format: Format) -> ExitCode {
    let lock = match &settings.state.store {
        StateStore::File(state) => match lock(state, config, &settings) {
            Ok(lock) => lock,
            Err(code) => return code,
        },
        // It is for several machines, whose runs are kept apart by the state alone.
        StateStore::DynamoDb(_) => None,
    };
    block_on(pass(settings, format, Mode::Apply, lock))
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

/// One pass, printed. The lock is given up before: whoever reads the report may take any time to.
pub async fn pass(settings: Settings, format: Format, mode: Mode, lock: Option<JobLock>) -> ExitCode {
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let within = app.longest_run() + OVERDUE;
    systemd::tell(&[systemd::may_take(within)]);
    let Ok(report) = timeout(within, app.run(mode)).await else {
        return print::error(&format!(
            "no end within {} s although the pass may take {} s: something hangs, perhaps the disk of the state file or \
             the resolver; what was done is done, and the next run goes on from there",
            within.as_secs(),
            app.limits().pass.as_secs()
        ));
    };
    drop(lock);
    let code = match format {
        Format::Json => print::json(&report, report.is_good()),
        Format::Text => {
            let clusters: String =
                report.clusters.iter().map(|cluster| text(cluster, &print::paint)).collect();
            print::text(&clusters, report.is_good())
        }
    };
    if mode == Mode::Apply && report.clusters.iter().all(ClusterReport::is_working) {
        app.send_heartbeat().await;
    }
    code
}
