//! A Lambda outside of the members' network.

use super::function_network::{apis, vpc};
use super::health_checks::is_private;
use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, unknown, wrong};
use crate::doctor::subject::Function;

pub const CHECK: Check = Check {
    id: "function_outside_vpc",
    severity: Severity::Critical,
    title: "The Lambda is in no VPC, and the members have private addresses",
    why: "A function without a VPC reaches the internet and AWS, and no private address. It cannot ask Patroni: every pass is held as \
          unreachable.",
    link: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html",
    judge: Judge::Function(judge),
};

fn judge(function: &Function<'_>) -> Judgement {
    if vpc(function.configuration()?).is_some() {
        return fine();
    }
    let apis = apis(function.facts);
    let private: Vec<String> = apis
        .iter()
        .filter(|(_, address)| address.is_some_and(is_private))
        .map(|(url, _)| url.to_string())
        .collect();
    if !private.is_empty() {
        return wrong(
            format!("VpcConfig is empty, and members are at {}", private.join(", ")),
            function.change("--vpc-config SubnetIds=SUBNET,SecurityGroupIds=GROUP"),
        );
    }
    match apis.iter().find(|(_, address)| address.is_none()) {
        Some((url, _)) => {
            unknown(format!("the function is in no VPC, and the address of {url} is not known"))
        }
        None => fine(),
    }
}
