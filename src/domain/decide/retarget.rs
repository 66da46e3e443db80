//! Why endpoints move: what the person who reads the alert asks first.
//!
//! Law: the story is told from what was remembered and what is seen; where they do not tell, it says so.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::decide::verdict::{Primary, label};
use crate::observed::witness::{Witness, witnesses};
use crate::observed::{Health, Listed, World};
use crate::plan::{Lane, ListenerStep, Plan, TargetStep};
use crate::spec::{GroupRole, Intent, PointsTo, Strategy};
use crate::state::{ConditionKind, LastPrimary, Memory};
use crate::values::cluster::{MemberName, SiteName, State};
use crate::values::endpoint::{Endpoint, GroupArn};
use crate::values::listener::Forward;
use crate::values::record::RecordChange;

/// Why endpoints move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The first time that repoint sees this cluster.
    Adoption,
    /// Another member was promoted, and the one before it lives on as a replica.
    Switchover,
    /// Another member was promoted after the one before it was lost.
    Failover,
    /// The primary is the one it was: somebody else changed an endpoint.
    Correction,
    /// The primary is the one it was: endpoints that were held, or whose change failed, follow it now.
    Late,
    /// The primary is the one it was: another standby is pointed at.
    Standby,
    /// The primary is the one it was: members have come into an endpoint that does not follow it alone, or left it.
    Members,
    /// Memory was out of reach, so nobody knows what was before; or a newer version knows.
    #[serde(other)]
    Unknown,
}

impl Cause {
    /// In snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adoption => "adoption",
            Self::Switchover => "switchover",
            Self::Failover => "failover",
            Self::Correction => "correction",
            Self::Late => "late",
            Self::Standby => "standby",
            Self::Members => "members",
            Self::Unknown => "unknown",
        }
    }
}

/// A move of endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retarget {
    /// Why.
    pub cause: Cause,
    /// What the endpoints followed before: a member's name, or an address that no member has.
    pub previous: Option<String>,
    /// The site that the endpoints followed before, if it was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_site: Option<SiteName>,
}

impl Retarget {
    /// What can be said without memory.
    #[must_use]
    pub fn untold(intent: &Intent, world: &World, plan: &Plan) -> Option<Self> {
        let previous = previous_primary(intent, plan, world);
        (!plan.is_empty()).then_some(Self { cause: Cause::Unknown, previous, previous_site: None })
    }
}

/// What a plan means, or what it means that the primary is another one than remembered; `None` if nothing has moved.
#[must_use]
pub fn retarget(
    intent: &Intent,
    memory: &Memory,
    world: &World,
    primary: &Primary,
    plan: &Plan,
) -> Option<Retarget> {
    let pointed_at = previous_primary(intent, plan, world).map(|host| named(memory, host));
    let because = |cause| Retarget { cause, previous: pointed_at.clone(), previous_site: None };
    let Some(last) = &memory.primary else { return (!plan.is_empty()).then(|| because(Cause::Adoption)) };
    let is_same = last.site == primary.site
        && match (&last.member, &primary.member) {
            (Some(last), Some(now)) => last == now,
            _ => last.address == primary.address,
        };
    if is_same {
        let cause = match () {
            () if moves_to_primary(intent, plan, primary) && was_left(intent, memory, plan, primary) => {
                Cause::Late
            }
            () if moves_to_primary(intent, plan, primary) => Cause::Correction,
            () if moves_a_standbys_record(intent, plan) => Cause::Standby,
            () => Cause::Members,
        };
        return (!plan.is_empty()).then(|| because(cause));
    }
    let before = because(if lives_on(memory, world, last) { Cause::Switchover } else { Cause::Failover });
    Some(Retarget {
        previous: last.label().or_else(|| pointed_at.clone()),
        previous_site: last.site.clone().filter(|_| last.site != primary.site),
        ..before
    })
}

/// Whether a member was never missed, and its Patroni answers and does not speak of a crash (`PostgresqlState` in its
/// `misc.py`): it may still be stopping, or starting as a replica.
fn lives_on(memory: &Memory, world: &World, last: &LastPrimary) -> bool {
    let (site, label) = (last.site.as_ref(), last.label());
    let was_missed = memory.conditions.iter().any(|condition| {
        let is_its_site = condition.kind == ConditionKind::SiteUnreachable
            && condition.subject.as_deref() == site.map(SiteName::as_str);
        is_its_site || (condition.kind == ConditionKind::MemberUnreachable && condition.subject == label)
    });
    let witnesses = witnesses(world.answers_of(site));
    let own = witnesses.iter().find(|witness| witness.name.is_some() && witness.name == last.member);
    let health = own.and_then(Witness::health);
    let is_broken = |own: &Health| match &own.state {
        State::Other(said) => said.contains("crashed") || said.contains("failed"),
        State::Running | State::Streaming | State::ArchiveRecovery => own.answers_primary,
    };
    !was_missed && health.is_some_and(|own| !is_broken(own))
}

/// The name of the member that was known at an address.
fn named(memory: &Memory, host: String) -> String {
    let sites = memory.members_of_sites.iter().map(|(site, known)| (Some(site), known));
    let mut known = sites.chain([(None, &memory.members)]).flat_map(|(site, known)| {
        known.iter().map(move |(name, known)| (label(site, name.as_str()), known.address.as_ref()))
    });
    let there = known.find(|(_, address)| address.is_some_and(|address| address.host == host));
    there.map_or(host, |(name, _)| name)
}

/// The primary that the endpoints pointed at before, if the plan moves them away from one: by its name where a member
/// has the address, or else the address, or the instance if not even that is known.
fn previous_primary(intent: &Intent, plan: &Plan, world: &World) -> Option<String> {
    let steps = plan.lanes.iter().flat_map(|lane| match lane {
        Lane::Group { arn, steps } if is_writer(intent, arn) => &steps[..],
        Lane::Group { .. } | Lane::Listeners { .. } | Lane::Zone { .. } => &[],
    });
    let removed = steps.filter_map(|step| match step {
        TargetStep::Deregister(target) => Some(target.id.clone()),
        TargetStep::Register(_) => None,
    });
    let removed = removed.map(|id| address_of_instance(world, &id).unwrap_or(id));
    let replaced = changes(plan).filter(|change| points_to(intent, change) == Some(PointsTo::Primary));
    let replaced = replaced.filter_map(|change| {
        let before = change.before.as_ref()?.answer.to_string();
        (before != change.after.answer.to_string()).then_some(before)
    });
    let sent_elsewhere = lost_connections(intent, plan).map(|member| (0, member.to_string()));
    let known = removed.chain(replaced).map(|host| match member_at(world, &host) {
        Some((site, name)) => (0, label(site.as_ref(), name.as_str())),
        None => (1 + u8::from(host.parse::<IpAddr>().is_err()), host),
    });
    sent_elsewhere.chain(known).min_by_key(|(rank, _)| *rank).map(|(_, name)| name)
}

/// Whether a plan changes anything that follows the primary, and not only where a standby's record points or who may be
/// read from.
fn moves_to_primary(intent: &Intent, plan: &Plan, primary: &Primary) -> bool {
    moved_to_primary(intent, plan, primary).next().is_some()
}

/// The endpoints that a plan moves to the primary.
fn moved_to_primary<'a>(
    intent: &'a Intent,
    plan: &'a Plan,
    primary: &'a Primary,
) -> impl Iterator<Item = Endpoint> + 'a {
    let lanes = plan.lanes.iter().flat_map(move |lane| match lane {
        Lane::Group { arn, .. } if is_writer(intent, arn) || is_of_primary(intent, arn, primary) => {
            vec![Endpoint::Group(arn.clone())]
        }
        Lane::Listeners { steps } => steps.iter().filter_map(listener_of).collect(),
        Lane::Group { .. } | Lane::Zone { .. } => Vec::new(),
    });
    let records = changes(plan)
        .filter(move |change| matches!(points_to(intent, change), Some(PointsTo::Primary | PointsTo::Site)));
    lanes.chain(records.map(|change| Endpoint::Record(change.after.key.clone())))
}

/// The listener whose weights a step changes.
fn listener_of(step: &ListenerStep) -> Option<Endpoint> {
    match step {
        ListenerStep::Weights(weights) => Some(Endpoint::Listener(weights.listener.clone())),
        ListenerStep::Target(..) => None,
    }
}

/// Whether all of them were left behind when the others moved.
fn was_left(intent: &Intent, memory: &Memory, plan: &Plan, primary: &Primary) -> bool {
    moved_to_primary(intent, plan, primary).all(|endpoint| {
        let subject = endpoint.to_string();
        memory.conditions.iter().any(|condition| {
            matches!(condition.kind, ConditionKind::EndpointHeld | ConditionKind::ApplyFailed)
                && condition.subject.as_ref() == Some(&subject)
        })
    })
}

fn moves_a_standbys_record(intent: &Intent, plan: &Plan) -> bool {
    changes(plan).any(|change| points_to(intent, change) == Some(PointsTo::Standby))
}

fn changes(plan: &Plan) -> impl Iterator<Item = &RecordChange> {
    plan.lanes.iter().flat_map(|lane| match lane {
        Lane::Group { .. } | Lane::Listeners { .. } => &[],
        Lane::Zone { changes, .. } => &changes[..],
    })
}

/// Where a changed record is to point.
fn points_to(intent: &Intent, change: &RecordChange) -> Option<PointsTo> {
    let wanted = intent.records.iter().find(|wanted| wanted.key == change.after.key)?;
    Some(wanted.points_to)
}

/// Whether a group holds the primary alone.
fn is_writer(intent: &Intent, arn: &GroupArn) -> bool {
    intent.groups.iter().any(|group| {
        group.arn == *arn && group.role == GroupRole::Writer && group.strategy == Strategy::Exclusive
    })
}

/// Whether a group is the one that gets the connections while this is the primary.
fn is_of_primary(intent: &Intent, arn: &GroupArn, primary: &Primary) -> bool {
    let group = intent.groups.iter().find(|group| group.arn == *arn);
    let member = group.and_then(|group| group.strategy.member());
    member.is_some() && member == primary.member.as_ref()
}

/// The members whose groups get connections and will not any more.
fn lost_connections<'a>(intent: &'a Intent, plan: &'a Plan) -> impl Iterator<Item = &'a MemberName> {
    let steps = plan.lanes.iter().flat_map(|lane| match lane {
        Lane::Listeners { steps } => &steps[..],
        Lane::Group { .. } | Lane::Zone { .. } => &[],
    });
    steps.flat_map(|step| {
        let ListenerStep::Weights(weights) = step else { return Vec::new() };
        let loses = |group: &GroupArn| {
            let weight = |of: &Forward| of.weights.get(group).copied().unwrap_or(0);
            weight(&weights.before) > 0 && weight(&weights.after) == 0
        };
        let losing = intent.groups.iter().filter(|group| loses(&group.arn));
        losing.filter_map(|group| group.strategy.member()).collect()
    })
}

fn address_of_instance(world: &World, id: &str) -> Option<String> {
    let mut known = world.instances.values().flatten().flatten();
    let (address, _) =
        known.find(|(_, instances)| instances.iter().any(|instance| instance.id.as_str() == id))?;
    Some(address.to_string())
}

fn member_at(world: &World, host: &str) -> Option<(Option<SiteName>, MemberName)> {
    let is_there = |listed: &&Listed| {
        listed.address.as_ref().is_some_and(|address| {
            let resolved = world.names.get(&address.host).and_then(|read| read.as_ref().ok());
            address.host == host || resolved.is_some_and(|ips| ips.iter().any(|ip| ip.to_string() == host))
        })
    };
    world.sites.iter().find_map(|(site, answers)| {
        let views = answers.values().filter_map(|answer| answer.view.as_ref().ok());
        let listed = views.flat_map(|view| &view.members).find(is_there)?;
        Some((site.clone(), listed.name.clone()))
    })
}
