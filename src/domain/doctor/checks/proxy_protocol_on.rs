//! The proxy protocol.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::remedy::set_of_group;
use crate::doctor::subject::Group;

pub const CHECK: Check = Check {
    id: "proxy_protocol_on",
    severity: Severity::Critical,
    title: "The load balancer speaks a protocol that PostgreSQL does not know",
    why: "With proxy protocol v2 the load balancer sends a header before the client's first byte. PostgreSQL takes it for a broken \
          start of a session and closes the connection, so no client can connect.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html",
    judge: Judge::Group(judge),
};

const NAME: &str = "proxy_protocol_v2.enabled";

fn judge(group: &Group<'_>) -> Judgement {
    // What listens on another port than PostgreSQL may know it, as HAProxy does.
    if group.has_own_port() || !group.attributes()?.is_on(NAME).unwrap_or(false) {
        return fine();
    }
    wrong(format!("{NAME} is true"), set_of_group(&group.spec.arn, &[(NAME, "false")]))
}
