//! Protocols of listeners.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::remedy::region;
use crate::doctor::subject::Listener;

pub const CHECK: Check = Check {
    id: "listener_not_tcp",
    severity: Severity::Critical,
    title: "PostgreSQL's clients cannot connect through the listener",
    why: "A client of PostgreSQL first asks in plain text whether the server speaks TLS, and begins TLS after the answer. A TLS \
          listener expects TLS from the first byte and closes the connection. Let PostgreSQL speak TLS itself, through a TCP \
          listener.",
    link: "https://www.postgresql.org/docs/current/protocol-flow.html",
    judge: Judge::Listener(judge),
};

fn judge(listener: &Listener<'_>) -> Judgement {
    let (arn, protocol) = (&listener.its.arn, &listener.its.protocol);
    let carries_tcp = |protocol: &str| ["TCP", "TCP_UDP"].contains(&protocol);
    if carries_tcp(protocol) {
        return fine();
    }
    let group = listener.balancer.group;
    let of_group = &group.description()?.protocol;
    let region = region(arn);
    wrong(
        format!("Protocol is {protocol}, and {of_group} of {}", group.spec.arn.name()),
        if carries_tcp(of_group) {
            format!("aws elbv2 modify-listener --region {region} --listener-arn {arn} --protocol TCP")
        } else {
            format!(
                "a group's protocol cannot be changed; create one with TCP, and then: aws elbv2 modify-listener --region {region} \
                 --listener-arn {arn} --protocol TCP --default-actions Type=forward,TargetGroupArn=TARGET_GROUP_ARN"
            )
        },
    )
}
