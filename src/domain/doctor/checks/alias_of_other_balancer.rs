//! A site's alias of a load balancer that its target groups are not behind.

use crate::doctor::aliases::{Leads, leads};
use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "alias_of_other_balancer",
    severity: Severity::Warning,
    title: "The alias of a site leads to another load balancer than its target groups are behind",
    why: "repoint moves the targets of the configured groups, and the name leads past them: clients that use the name do not follow \
          the primary within the site. This is often an old load balancer that was kept beside the new one.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-to-elb-load-balancer.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let Some(alias) = site.alias() else { return fine() };
    let Leads::To(arn) = leads(site.cluster.facts, alias)? else { return fine() };
    let mut behind = Vec::new();
    for group in site.groups() {
        behind.extend(group.balancers()?);
    }
    if behind.iter().any(|balancer| balancer.arn == arn) {
        return fine();
    }
    // Without a load balancer there is a finding about the groups; without groups the load balancer is the operator's.
    let Some(other) = behind.first() else { return fine() };
    let its = other.description()?;
    wrong(
        format!(
            "the alias {alias} is that of {arn}, and the target groups of the site are behind {}",
            other.arn
        ),
        format!(
            "in the [[cluster.site]] with this alias: alias = {{ zone_id = \"{}\", dns_name = \"{}\" }}",
            its.zone.as_deref().unwrap_or("ZONE"),
            its.dns_name
        ),
    )
}
