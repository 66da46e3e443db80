//! Settings that wait for a restart.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Member;

pub const CHECK: Check = Check {
    id: "pending_restart",
    severity: Severity::Info,
    title: "PostgreSQL waits for a restart",
    why: "A changed setting is not in effect on this member yet. The next failover or restart brings it, at a moment that nothing has \
          chosen for it.",
    link: "https://patroni.readthedocs.io/en/latest/dynamic_configuration.html",
    judge: Judge::Member(judge),
};

fn judge(member: &Member<'_>) -> Judgement {
    if !member.health()?.is_restart_pending {
        return fine();
    }
    let scope = &member.site.spec.scope;
    let name = member.member_name().map(|name| format!(" {name}")).unwrap_or_default();
    wrong("GET /patroni says pending_restart", format!("patronictl restart {scope}{name} --pending"))
}
