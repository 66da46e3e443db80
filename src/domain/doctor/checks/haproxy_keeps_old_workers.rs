//! Workers of HAProxy that outlive a reload.

use super::haproxy::cfg;
use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::Facts;

pub const CHECK: Check = Check {
    id: "haproxy_keeps_old_workers",
    severity: Severity::Warning,
    title: "After a reload HAProxy keeps sessions on an old primary",
    why: "The old worker keeps its sessions and checks its servers no more, and the socket leads to the new one alone: what is \
          connected through it stays on an old primary for as long as it likes.",
    link: "https://docs.haproxy.org/3.0/configuration.html#hard-stop-after",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some((path, cfg)) = cfg(facts)? else { return fine() };
    if cfg.has_hard_stop {
        return fine();
    }
    wrong(format!("{path} has no hard-stop-after"), format!("in `global` of {path}: hard-stop-after 30s"))
}
