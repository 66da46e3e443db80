//! The VPCs of a private zone.

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong};
use crate::doctor::subject::{Cluster, known};

pub const CHECK: Check = Check {
    id: "zone_not_in_vpc",
    severity: Severity::Warning,
    title: "A private hosted zone does not answer in a VPC of the cluster",
    why: "A private zone answers only in the VPCs that it is associated with: elsewhere its names do not exist (NXDOMAIN). If it \
          has the VPC of one site and not of another, clients of the other site find no name when the primary is there. Where \
          clients are was not read; if none is in that VPC, ignore this.",
    link: "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-associate-vpcs.html",
    judge: Judge::Cluster(judge),
};

fn judge(cluster: &Cluster<'_>) -> Judgement {
    let zones: BTreeSet<_> = cluster.records().map(|record| &record.spec.key.place.zone).collect();
    let mut wrong = Vec::new();
    for id in zones {
        let zone = known(cluster.facts.zones.get(id))?;
        if !zone.is_private {
            continue;
        }
        let mut vpcs = BTreeMap::new();
        for group in cluster.groups() {
            if let Some(vpc) = &group.description()?.vpc {
                vpcs.insert(vpc.as_str(), group.spec.arn.region());
            }
        }
        let has = |vpc: &str| zone.vpcs.iter().any(|(_, its)| its == vpc);
        let has_some = vpcs.keys().any(|vpc| has(vpc));
        for (vpc, region) in vpcs.into_iter().filter(|(vpc, _)| !has(vpc)) {
            let its: Vec<&str> = zone.vpcs.iter().map(|(_, vpc)| vpc.as_str()).collect();
            let found = format!(
                "the private zone {id} ({}) is associated with {}, and not with {vpc}, where target groups are",
                zone.name,
                its.join(", ")
            );
            let one = Wrong::new(
                found,
                format!(
                    "aws route53 associate-vpc-with-hosted-zone --hosted-zone-id {id} --vpc VPCRegion={region},VPCId={vpc}"
                ),
            );
            // Clients may be in VPCs of their own; where the zone answers in one of several, the other was forgotten.
            wrong.push(if has_some { one } else { one.with(Severity::Info) });
        }
    }
    Ok(wrong)
}
