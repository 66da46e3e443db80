//! Where aliases lead.

use super::check::NotChecked;
use super::facts::Facts;
use super::subject::known;
use crate::values::record::{Alias, RecordName};

/// Where an alias leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads<'a> {
    /// To this load balancer: its ARN.
    To(&'a str),
    /// To a name of a load balancer that none of this Region has, in the accounts that were read.
    Nowhere(&'a str),
    /// Not to a load balancer.
    Elsewhere,
}

/// Where that alias leads.
///
/// # Errors
/// If the load balancers of its Region could not be read.
pub fn leads<'a>(facts: &'a Facts, alias: &'a Alias) -> Result<Leads<'a>, NotChecked> {
    let Some(region) = region(&alias.dns_name) else { return Ok(Leads::Elsewhere) };
    let mut unread = Some(NotChecked::Unknown(format!("the load balancers of {region} were not read")));
    for (_, read) in facts.balancer_names.iter().filter(|(place, _)| place.region == region) {
        match known(Some(read)) {
            Ok(names) => {
                if let Some((_, arn)) = names.iter().find(|(name, _)| is_same(&alias.dns_name, name)) {
                    return Ok(Leads::To(arn));
                }
                unread = unread.filter(|why| matches!(why, NotChecked::Failed(_)));
            }
            Err(why) => unread = Some(why),
        }
    }
    unread.map_or(Ok(Leads::Nowhere(region)), Err)
}

/// Whether an alias's name is that DNS name of a load balancer.
#[must_use]
pub fn is_same(alias: &str, dns_name: &str) -> bool {
    let name = |text: &str| {
        let name = RecordName::new(text);
        name.as_str().strip_prefix("dualstack.").unwrap_or(name.as_str()).to_owned()
    };
    name(alias) == name(dns_name)
}

/// The Region in the DNS name of a load balancer: `pg-50dc.elb.us-east-1.amazonaws.com`, or `….us-east-1.elb.amazonaws.com` of one
/// for HTTP.
fn region(dns_name: &str) -> Option<&str> {
    let labels: Vec<&str> = dns_name.split('.').collect();
    let at = labels.iter().position(|label| *label == "elb")?;
    match labels.get(at + 1) {
        Some(&"amazonaws") => at.checked_sub(1).map(|before| labels[before]),
        next => next.copied(),
    }
}
