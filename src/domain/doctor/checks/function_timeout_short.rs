//! The time that the Lambda gets.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Function;
use crate::values::units::duration;

pub const CHECK: Check = Check {
    id: "function_timeout_short",
    severity: Severity::Warning,
    title: "The Lambda's timeout is not longer than a pass may take",
    why: "A pass then gets less time than is configured, and its alerts share it: when Patroni or AWS is slow, as in a failover, \
          the invocation ends before the endpoints were changed.",
    link: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html",
    judge: Judge::Function(judge),
};

/// What alerts, the answer and the log need after a pass, in seconds.
const AFTERWARDS_SECONDS: u64 = 15;

fn judge(function: &Function<'_>) -> Judgement {
    let (timeout, deadline_ms) =
        (function.configuration()?.timeout_seconds, function.facts.configured.deadline_ms);
    if u64::from(timeout) * 1000 > deadline_ms {
        return fine();
    }
    wrong(
        format!("Timeout is {timeout} s, and pass.deadline_seconds is {}", duration(deadline_ms)),
        function.change(&format!("--timeout {}", deadline_ms.div_ceil(1000) + AFTERWARDS_SECONDS)),
    )
}
