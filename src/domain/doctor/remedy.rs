//! Commands of the AWS CLI that more than one check names. Each has its Region: the CLI's own may be another one.

use std::collections::{BTreeMap, BTreeSet};

use crate::values::arn::GroupArn;
use crate::values::cidr::Cidr;
use crate::values::target::Family;

/// Sets attributes of a target group.
#[must_use]
pub fn set_of_group(arn: &GroupArn, attributes: &[(&str, &str)]) -> String {
    let region = arn.region();
    let attributes = listed(attributes);
    format!(
        "aws elbv2 modify-target-group-attributes --region {region} --target-group-arn {arn} --attributes {attributes}"
    )
}

/// Sets attributes of a load balancer.
#[must_use]
pub fn set_of_balancer(arn: &str, attributes: &[(&str, &str)]) -> String {
    let (region, attributes) = (region(arn), listed(attributes));
    format!(
        "aws elbv2 modify-load-balancer-attributes --region {region} --load-balancer-arn {arn} --attributes {attributes}"
    )
}

/// Has a listener forward to these groups, by weight, and not keep a client with the group that it got first.
#[must_use]
pub fn forward(listener: &str, weights: &BTreeMap<GroupArn, u32>) -> String {
    let group =
        |(arn, weight): (&GroupArn, &u32)| format!(r#"{{"TargetGroupArn":"{arn}","Weight":{weight}}}"#);
    let groups: Vec<String> = weights.iter().map(group).collect();
    format!(
        r#"aws elbv2 modify-listener --region {} --listener-arn {listener} --default-actions '[{{"Type":"forward","ForwardConfig":{{"TargetGroups":[{}]}}}}]'"#,
        region(listener),
        groups.join(",")
    )
}

/// The value of `--ip-permissions` for TCP ports and these security groups, or these networks where there is no group.
#[must_use]
pub fn permissions<'a>(
    ports: &BTreeSet<u16>,
    groups: impl IntoIterator<Item = &'a String>,
    networks: impl IntoIterator<Item = Cidr>,
) -> String {
    let groups: BTreeSet<&String> = groups.into_iter().collect();
    let networks: BTreeSet<Cidr> = networks.into_iter().collect();
    let of = |family, list: &str, key: &str| {
        let its = networks.iter().filter(|network| network.family() == family);
        let its: Vec<String> = its.map(|network| format!("{{{key}={network}}}")).collect();
        if its.is_empty() { String::new() } else { format!(",{list}=[{}]", its.join(",")) }
    };
    let others = if groups.is_empty() {
        of(Family::Ipv4, "IpRanges", "CidrIp") + &of(Family::Ipv6, "Ipv6Ranges", "CidrIpv6")
    } else {
        let groups: Vec<String> = groups.iter().map(|id| format!("{{GroupId={id}}}")).collect();
        format!(",UserIdGroupPairs=[{}]", groups.join(","))
    };
    let of_port = |port: &u16| format!("'IpProtocol=tcp,FromPort={port},ToPort={port}{others}'");
    ports.iter().map(of_port).collect::<Vec<_>>().join(" ")
}

/// The Region in an ARN.
#[must_use]
pub fn region(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}

fn listed(attributes: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        attributes.iter().map(|(name, value)| format!("Key={name},Value={value}")).collect();
    pairs.join(" ")
}
