//! Whether Patroni takes orders without credentials.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::subject::Member;

pub const CHECK: Check = Check {
    id: "switchover_open",
    severity: Severity::Warning,
    title: "Patroni takes orders without credentials",
    why: "What reaches Patroni's REST API from here can switch the primary, restart PostgreSQL or change the configuration: \
          `POST /switchover` without a body was refused for the missing body alone (411), not for missing credentials (401 or 403).",
    link: "https://patroni.readthedocs.io/en/latest/security.html",
    judge: Judge::Member(judge),
};

fn judge(member: &Member<'_>) -> Judgement {
    match &member.its.switchover_status {
        None | Some(Ok(401 | 403)) => fine(),
        Some(Ok(411)) => wrong(
            "POST /switchover without credentials: 411",
            format!(
                "`restapi.authentication` with username and password in patroni.yml of every member (and `restapi` of patronictl); \
                 then: patronictl reload {}",
                member.site.spec.scope
            ),
        ),
        Some(Ok(status)) => {
            unknown(format!("POST /switchover without credentials and body answers {status}"))
        }
        Some(Err(failure)) => Err(failure.into()),
    }
}
