//! Zonal shifts.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong};
use crate::doctor::facts::group::TargetState;
use crate::doctor::remedy::region;
use crate::doctor::subject::Group;
use crate::spec::GroupRole;

pub const CHECK: Check = Check {
    id: "zonal_shift",
    severity: Severity::Warning,
    title: "A zonal shift keeps the load balancer from targets",
    why: "While traffic is shifted away from an Availability Zone, targets there get no new connections, whether they are healthy or \
          not. If the primary is there, no client reaches it; if it moves there, none will.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/zonal-shift.html",
    judge: Judge::Group(judge),
};

fn judge(group: &Group<'_>) -> Judgement {
    let is_shifted = |target: &&TargetState| {
        let state = target.administrative_override.as_deref();
        state.is_some_and(|state| state.starts_with("zonal_shift"))
    };
    let registered = || group.targets().map(|targets| targets.iter().filter(|target| target.is_registered()));
    let shifted: Vec<String> = registered()?
        .filter(is_shifted)
        .map(|target| format!("{} in {}", target.target, target.zone.as_deref().unwrap_or("an unknown zone")))
        .collect();
    if shifted.is_empty() {
        return Ok(Vec::new());
    }
    let serves = registered()?.any(|target| target.is_healthy() && !is_shifted(&target));
    let severity =
        if group.spec.role == GroupRole::Writer && !serves { Severity::Critical } else { Severity::Warning };
    let region = region(group.spec.arn.as_str());
    let balancer = group.description()?.balancers.first().map_or("", String::as_str);
    let found = format!("AdministrativeOverride of {} is a zonal shift", shifted.join(", "));
    let remedy = format!(
        "patronictl switchover {}, to a member in another zone; or end the shift, whose id is in `aws arc-zonal-shift list-zonal-shifts \
         --region {region} --resource-identifier {balancer}`: aws arc-zonal-shift cancel-zonal-shift --region {region} --zonal-shift-id ID",
        group.cluster.spec().scope
    );
    Ok(vec![Wrong::new(found, remedy).with(severity)])
}
