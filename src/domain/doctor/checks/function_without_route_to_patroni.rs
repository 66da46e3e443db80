//! Routes from the Lambda to the members.

use super::function_network::{apis, judged, vpc};
use super::health_checks::is_private;
use crate::doctor::check::{Check, Judge, Judgement, NotChecked, Severity, Wrong, fine};
use crate::doctor::routes::{is_default, of_prefix_list, route, table};
use crate::doctor::subject::{Function, known};

pub const CHECK: Check = Check {
    id: "function_without_route_to_patroni",
    severity: Severity::Critical,
    title: "The Lambda has no route to a member",
    why: "Lambda runs each invocation in one of the function's subnets. From a subnet without a route to the member, Patroni's REST \
          API does not answer: the member counts as unreachable, and a pass may be held.",
    link: "https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html",
    judge: Judge::Function(judge),
};

fn judge(function: &Function<'_>) -> Judgement {
    let configuration = function.configuration()?;
    let Some(vpc) = vpc(configuration) else { return fine() };
    let tables = known(Some(&function.network()?.route_tables))?;
    let addresses = apis(function.facts);
    let private = addresses.values().flatten().filter(|address| is_private(**address));
    let private: Vec<_> = private.collect();
    judged(configuration.subnets.iter().map(|subnet| {
        let table = table(tables, vpc, subnet)?;
        // A default route to the internet has no private address behind it.
        let is_internet = |gateway: &str| ["igw-", "nat-", "eigw-"].iter().any(|kind| gateway.starts_with(kind));
        let has_none = |address: &&&std::net::IpAddr| {
            route(table, ***address).is_none_or(|(to, gateway)| is_default(&to) && is_internet(gateway))
        };
        let without: Vec<String> = private.iter().filter(has_none).map(ToString::to_string).collect();
        let Some(first) = without.first() else { return Ok(None) };
        if let Some(list) = of_prefix_list(table) {
            return Err(NotChecked::Unknown(format!(
                "{subnet} of {} has a route for the prefix list {list}, whose networks were not read",
                function.name.name()
            )));
        }
        let option = if first.contains(':') { "--destination-ipv6-cidr-block" } else { "--destination-cidr-block" };
        Ok(Some(Wrong::new(
            format!("the route table of {subnet} in {vpc} has no route to {}", without.join(", ")),
            format!(
                "aws ec2 create-route --route-table-id TABLE {option} NETWORK_OF_{first} --transit-gateway-id GATEWAY (or \
                 --vpc-peering-connection-id CONNECTION)"
            ),
        )))
    }))
}
