//! A watchdog that Patroni should have and does not.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Member;

pub const CHECK: Check = Check {
    id: "watchdog_failed",
    severity: Severity::Warning,
    title: "Patroni's watchdog does not work",
    why: "This member's `watchdog.mode` is `required`, and the device could not be used: the member cannot become the primary.",
    link: "https://patroni.readthedocs.io/en/latest/watchdog.html",
    judge: Judge::Member(judge),
};

fn judge(member: &Member<'_>) -> Judgement {
    if !member.health()?.has_watchdog_failed {
        return fine();
    }
    wrong(
        "GET /patroni says watchdog_failed",
        "on that host: modprobe softdog && chown postgres /dev/watchdog, and a udev rule that keeps the owner; then restart Patroni",
    )
}
