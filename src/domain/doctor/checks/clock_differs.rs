//! A member's clock beside this machine's.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Member;

pub const CHECK: Check = Check {
    id: "clock_differs",
    severity: Severity::Info,
    title: "A member's clock differs from this machine's",
    why: "Logs of one failover cannot be put in order, scheduled switchovers come early or late, and AWS refuses requests that are \
          signed with a time more than 5 minutes off.",
    link: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/set-time.html",
    judge: Judge::Member(judge),
};

const MOST_SECONDS: u64 = 5;

fn judge(member: &Member<'_>) -> Judgement {
    let Some(ahead) = member.health()?.clock_ahead_seconds else { return fine() };
    if ahead.unsigned_abs() <= MOST_SECONDS {
        return fine();
    }
    let which = if ahead > 0 { "ahead of" } else { "behind" };
    wrong(
        format!("its clock is {} s {which} this machine's", ahead.unsigned_abs()),
        "on the machine whose clock is wrong: timedatectl set-ntp true, with `server 169.254.169.123 iburst` in chrony's configuration",
    )
}
