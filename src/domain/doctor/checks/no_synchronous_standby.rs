//! Whether synchronous mode has its standby.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "no_synchronous_standby",
    severity: Severity::Critical,
    title: "Synchronous mode has no synchronous standby",
    why: "With `synchronous_mode` Patroni promotes only a synchronous standby by itself. Without one there is no automatic failover; \
          with `synchronous_mode_strict` the primary accepts no commit, either.",
    link: "https://patroni.readthedocs.io/en/latest/replication_modes.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let config = site.config()?;
    let is_strict = config.synchronous_mode_strict == Some(true);
    if !config.is_synchronous() || (site.is_single() && !is_strict) {
        return fine();
    }
    let members = &site.view()?.members;
    if members.iter().any(|member| matches!(member.role.as_str(), "sync_standby" | "quorum_standby")) {
        return fine();
    }
    let scope = &site.spec.scope;
    let mode = config.synchronous_mode.as_deref().unwrap_or("on");
    let strict = if is_strict { ", synchronous_mode_strict is on" } else { "" };
    let broken = members.iter().find(|member| !member.leads());
    let remedy = match broken {
        Some(replica) if replica.has_tag("nosync") => {
            format!(
                "remove the tag `nosync` of {} in its patroni.yml; then: patronictl reload {scope} {}",
                replica.name, replica.name
            )
        }
        Some(replica) => format!("patronictl reinit {scope} {}", replica.name),
        None => format!(
            "start another member of {scope}, or: patronictl edit-config {scope} -s synchronous_mode=off -s synchronous_mode_strict=off"
        ),
    };
    wrong(
        format!(
            "synchronous_mode is {mode}{strict}, and GET /cluster lists no member as sync_standby or quorum_standby"
        ),
        remedy,
    )
}
