//! Ways from the Lambda to AWS's APIs.

use std::collections::BTreeSet;

use super::function_network::{judged, vpc};
use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, Wrong, fine};
use crate::doctor::facts::Facts;
use crate::doctor::facts::network::VpcEndpoint;
use crate::doctor::routes::{is_default, leads_to_networks, of_prefix_list, route, table};
use crate::doctor::subject::{Function, known};

pub const CHECK: Check = Check {
    id: "function_without_route_to_aws",
    severity: Severity::Critical,
    title: "The Lambda reaches no API of a service that it needs",
    why: "The interfaces of a function in a VPC have no public address, so that an internet gateway does nothing for them. Without a \
          NAT gateway or an endpoint of the service, calls end with a timeout: the endpoints are not moved, or no state is read, or \
          nothing is alerted.",
    link: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html",
    judge: Judge::Function(judge),
};

/// A service in a Region; Route 53 is in none.
type Service<'a> = (&'static str, Option<&'a str>);

fn judge(function: &Function<'_>) -> Judgement {
    let configuration = function.configuration()?;
    let Some(vpc) = vpc(configuration) else { return fine() };
    let network = function.network()?;
    let tables = known(Some(&network.route_tables))?;
    let region = configuration.arn.split(':').nth(3).unwrap_or_default();
    let needed = needed(function.facts, region);
    judged(configuration.subnets.iter().map(|subnet| {
        let table = table(tables, vpc, subnet)?;
        let default = route(table, PUBLIC).filter(|(to, _)| is_default(to)).map(|(_, gateway)| gateway);
        if default.is_some_and(|gateway| !gateway.starts_with("igw-")) {
            return Ok(None);
        }
        let endpoints = known(Some(&network.endpoints))?;
        let has_none = |service: &&Service<'_>| {
            !endpoints.iter().any(|endpoint| endpoint.vpc.as_str() == vpc && serves(endpoint, service, region))
        };
        let without: Vec<String> = needed.iter().filter(has_none).map(named).collect();
        let Some(first) = without.first() else { return Ok(None) };
        if leads_to_networks(table) || of_prefix_list(table).is_some() {
            return Err(NotChecked::Unknown(format!(
                "{subnet} in {vpc} has no default route and no endpoint of {}: whether one is in another network that its routes \
                 lead to was not read",
                without.join(", ")
            )));
        }
        let to_internet = default.map_or(String::new(), |gateway| {
            format!("; its default route leads to {gateway}, which serves public addresses alone")
        });
        Ok(Some(Wrong::new(
            format!("{subnet} in {vpc} has neither a NAT gateway nor an endpoint of {}{to_internet}", without.join(", ")),
            format!(
                "aws ec2 create-vpc-endpoint --vpc-id {vpc} --vpc-endpoint-type Interface --private-dns-enabled --subnet-ids {} \
                 --security-group-ids GROUP --service-name {first}, and for each of them",
                configuration.subnets.join(" ")
            ),
        )))
    }))
}

/// Any address of the internet (RFC 5737): the default route has it.
const PUBLIC: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

/// What passes call.
fn needed<'a>(facts: &'a Facts, region: &'a str) -> BTreeSet<Service<'a>> {
    let specs = || facts.clusters.iter().map(|cluster| &cluster.spec);
    let groups = || specs().flat_map(|spec| &spec.groups);
    let records = || specs().flat_map(|spec| &spec.records);
    let of_instances = |arn| {
        let group = facts.groups.get(arn).and_then(|its| its.group.as_ref().ok());
        group.is_some_and(|group| group.target_type == "instance")
    };
    let balancing = groups().map(|group| ("elasticloadbalancing", Some(group.arn.region())));
    let instances = groups().filter(|group| of_instances(&group.arn));
    let instances = instances.map(|group| ("ec2", Some(group.arn.region())));
    let dns = records().map(|_| ("route53", None));
    let topics = facts.configured.alert_topics.iter().map(|topic| ("sns", Some(topic.region())));
    let table = facts.configured.table.iter().map(|_| ("dynamodb", Some(region)));
    let roles = groups().map(|group| &group.assume).chain(records().map(|record| &record.assume));
    let roles = roles.flatten().map(|_| ("sts", Some(region)));
    balancing.chain(instances).chain(dns).chain(topics).chain(table).chain(roles).collect()
}

/// As AWS names the service of an endpoint; in China a `cn.` stands in front.
fn named((service, region): &Service<'_>) -> String {
    match region {
        Some(region) => format!("com.amazonaws.{region}.{service}"),
        None => format!("com.amazonaws.{service}"),
    }
}

fn serves(endpoint: &VpcEndpoint, service: &Service<'_>, region: &str) -> bool {
    let of_this = service.1.is_none_or(|its| its == region);
    of_this && endpoint.state.eq_ignore_ascii_case("available") && endpoint.service.ends_with(&named(service))
}
