//! A site's alias that leads nowhere.

use crate::doctor::aliases::{Leads, leads};
use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::subject::Site;

pub const CHECK: Check = Check {
    id: "alias_without_balancer",
    severity: Severity::Critical,
    title: "The alias of a site leads to a load balancer that does not exist",
    why: "A load balancer that is created again gets another DNS name. The records point to this one, or will when the primary moves \
          to the site: clients then find no address.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-to-elb-load-balancer.html",
    judge: Judge::Site(judge),
};

fn judge(site: &Site<'_>) -> Judgement {
    let Some(alias) = site.alias() else { return fine() };
    let Leads::Nowhere(region) = leads(site.cluster.facts, alias)? else { return fine() };
    let Some(group) = site.groups().next() else {
        // It may be in another account.
        return unknown(format!("{alias} is no load balancer in {region} of the accounts that were read"));
    };
    let account = group.spec.arn.account();
    let remedy = match group.balancers()?.next() {
        Some(balancer) => {
            let its = balancer.description()?;
            let zone = its.zone.as_deref().unwrap_or("ZONE");
            format!(
                "in the [[cluster.site]] with this alias: alias = {{ zone_id = \"{zone}\", dns_name = \"{}\" }}",
                its.dns_name
            )
        }
        None => format!(
            "in the [[cluster.site]] with this alias: dns_name = the DNSName that `aws elbv2 describe-load-balancers --region {region}` \
             prints for the load balancer of the site"
        ),
    };
    wrong(format!("no load balancer in {region} of the account {account} has the DNS name {alias}"), remedy)
}
