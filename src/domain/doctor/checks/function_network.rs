//! What the checks of the Lambda's network share.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::doctor::check::{Judgement, NotChecked, Wrong};
use crate::doctor::facts::Facts;
use crate::doctor::facts::function::FunctionConfiguration;
use crate::doctor::subject::Cluster;
use crate::values::cluster::ApiUrl;

/// The REST APIs of all members, with their addresses where they are known. One on this machine alone is left out.
pub(super) fn apis(facts: &Facts) -> BTreeMap<&ApiUrl, Option<IpAddr>> {
    let mut apis = BTreeMap::new();
    for site in facts.clusters.iter().map(|its| Cluster { facts, its }).flat_map(Cluster::sites) {
        let answers = site.cluster.its.observed.answers_of(site.spec.name.as_ref());
        for url in site.spec.members.iter().chain(answers.keys()) {
            let peer = answers.get(url).and_then(|answer| answer.peer).map(|peer| peer.ip());
            let address = url.host().parse().ok().or(peer.filter(|peer| !peer.is_loopback()));
            if !address.is_some_and(|address: IpAddr| address.is_loopback()) {
                apis.insert(url, address);
            }
        }
    }
    apis
}

/// The VPC that a function is in.
pub(super) fn vpc(function: &FunctionConfiguration) -> Option<&str> {
    function.vpc.as_deref().filter(|vpc| !vpc.is_empty() && !function.subnets.is_empty())
}

/// What is wrong; where nothing is, why something is not known.
pub(super) fn judged(each: impl IntoIterator<Item = Result<Option<Wrong>, NotChecked>>) -> Judgement {
    let (mut wrong, mut unknown) = (Vec::new(), None);
    for one in each {
        match one {
            Ok(found) => wrong.extend(found),
            Err(why) => unknown = Some(why),
        }
    }
    match unknown {
        Some(why) if wrong.is_empty() => Err(why),
        _ => Ok(wrong),
    }
}
