//! `repoint run`: one pass.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;

use super::lock::{Lock, try_lock};
use super::{Format, block_on, print};
use crate::app::App;
use crate::app::Mode;
use crate::config::Settings;
use crate::domain::report::text;

/// A pass ends by its own deadlines; what outlives them by this hangs where nothing can be waited for with a limit.
const OVERDUE: Duration = Duration::from_secs(5);

/// Looks, changes what differs, and tells people, unless another run does just that.
pub fn main(settings: Settings, config: &Path, format: Format) -> ExitCode {
    let lock = match try_lock(config) {
        Ok(Some(lock)) => Some(lock),
        Ok(None) => {
            let message = format!(
                "another `repoint run` with {0} is under way, so nothing was done; `fuser {0}` tells which",
                config.display()
            );
            return print::error(&message);
        }
        // Some file systems know no locks; passes at the same time do no harm, memory sees to that.
        Err(error) => {
            warn!(%error, "runs at the same time cannot be kept apart: {} cannot be locked", config.display());
            None
        }
    };
    block_on(pass(settings, format, Mode::Apply, lock))
}

/// One pass, printed. The lock is given up before: whoever reads the report may take any time to.
pub async fn pass(settings: Settings, format: Format, mode: Mode, lock: Option<Lock>) -> ExitCode {
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let within = app.longest_run() + OVERDUE;
    let Ok(report) = timeout(within, app.run(mode)).await else {
        return print::error(&format!(
            "no end within {} s although the pass may take {} s: something hangs, perhaps the disk of the state file or \
             the resolver; what was done is done, and the next run goes on from there",
            within.as_secs(),
            app.limits().pass.as_secs()
        ));
    };
    drop(lock);
    match format {
        Format::Json => print::json(&report, report.is_good()),
        Format::Text => {
            let clusters: String =
                report.clusters.iter().map(|cluster| text(cluster, &print::paint)).collect();
            print::text(&clusters, report.is_good())
        }
    }
}
