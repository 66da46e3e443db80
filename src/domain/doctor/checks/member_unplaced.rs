//! Members that a target group cannot have.

use crate::doctor::check::{Check, Judge, Judgement, Severity, Wrong, wrong_or};
use crate::doctor::nodes::{Place, may_be_in, places};
use crate::doctor::subject::Group;
use crate::values::target::{Family, TargetGroup, TargetType};

pub const CHECK: Check = Check {
    id: "member_unplaced",
    severity: Severity::Critical,
    title: "The target group cannot follow a member",
    why: "A group takes addresses of one family, or instances of its own VPC. A member that has neither cannot be registered: once it is \
          the primary, the endpoint is held, and clients reach no primary.",
    link: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html",
    judge: Judge::Group(judge),
};

fn judge(group: &Group<'_>) -> Judgement {
    let read = match group.cluster.its.observed.groups.get(&group.spec.arn) {
        Some(Ok(read)) => read,
        // What cannot be read is found where it is read in full.
        Some(Err(failure)) => return Err(failure.into()),
        None => return Ok(Vec::new()),
    };
    let places = places(group);
    let wrong = places.known.iter().filter_map(|place| match read.target_type {
        TargetType::Ip => of_other_family(place, read),
        TargetType::Instance => of_other_vpc(group, place),
    });
    wrong_or(wrong.collect(), places.gap)
}

fn of_other_family(place: &Place, group: &TargetGroup) -> Option<Wrong> {
    let Place { name, addresses, .. } = place;
    if addresses.iter().any(|address| Family::of(*address) == group.family) {
        return None;
    }
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    // A member of a site is configured there by its own name.
    let own = name.rsplit('/').next().unwrap_or(name);
    Some(Wrong::new(
        format!("{name} has {}, and the group takes {} addresses", addresses.join(", "), group.family),
        format!(
            "in the configuration, below `addresses` of the cluster: {own} = \"{} ADDRESS\"",
            group.family
        ),
    ))
}

fn of_other_vpc(group: &Group<'_>, place: &Place) -> Option<Wrong> {
    let its = group.description().ok()?;
    let instances = group.network()?.instances.as_ref().ok()?;
    let mut there = place.addresses.iter().filter_map(|address| instances.get(address)).flatten();
    let first = there.next()?;
    if may_be_in(first, its.vpc.as_ref()) || there.any(|interface| may_be_in(interface, its.vpc.as_ref())) {
        return None;
    }
    let (vpc, arn) = (its.vpc.as_ref()?, &group.spec.arn);
    Some(Wrong::new(
        format!("{} is {} in {}, and the group is in {vpc}", place.name, first.id, first.vpc.as_ref()?),
        format!(
            "use a group of addresses: aws elbv2 create-target-group --region {} --name {}-ip --target-type ip --protocol TCP --port {} \
             --vpc-id {vpc}",
            arn.region(),
            arn.name(),
            place.port
        ),
    ))
}
