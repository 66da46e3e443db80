//! Sessions of a server that HAProxy has marked down.

use super::haproxy::{backends, cfg};
use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::facts::Facts;

pub const CHECK: Check = Check {
    id: "haproxy_keeps_sessions",
    severity: Severity::Warning,
    title: "HAProxy keeps sessions on a server that is down",
    why: "Unless a server has `on-marked-down shutdown-sessions`, its sessions stay when its check fails: clients of an old primary \
          wait on a host that is silent, or go on with a replica.",
    link: "https://docs.haproxy.org/3.0/configuration.html#on-marked-down",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some((path, cfg)) = cfg(facts)? else { return fine() };
    let bad = backends(facts, cfg).filter(|(_, section)| !section.cuts_sessions);
    Ok(bad
        .map(|(name, _)| {
            Wrong::new(
                format!("backend {name} has no on-marked-down"),
                format!("in backend {name} of {path}: default-server on-marked-down shutdown-sessions"),
            )
        })
        .collect())
}
