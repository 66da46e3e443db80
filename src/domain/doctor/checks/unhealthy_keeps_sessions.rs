//! What becomes of sessions on a former primary that became unhealthy.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::remedy::set_of_group;
use crate::doctor::subject::Group;
use crate::spec::{GroupRole, Strategy};

pub const CHECK: Check = Check {
    id: "unhealthy_keeps_sessions",
    severity: Severity::Warning,
    title: "Sessions stay on the former primary although its health check fails",
    why: "In a warm group the former primary stays registered, and the health check alone keeps clients away. With termination off \
          a Network Load Balancer keeps the connections that are open to an unhealthy target: clients of a primary that Patroni \
          could not stop go on writing to it, and these writes are lost. A load balancer with cross-zone load balancing takes part in \
          zonal shifts only with termination off; a database with one primary gains more from termination.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html",
    judge: Judge::Group(judge),
};

const NAME: &str = "target_health_state.unhealthy.connection_termination.enabled";

fn judge(group: &Group<'_>) -> Judgement {
    let is_warm = matches!(group.spec.strategy, Strategy::Warm { .. });
    if !is_warm || group.spec.role != GroupRole::Writer || group.attributes()?.is_on(NAME).unwrap_or(true) {
        return fine();
    }
    wrong(format!("{NAME} is false"), set_of_group(&group.spec.arn, &[(NAME, "true")]))
}
