//! Client IP preservation.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::remedy::set_of_group;
use crate::doctor::subject::{Group, KEEPS_CLIENT_ADDRESS};

pub const CHECK: Check = Check {
    id: "client_ip_preserved",
    severity: Severity::Warning,
    title: "Members cannot connect to themselves through the load balancer",
    why: "With client IP preservation a connection from a member to the endpoint arrives at the same member with its own address as \
          the source, the answer takes another way, and the connection times out. What runs on the members and uses the endpoint \
          (a job, a pooler, a backup) fails exactly where the primary is, and so begins to fail after a failover. Without it members \
          see the load balancer's addresses: allow these in `pg_hba.conf` and in the members' security groups first.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html",
    judge: Judge::Group(judge),
};

fn judge(group: &Group<'_>) -> Judgement {
    if !group.keeps_client_address()? {
        return fine();
    }
    wrong(
        format!("{KEEPS_CLIENT_ADDRESS} is true"),
        set_of_group(&group.spec.arn, &[(KEEPS_CLIENT_ADDRESS, "false")]),
    )
}
