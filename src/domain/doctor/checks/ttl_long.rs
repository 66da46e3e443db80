//! How long a leader key lives.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "ttl_long",
    severity: Severity::Info,
    title: "Patroni's `ttl` is long",
    why: "When the host of the primary is lost, no member is promoted before the leader key has expired, which takes up to `ttl`. \
          No endpoint can follow before that.",
    link: "https://patroni.readthedocs.io/en/latest/dynamic_configuration.html",
    judge: Judge::Site(judge),
};

/// Patroni's default.
const USUAL: u64 = 30;

fn judge(site: &Site<'_>) -> Judgement {
    let config = site.config()?;
    let least = config.loop_wait_seconds().saturating_add(config.retry_timeout_seconds().saturating_mul(2));
    if config.ttl_seconds() <= USUAL || site.is_single() {
        return fine();
    }
    // What the other times need comes first: they are long where the network to the DCS is poor.
    let shorter = if least <= USUAL {
        format!("ttl={USUAL}")
    } else {
        format!("loop_wait=10 -s retry_timeout=10 -s ttl={USUAL}")
    };
    wrong(
        format!("ttl is {} s", config.ttl_seconds()),
        format!("patronictl edit-config {} -s {shorter}", site.spec.scope),
    )
}
