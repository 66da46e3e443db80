//! `repoint run`: one pass.

use std::process::ExitCode;

use super::{Format, print};
use crate::app::App;
use crate::config::Settings;
use crate::domain::report::text;
use crate::runtime::pass::Mode;

/// Looks, decides, changes what differs, and tells people.
pub async fn main(settings: Settings, format: Format) -> ExitCode {
    pass(settings, format, Mode::Apply).await
}

/// One pass, printed.
pub async fn pass(settings: Settings, format: Format, mode: Mode) -> ExitCode {
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let report = app.run(mode).await;
    match format {
        Format::Json => print::json(&report),
        Format::Text => {
            for cluster in &report.clusters {
                anstream::print!("{}", text(cluster, &print::paint));
            }
        }
    }
    print::exit(report.is_good())
}
