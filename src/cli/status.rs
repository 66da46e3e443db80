//! `repoint status`: members, verdict, endpoints, conditions and the last move; once, or again and again.

mod screen;
mod text;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use super::progress::Progress;
use super::{Format, print};
use crate::app::App;
use crate::config::Settings;

pub const HELP: &str = "\
Examples:
  repoint status
  repoint status --watch --cluster batman
  repoint status --watch=10 | tee -a failover.log
  repoint status --watch --format json | jq -c '[.at, .clusters[0].verdict.member]'

With --watch it asks the members and AWS again and again, and says what has changed, until Ctrl-C
or SIGTERM ends it. On a terminal it is drawn in its place: clusters in trouble come first, and the
last line says what is left out. Elsewhere one report follows another; with --format json each is
one line. A large fleet is read less often: no more than a quarter of aws.limit_percent is used.

Exit status: 0 every cluster has a primary and every endpoint points where it should; 1 otherwise;
2 usage or configuration. With --watch it is that of the last report.";

/// Reads how every cluster stands, and prints it; `every` so often until a signal ends it.
pub async fn main(settings: Settings, every: Option<Duration>, format: Format) -> ExitCode {
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    if let Some(every) = every {
        return watch::main(&app, every, format).await;
    }
    let progress = Progress::of(app.settings().clusters.len());
    let status = progress.shown(false, app.status(|cluster| progress.read(cluster))).await;
    match format {
        Format::Json => print::json(&status, status.is_good()),
        Format::Text => {
            let clusters = status.clusters.iter().map(|cluster| text::cluster(cluster, None, status.at));
            print::text(&clusters.collect::<Vec<_>>().join("\n"), status.is_good())
        }
    }
}
