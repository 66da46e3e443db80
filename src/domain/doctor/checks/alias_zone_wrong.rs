//! The zone of a site's alias.

use crate::doctor::aliases::{Leads, leads};
use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::subject::{Site, known};

pub const CHECK: Check = Check {
    id: "alias_zone_wrong",
    severity: Severity::Critical,
    title: "The alias of a site has the wrong hosted zone",
    why: "The zone of an alias is that of the load balancer's DNS name, one for each Region. Route 53 refuses every change to an alias \
          with another one: the record cannot follow the primary to this site.",
    link: "https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let Some(alias) = site.alias() else { return fine() };
    let facts = site.cluster.facts;
    let Leads::To(arn) = leads(facts, alias)? else { return fine() };
    let balancer = known(facts.balancers.get(arn).map(|its| &its.balancer))?;
    match balancer.zone.as_deref() {
        None => unknown(format!("the hosted zone of the DNS name of {} was not read", balancer.name)),
        Some(zone) if zone == alias.zone.as_str() => fine(),
        Some(zone) => wrong(
            format!("the alias {alias} has zone_id {}, and CanonicalHostedZoneId is {zone}", alias.zone),
            format!("in the [[cluster.site]] with this alias: zone_id = \"{zone}\""),
        ),
    }
}
