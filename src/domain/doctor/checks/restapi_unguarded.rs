//! What guards Patroni's REST API, by this machine's file.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::File;

pub const CHECK: Check = Check {
    id: "restapi_unguarded",
    severity: Severity::Warning,
    title: "Patroni's REST API is not guarded",
    why: "Without a password, a client certificate or a list of addresses, whatever reaches port 8008 can switch the primary, restart \
          PostgreSQL or change the configuration. The load balancer's health checks read only, and need none of these.",
    link: "https://patroni.readthedocs.io/en/latest/security.html",
    judge: Judge::File(judge),
};

fn judge(file: &File<'_>) -> Judgement {
    let its = file.its;
    let has_certificates = matches!(its.restapi_verify_client.as_deref(), Some("required" | "optional"));
    let is_probed = file.site.members().any(|member| member.its.switchover_status.is_some());
    // What was tried (switchover_open) says more than a file.
    if is_probed || its.has_restapi_authentication || its.has_restapi_allowlist || has_certificates {
        return fine();
    }
    wrong(
        "restapi has no authentication, no verify_client and no allowlist",
        format!(
            "in {}, under `restapi.authentication`: `username` and `password`; then: {}",
            file.path,
            file.reload()
        ),
    )
}
