//! Targets whose health is not what it should be.

use crate::decide::readers::readers;
use crate::decide::verdict::{Hold, Verdict};
use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine, unknown};
use crate::doctor::facts::group::{GroupDescription, TargetState};
use crate::doctor::subject::Group;
use crate::plan::{EndpointWarning, StepGroup, WarningReason};
use crate::spec::{GroupRole, Strategy};
use crate::values::cluster::Address;
use crate::values::endpoint::Endpoint;
use crate::values::primary::Primary;

pub const CHECK: Check = Check {
    id: "targets_unhealthy",
    severity: Severity::Critical,
    title: "The load balancer does not take the right members for healthy",
    why: "A Network Load Balancer sends connections to healthy targets, and to all that are registered if none is healthy. Patroni \
          says who is right; where the two differ, clients cannot connect, or they reach a member that is not meant for them.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/check-target-health.html",
    judge: Judge::Group(judge),
};

fn judge(group: &Group<'_>) -> Judgement {
    // Without a load balancer nothing is checked, and that is found by itself.
    if group.description()?.balancers.is_empty() {
        return fine();
    }
    let verdict = &group.cluster.its.verdict;
    let leader = match (verdict.leader(), verdict) {
        // The leader of a standby cluster takes no writes.
        (_, Verdict::Hold(Hold::StandbyCluster { .. })) if group.spec.role == GroupRole::Writer => {
            return fine();
        }
        (Some(leader), _) => leader,
        (None, _) => {
            return unknown("no primary can be named, so which targets should be healthy is not known");
        }
    };
    // The group of another site is left as it is.
    if group.spec.site.is_some() && group.spec.site != leader.site {
        return fine();
    }
    let targets: Vec<&TargetState> =
        group.targets()?.iter().filter(|target| target.is_registered()).collect();
    let Some(wrong) = wrong(group, leader, &targets) else { return fine() };
    if targets.iter().any(|target| target.is_initial()) {
        return unknown("health checks of new targets have just begun");
    }
    Ok(vec![wrong])
}

fn wrong(group: &Group<'_>, leader: &Primary, targets: &[&TargetState]) -> Option<Wrong> {
    let none_is_healthy = || (!targets.iter().any(|target| target.is_healthy())).then(|| listed(targets));
    let (found, severity) = match (group.spec.role, &group.spec.strategy) {
        // A pass has compared it with Patroni.
        (role, Strategy::Warm { .. }) => {
            let its =
                |warning: &&EndpointWarning| warning.endpoint == Endpoint::Group(group.spec.arn.clone());
            let mut warnings =
                group.cluster.its.plan.warnings.iter().filter(its).map(|warning| &warning.what);
            let what = warnings.find(|what| {
                matches!(what, WarningReason::Unhealthy { .. } | WarningReason::Unread { .. })
            })?;
            let is_writer = role == GroupRole::Writer;
            let severity = if is_writer { Severity::Critical } else { Severity::Warning };
            (format!("{what}; {}", listed(targets)), severity)
        }
        (GroupRole::Reader { max_lag_bytes, .. }, _) => {
            // The primary that takes the place of missing replicas may fail their health check.
            readers(&group.cluster.its.observed, leader, max_lag_bytes)
                .filter(|readers| !readers.is_empty())?;
            (none_is_healthy()?, Severity::Warning)
        }
        // What is not the primary gets no weight.
        (GroupRole::Writer, Strategy::Weighted { member, .. }) if leader.member.as_ref() != Some(member) => {
            return None;
        }
        (GroupRole::Writer, _) => (none_is_healthy()?, Severity::Critical),
    };
    Some(Wrong::new(found, remedy(group, leader, targets)).with(severity))
}

fn listed(targets: &[&TargetState]) -> String {
    if targets.is_empty() {
        return "the group has no target".to_owned();
    }
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What would change it: a pass, or else what the load balancer's health check asks, done by hand.
fn remedy(group: &Group<'_>, leader: &Primary, targets: &[&TargetState]) -> String {
    let has_steps = |steps: &StepGroup| match steps {
        StepGroup::Group { arn, .. } => *arn == group.spec.arn,
        StepGroup::Listeners { .. } => matches!(group.spec.strategy, Strategy::Weighted { .. }),
        StepGroup::Zone { .. } | StepGroup::Backend { .. } => false,
    };
    if group.cluster.its.plan.step_groups.iter().any(has_steps) {
        return format!("repoint run --cluster {}", group.cluster.spec().name);
    }
    let Ok(GroupDescription { check, .. }) = group.description() else { return String::new() };
    let unhealthy = targets.iter().find(|target| !target.is_healthy()).map(|its| &its.target);
    let primary = leader.address.as_ref().filter(|_| group.spec.role == GroupRole::Writer);
    let (host, port) = match (primary, unhealthy) {
        (Some(address), _) => (address.host.as_str(), group.spec.port.unwrap_or(address.port)),
        (None, Some(target)) => (target.id.as_str(), target.port),
        (None, None) => ("TARGET", 5432),
    };
    let port = check.port.parse().unwrap_or(port);
    let address = Address { host: host.to_owned(), port };
    let asks = match (check.protocol.as_str(), check.path.as_deref()) {
        ("HTTP", path) => {
            format!("curl -i --max-time {} http://{address}{}", check.timeout_seconds, path.unwrap_or("/"))
        }
        ("HTTPS", path) => {
            format!("curl -ik --max-time {} https://{address}{}", check.timeout_seconds, path.unwrap_or("/"))
        }
        _ => format!("pg_isready -t {} -h {host} -p {port}", check.timeout_seconds),
    };
    format!(
        "in a subnet of the load balancer: {asks}; where that fails, correct the health check or what answers it; where it does not, open \
         port {port} to the load balancer's addresses in the network ACLs and on the host"
    )
}
