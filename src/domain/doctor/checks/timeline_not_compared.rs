//! Whether a candidate's timeline counts.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "timeline_not_compared",
    severity: Severity::Info,
    title: "A replica on an old timeline may be promoted",
    why: "Unless `check_timeline` is set, Patroni compares candidates by their position in the WAL alone. A replica that has not \
          followed the last switch of timelines may then win with WAL that is not the cluster's.",
    link: "https://patroni.readthedocs.io/en/latest/replication_modes.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let config = site.config()?;
    if config.check_timeline == Some(true) || config.is_standby_cluster || site.is_single() {
        return fine();
    }
    wrong(
        "check_timeline is off",
        format!("patronictl edit-config {} -s check_timeline=true", site.spec.scope),
    )
}
