//! This machine's clock.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::Facts;

pub const CHECK: Check = Check {
    id: "clock_not_synchronised",
    severity: Severity::Warning,
    title: "This machine's clock is not synchronised",
    why: "Patroni measures the life of its leader key by the clock, AWS refuses requests that are signed with a time more than 5 minutes \
          off, and logs of one failover cannot be put in order.",
    link: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/set-time.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some(node) = &facts.node else { return fine() };
    match &node.is_clock_synchronised {
        None | Some(Ok(true)) => fine(),
        Some(Ok(false)) => wrong(
            format!("the kernel of {} says that its clock is not synchronised", node.host),
            "timedatectl set-ntp true, with `server 169.254.169.123 iburst` and `rtcsync` in chrony's configuration",
        ),
        Some(Err(failure)) => Err(failure.into()),
    }
}
