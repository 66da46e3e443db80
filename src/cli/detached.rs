//! The process that a callback starts: one check of the cluster, in a process that Patroni cannot find.

use std::path::Path;
use std::process::ExitCode;

use rustix::process::setsid;
use tracing::{error, info, warn};

use super::callback::Called;
use super::watch::log_arrivals;
use super::{block_on, job, print};
use crate::app::App;
use crate::app::single_flight::{Flight, join};
use crate::config::{CallbackMode, Settings, show};
use repoint_domain::report::{ClusterReport, Outcome};

/// Makes passes until the cluster has a primary and its endpoints point at it, or publishes the trigger to SNS. One
/// of several such processes does this, and begins again for those that start meanwhile.
pub fn main(settings: Settings, config: &Path, arguments: &[String]) -> ExitCode {
    let Some(called) = Called::from(arguments) else {
        return print::usage_error("Patroni appends three arguments: ACTION ROLE SCOPE");
    };
    // Fails only for the leader of a process group, which has left its parent's group anyway.
    if let Err(error) = setsid() {
        warn!(%error, "callback: cannot create a session");
    }
    // A process that reads another version of the file has another job.
    let job = job::digest(config, (called.scope, show(&settings).to_string()));
    block_on(check_once(settings, called, job))
}

async fn check_once(settings: Settings, called: Called<'_>, job: String) -> ExitCode {
    let flight = match join(&job).await {
        Ok(Some(flight)) => flight,
        Ok(None) => {
            info!(
                cluster.name = called.scope,
                "callback: another process checks the cluster, and begins again"
            );
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            warn!(cluster.name = called.scope, %error, "callback: another process may check the cluster at the same time");
            Flight::alone()
        }
    };
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    flight.work(|| observe(&app, called)).await
}

async fn observe(app: &App, called: Called<'_>) -> ExitCode {
    let Called { action, role, scope } = called;
    if let CallbackMode::Sns(topic) = &app.settings().callback.mode {
        return match app.call(topic, scope, action, role).await {
            Ok(()) => {
                info!(cluster.name = scope, topic = topic.as_str(), "callback: trigger published to SNS");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                error!(cluster.name = scope, %failure, "callback: trigger not published to SNS");
                ExitCode::FAILURE
            }
        };
    }
    let reports = app.follow(scope).await;
    if reports.is_empty() {
        return print::usage_error(&format!("the configuration has no cluster `{scope}`"));
    }
    reports.iter().for_each(log);
    let is_good = |report: &ClusterReport| matches!(report.outcome, Outcome::Converged | Outcome::Changed);
    print::exit(reports.iter().all(is_good))
}

fn log(report: &ClusterReport) {
    let (name, outcome) = (report.name.as_str(), report.outcome.as_str());
    match report.outcome {
        Outcome::Converged | Outcome::Changed | Outcome::Planned => {
            info!(cluster.name = name, outcome, duration_ms = report.duration_ms, "callback");
        }
        Outcome::Held | Outcome::Failed => {
            let why = report.first_trouble().unwrap_or_default();
            warn!(cluster.name = name, outcome, "callback: {why}");
        }
    }
    log_arrivals(report);
    for warning in &report.warnings {
        warn!(cluster.name = name, "callback: {warning}");
    }
}
