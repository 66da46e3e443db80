//! Servers of HAProxy just after a reload.

use super::haproxy::{backends, cfg};
use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::facts::Facts;

pub const CHECK: Check = Check {
    id: "haproxy_reload_opens_all",
    severity: Severity::Warning,
    title: "After a reload HAProxy sends writes to replicas",
    why: "A new worker takes every checked server for up until its first check. With the state of the servers from before the \
          reload it begins where the old one ended.",
    link: "https://docs.haproxy.org/3.0/configuration.html#load-server-state-from-file",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some((path, cfg)) = cfg(facts)? else { return fine() };
    let bad = backends(facts, cfg).filter(|(_, section)| !section.loads_state);
    Ok(bad
        .map(|(name, _)| {
            Wrong::new(
                format!("backend {name} has no load-server-state-from-file"),
                format!(
                    "in {path}: server-state-file in `global`, load-server-state-from-file global in `defaults`; and write the \
                     file before each reload (infra/haproxy)"
                ),
            )
        })
        .collect())
}
