//! What becomes of sessions on a former primary that was deregistered.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::remedy::set_of_group;
use crate::doctor::subject::Group;
use crate::spec::{GroupRole, Strategy};

pub const CHECK: Check = Check {
    id: "deregistered_keeps_sessions",
    severity: Severity::Warning,
    title: "Sessions stay on the former primary after it is deregistered",
    why: "repoint deregisters the former primary, but a Network Load Balancer keeps the connections that are open, unless \
          termination is on, and then until the delay is over. Where Patroni could not stop that primary (a cut-off host, a hung \
          process), its clients go on writing to it, and these writes are lost.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html",
    judge: Judge::Group(judge),
};

const TERMINATION: &str = "deregistration_delay.connection_termination.enabled";
const DELAY: &str = "deregistration_delay.timeout_seconds";
/// What AWS takes where an attribute is not set (Elastic Load Balancing API, `TargetGroupAttribute`).
const DEFAULT_DELAY_SECONDS: u64 = 300;
/// As long as Patroni's `ttl` unless set, in which clients notice a failover anyway.
const LONGEST_DELAY_SECONDS: u64 = 30;

fn judge(group: &Group<'_>) -> Judgement {
    if group.spec.role != GroupRole::Writer || group.spec.strategy != Strategy::Exclusive {
        return fine();
    }
    let attributes = group.attributes()?;
    let terminates = attributes.is_on(TERMINATION).unwrap_or(false);
    let delay = attributes.number(DELAY).unwrap_or(DEFAULT_DELAY_SECONDS);
    if terminates && delay <= LONGEST_DELAY_SECONDS {
        return fine();
    }
    let delay_wanted = delay.min(10).to_string();
    wrong(
        format!("{TERMINATION} is {terminates}, {DELAY} is {delay}"),
        set_of_group(&group.spec.arn, &[(TERMINATION, "true"), (DELAY, &delay_wanted)]),
    )
}
