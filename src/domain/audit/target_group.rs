//! Whether a target group may be changed so.
//!
//! Invariants: only members that belong there are registered (3), the group is never empty (5), and the primary is
//! registered before anything is deregistered (6).

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::evidence::{ips_of, may_be_read_from, may_still_be_read_from, usable_anywhere};
use super::{Refusal, Seen};
use crate::observed::Observed;
use crate::plan::TargetStep;
use crate::spec::{GroupRole, GroupSpec, Spec, Strategy};
use crate::values::arn::GroupArn;
use crate::values::cluster::Address;
use crate::values::target::{Family, Target, TargetGroup, TargetType};

/// Whether a group is one of readers.
pub(super) fn is_of_readers(arn: &GroupArn, spec: &Spec) -> bool {
    let mut groups = spec.groups.iter();
    groups.any(|group| group.arn == *arn && matches!(group.role, GroupRole::Reader { .. }))
}

/// Applies the steps to what was read. That may be out of date, so a listed target does not count as registered: a
/// deregistration comes after the registration of the primary.
pub(super) fn group(arn: &GroupArn, steps: &[TargetStep], spec: &Spec, seen: &Seen) -> Result<(), Refusal> {
    let Seen { observed, primary, .. } = *seen;
    let configured = spec.groups.iter().find(|group| group.arn == *arn);
    let configured = configured.ok_or_else(|| Refusal::NotOurs(arn.to_string()))?;
    if configured.site.as_ref().is_some_and(|site| primary.site.as_ref() != Some(site)) {
        return Err(Refusal::OtherSite(arn.to_string()));
    }
    let Some(Ok(read)) = observed.groups.get(arn) else { return Err(Refusal::Unread(arn.to_string())) };
    let mut members: BTreeSet<Target> = read
        .targets
        .iter()
        .filter(|health| health.state != "draining")
        .map(|health| health.target.clone())
        .collect();
    let opens = steps.iter().filter_map(|step| match step {
        TargetStep::Register(target) => Some(target.id.as_str()),
        TargetStep::Deregister(_) => None,
    });
    usable_anywhere(&arn.to_string(), opens, spec, seen)?;
    let before = members.clone();
    let belongs = |target: &Target| may_hold(target, configured, read, before.contains(target), seen);
    let closes = steps.iter().any(|step| matches!(step, TargetStep::Deregister(_)));
    let mut opened = BTreeSet::new();
    for step in steps {
        match step {
            TargetStep::Register(target) => {
                if !belongs(target) {
                    let (endpoint, at) = (arn.to_string(), target.to_string());
                    return Err(Refusal::WrongNode { endpoint, at });
                }
                let is_new = members.insert(target.clone());
                if !opened.insert(target) || !(is_new || closes) {
                    return Err(Refusal::Repeats(arn.to_string()));
                }
            }
            TargetStep::Deregister(target) => {
                let (group, target) = (arn.to_string(), target.clone());
                // A reader may be deregistered at any time; a primary, or a member of a warm group, may not.
                let may_stay =
                    configured.strategy != Strategy::Exclusive || configured.role == GroupRole::Writer;
                if (may_stay && belongs(&target)) || opened.contains(&target) {
                    return Err(Refusal::ClosesOpen { group, target });
                }
                if opened.is_empty() {
                    return Err(Refusal::ClosesFirst { group, target });
                }
                if !members.remove(&target) {
                    return Err(Refusal::Repeats(group));
                }
            }
        }
    }
    Ok(())
}

/// Whether a target may be in the group: in a warm one any member, behind a listener its own;
/// else the primary, or for readers a member that is listed
/// with a lag within the limit, and the primary only where it may take the place of replicas.
fn may_hold(
    target: &Target,
    configured: &GroupSpec,
    read: &TargetGroup,
    is_there: bool,
    seen: &Seen,
) -> bool {
    let Seen { observed, primary, .. } = *seen;
    let is_at = |address: &Address| is_at(target, address, configured, read, observed);
    let is_primary = primary.address.as_ref().is_some_and(is_at);
    let views =
        observed.answers_of(primary.site.as_ref()).values().filter_map(|answer| answer.view.as_ref().ok());
    let listed = views.flat_map(|view| &view.members);
    let mut there = listed.filter(|listed| listed.address.as_ref().is_some_and(is_at));
    match (&configured.strategy, configured.role) {
        (Strategy::Warm { .. }, _) => is_primary || there.next().is_some(),
        (Strategy::Weighted { member, .. }, _) if primary.member.as_ref() == Some(member) => is_primary,
        (Strategy::Weighted { member, .. }, _) => there.any(|listed| listed.name == *member),
        (Strategy::Exclusive, GroupRole::Writer) => is_primary,
        (Strategy::Exclusive, GroupRole::Reader { primary_fallback, .. }) if is_primary => primary_fallback,
        (Strategy::Exclusive, GroupRole::Reader { max_lag_bytes, .. }) => there.any(|listed| {
            may_be_read_from(listed, max_lag_bytes) || (is_there && may_still_be_read_from(listed, seen))
        }),
    }
}

/// Whether a target is the PostgreSQL at that address, on the port that was configured or that Patroni reports, and in the
/// group's VPC and of its address family.
pub(super) fn is_at(
    target: &Target,
    address: &Address,
    configured: &GroupSpec,
    read: &TargetGroup,
    observed: &Observed,
) -> bool {
    if target.port != configured.port.unwrap_or(address.port) {
        return false;
    }
    let ips = ips_of(&address.host, observed);
    match read.target_type {
        TargetType::Ip => {
            let is_ours = |ip: IpAddr| ip.is_ipv4() == (read.family == Family::Ipv4) && ips.contains(&ip);
            target.id.parse().is_ok_and(is_ours)
        }
        TargetType::Instance => {
            let Some(Ok(instances)) = observed.instances.get(configured.arn.region()) else { return false };
            let mut there = ips.iter().filter_map(|ip| instances.get(ip)).flatten();
            there.any(|instance| {
                let elsewhere =
                    instance.vpc.as_ref().zip(read.vpc.as_ref()).is_some_and(|(its, ours)| its != ours);
                instance.id.as_str() == target.id && !elsewhere
            })
        }
    }
}
