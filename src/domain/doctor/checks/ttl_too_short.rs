//! The rule that `ttl`, `loop_wait` and `retry_timeout` follow.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::facts::patroni::Health;
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "ttl_too_short",
    severity: Severity::Critical,
    title: "Patroni's `ttl` is too short for its other times",
    why: "A primary renews its leader key every `loop_wait`, and repeats a renewal that fails for up to `retry_timeout`. If `ttl` is \
          shorter than `loop_wait` + 2 × `retry_timeout`, the key may expire while a healthy primary still repeats: it is \
          demoted, and writes stop without a failure. From 3.2 on Patroni shortens `loop_wait` or `retry_timeout` instead, so \
          that what is configured is not what is in effect.",
    link: "https://patroni.readthedocs.io/en/latest/dynamic_configuration.html",
    judge: Judge::Site(judge),
};

/// The first release that shortens the others itself.
const ADJUSTS: (u32, u32) = (3, 2);

fn judge(site: &Site<'_>) -> Judgement {
    let config = site.config()?;
    let (ttl, loop_wait, retry) =
        (config.ttl_seconds(), config.loop_wait_seconds(), config.retry_timeout_seconds());
    let least = loop_wait.saturating_add(retry.saturating_mul(2));
    if least <= ttl {
        return fine();
    }
    let mut healths = site.members().map(|member| member.its.health.as_ref().ok().and_then(Health::release));
    let all_adjust = healths.all(|release| release.is_some_and(|release| release >= ADJUSTS));
    let wrong = Wrong::new(
        format!("ttl {ttl} s is less than loop_wait {loop_wait} s + 2 × retry_timeout {retry} s = {least} s"),
        format!("patronictl edit-config {} -s ttl={}", site.spec.scope, least.max(20)),
    );
    Ok(vec![if all_adjust { wrong.with(Severity::Warning) } else { wrong }])
}
