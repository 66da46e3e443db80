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
