//! `repoint doctor`: what is wrong with the set-up before the next failover shows it.

use std::process::ExitCode;

use super::progress::Reads;
use super::{Format, print};
use crate::app::{App, DoctorOptions};
use crate::config::Settings;
use repoint_domain::doctor::checks::{self, CHECKS};
use repoint_domain::doctor::examine::examine;
use repoint_domain::doctor::report::Ignore;
use repoint_domain::doctor::text::text;

pub const HELP: &str = "\
Examples:
  repoint doctor
  repoint doctor --cluster batman --format json | jq '.findings[] | {id, subject, remedy}'
  sudo -u postgres repoint doctor --local --config /etc/repoint.toml        on a node of Patroni
  repoint doctor --probe                                                    with the checks that are not reads

It reads Patroni's configuration and members, the target groups with their load balancers, listeners and security
groups, the record sets with their health checks and zones, the topics, the Lambda with its schedules, and the state
table. For each finding it says what was read, why it hurts, and what to do; infra/guide/doctor.md explains each check.
What could not be read is reported as not checked. `repoint iam --for doctor` prints the rights that it needs.

With --probe it sends each member one `POST /switchover` without a body, which Patroni refuses: that shows whether the
REST API asks for credentials.

Exit status: 0 nothing critical was found; 1 something critical was found; 2 usage or configuration.";

/// Examines every cluster, and prints what is wrong; `ignore` are the ids of checks that are not to count this time.
pub async fn main(settings: Settings, options: DoctorOptions, ignore: &[String], format: Format) -> ExitCode {
    let ignored = match ignored(&settings, ignore) {
        Ok(ignored) => ignored,
        Err(message) => return print::usage_error(&message),
    };
    let app = match App::new(settings).await {
        Ok(app) => app,
        Err(error) => return print::usage_error(&format!("{:#}", anyhow::Error::from(error))),
    };
    let reads = Reads::new();
    let facts = reads.shown(app.doctor(options, |what, done, all| reads.read(what, done, all))).await;
    let report = examine(&facts, CHECKS, &ignored);
    match format {
        Format::Json => print::json(&report, report.is_good()),
        Format::Text => print::text(&text(&report, &print::paint), report.is_good()),
    }
}

/// What the configuration ignores, and these checks.
fn ignored(settings: &Settings, ids: &[String]) -> Result<Vec<Ignore>, String> {
    let of_id = |id: &String| match checks::find(id) {
        Some(check) => Ok(Ignore {
            id: check.id.to_owned(),
            cluster: None,
            resource: None,
            reason: "--ignore".to_owned(),
        }),
        None => Err(format!("--ignore {id}: no check has this id; infra/guide/doctor.md lists them")),
    };
    let these = ids.iter().map(of_id).collect::<Result<Vec<_>, _>>()?;
    Ok(settings.ignored_findings.iter().cloned().chain(these).collect())
}
