//! How long a crashed primary may take to start again.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "crash_recovery_long",
    severity: Severity::Info,
    title: "A crashed primary keeps the leader key for long",
    why: "If PostgreSQL crashes and Patroni lives, Patroni starts it again on the same host and holds the leader key meanwhile, for \
          up to `primary_start_timeout` (300 s unless set; `master_start_timeout` before 3.0). With much WAL to replay writes are \
          down for all of that time, although a replica could take over.",
    link: "https://patroni.readthedocs.io/en/latest/dynamic_configuration.html",
    judge: Judge::Site(judge),
};

/// Above this a failover is quicker than any usual crash recovery.
const LONG_SECONDS: u64 = 60;

fn judge(site: &Site<'_>) -> Judgement {
    let config = site.config()?;
    let timeout = config.primary_start_timeout.unwrap_or(300);
    if timeout <= LONG_SECONDS || config.is_standby_cluster || site.is_single() {
        return fine();
    }
    let default = if config.primary_start_timeout.is_none() { " (the default)" } else { "" };
    let release = site.members().find_map(|member| member.health().ok()?.release());
    let name = if release.is_some_and(|(major, _)| major < 3) {
        "master_start_timeout"
    } else {
        "primary_start_timeout"
    };
    wrong(
        format!("{name} is {timeout} s{default}"),
        format!("patronictl edit-config {} -s {name}={LONG_SECONDS}", site.spec.scope),
    )
}
