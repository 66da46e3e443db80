//! What a callback has handed over to: one bounded look, by a process that Patroni cannot find.

use std::process::ExitCode;

use rustix::process::setsid;
use tracing::{error, info, warn};

use super::callback::Called;
use super::watch::log_arrivals;
use super::{block_on, print};
use crate::app::App;
use crate::config::{HandOver, Settings};
use crate::domain::report::{ClusterReport, Outcome};

/// Looks until the cluster has a primary and its endpoints follow it, or tells SNS that somebody should.
pub fn main(settings: Settings, arguments: &[String]) -> ExitCode {
    let Some(called) = Called::from(arguments) else {
        return print::usage_error("Patroni appends three arguments: ACTION ROLE SCOPE");
    };
    // It fails only for the leader of a process group, which has left its parent's anyway.
    if let Err(error) = setsid() {
        warn!(%error, "callback: no session of its own");
    }
    block_on(look(settings, called))
}

async fn look(settings: Settings, called: Called<'_>) -> ExitCode {
    let Called { action, role, scope } = called;
    let hand_over = settings.callback.hand_over.clone();
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    if let HandOver::Sns(topic) = hand_over {
        return match app.call(&topic, scope, action, role).await {
            Ok(()) => {
                info!(cluster.name = scope, topic = topic.as_str(), "callback: SNS was told");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                error!(cluster.name = scope, %failure, "callback: SNS was not told");
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
