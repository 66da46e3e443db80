//! A health check that stays with one member.

use std::collections::BTreeSet;

use super::health_checks::{by_end, is_private, of_alarm};
use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, fine};
use crate::doctor::subject::{Member, Record, Site};
use crate::spec::PointsTo;
use crate::values::record::RecordName;

pub const CHECK: Check = Check {
    id: "health_check_of_one_member",
    severity: Severity::Critical,
    title: "The health check of a failover record asks one member",
    why: "The record follows the primary from member to member, and its health check stays where it is. After a failover the record \
          points to the new primary, and Route 53 takes it for unhealthy because the old one is down: clients get the SECONDARY.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-private-hosted-zones.html",
    judge: Judge::Record(judge),
};

fn judge(record: &Record<'_>) -> Judgement {
    let Some(failover) = record.spec.failover else { return fine() };
    if !matches!(record.spec.points_to, PointsTo::Primary | PointsTo::Standby) {
        return fine();
    }
    let Some((id, check)) = record.health_check()? else { return fine() };
    let Some(asked) = check.address.as_ref().or(check.host.as_ref()) else { return fine() };
    let members: BTreeSet<RecordName> =
        record.cluster.sites().flat_map(hosts).map(|host| RecordName::new(&host)).collect();
    let is_private = asked.parse().is_ok_and(is_private);
    let is_a_members = members.len() > 1 && members.contains(&RecordName::new(asked));
    if check.is_disabled || is_private || !is_a_members {
        return fine();
    }
    let found = format!("the health check {id} asks {asked}, where one of the members is");
    Ok(vec![by_end(Wrong::new(found, of_alarm(record)), failover)])
}

/// Where the members of a site are, as far as that is configured or listed.
fn hosts(site: Site<'_>) -> Vec<String> {
    let configured = site.spec.members.iter().map(|url| url.host().to_owned());
    let reached = site.spec.addresses.values().map(|reached| reached.host.clone());
    let views = site.members().filter_map(|member: Member<'_>| member.answer()?.view.as_ref().ok());
    let listed = views.flat_map(|view| &view.members).filter_map(|member| member.address.as_ref());
    configured.chain(reached).chain(listed.map(|address| address.host.clone())).collect()
}
