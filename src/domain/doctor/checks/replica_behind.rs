//! Replicas that do not follow the primary.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong};
use crate::doctor::facts::patroni::ListedMember;
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "replica_behind",
    severity: Severity::Warning,
    title: "A replica does not follow the primary",
    why: "A replica that is not running, that does not stream, that is on another timeline or whose lag is not known cannot take over, \
          or loses transactions if it does; and no reader endpoint serves it.",
    link: "https://patroni.readthedocs.io/en/latest/replication_modes.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let members = &site.view()?.members;
    let leader = members.iter().find(|member| member.leads());
    let replicas = members.iter().filter(|member| !member.leads());
    let behind = replicas.filter_map(|member| Some((member, why(member, leader)?)));
    Ok(behind
        .map(|(member, why)| {
            let remedy = format!("patronictl reinit {} {}, if it stays so", site.spec.scope, member.name);
            Wrong::new(format!("{} {why}", member.name), remedy)
        })
        .collect())
}

fn why(member: &ListedMember, leader: Option<&ListedMember>) -> Option<String> {
    // One that is meant to replay from the archive is behind on purpose, and a running copy of data ends by itself.
    let is_of_archive = member.state == "in archive recovery" && member.has_tag("nostream");
    if member.state == "creating replica" || is_of_archive {
        return None;
    }
    if !member.runs() || member.state == "in archive recovery" {
        return Some(format!("is `{}`", member.state));
    }
    let leads_on = leader.and_then(|leader| leader.timeline);
    if let (Some(own), Some(leads_on)) = (member.timeline, leads_on)
        && own != leads_on
    {
        return Some(format!("is on timeline {own}, the leader on {leads_on}"));
    }
    member.lag_bytes.is_none().then(|| "has an unknown lag".to_owned())
}
