//! Why endpoints move: the first question of an engineer who reads the alert.
//!
//! The cause is derived from the state and from what is observed; where those do not show it, it is unknown.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::observed::member::{Member, members};
use crate::observed::{ClusterMember, MemberStatus, Observed};
use crate::plan::{Plan, StepGroup, TargetStep};
use crate::spec::{GroupRole, PointsTo, Spec, Strategy};
use crate::state::{ConditionKind, LastPrimary, State};
use crate::values::arn::GroupArn;
use crate::values::cluster::{MemberName, PostgresState, SiteName};
use crate::values::endpoint::Endpoint;
use crate::values::haproxy::{BackendKey, ServerChange, ServerState};
use crate::values::listener::Forward;
use crate::values::moves::{Move, MoveCause};
use crate::values::primary::{Primary, label};
use crate::values::record::RecordChange;

/// What can be said without the state.
#[must_use]
pub fn without_state(spec: &Spec, observed: &Observed, plan: &Plan) -> Option<Move> {
    let previous = previous_primary(spec, plan, observed);
    (!plan.is_empty()).then_some(Move { cause: MoveCause::Unknown, previous, previous_site: None })
}

/// What a plan means, or what it means that the primary is another one than remembered; `None` if nothing has moved.
#[must_use]
pub fn moves(
    spec: &Spec,
    state: &State,
    observed: &Observed,
    primary: &Primary,
    plan: &Plan,
) -> Option<Move> {
    let pointed_at = previous_primary(spec, plan, observed).map(|host| named(state, host));
    let because = |cause| Move { cause, previous: pointed_at.clone(), previous_site: None };
    let Some(last) = &state.primary else { return (!plan.is_empty()).then(|| because(MoveCause::Adoption)) };
    let is_same = last.site == primary.site
        && match (&last.member, &primary.member) {
            (Some(last), Some(now)) => last == now,
            _ => last.address == primary.address,
        };
    if is_same && is_upkeep(spec, plan) {
        return None;
    }
    if is_same {
        let cause = match () {
            () if moves_to_primary(spec, plan, primary) && was_left(spec, state, plan, primary) => {
                MoveCause::Late
            }
            () if moves_to_primary(spec, plan, primary) => MoveCause::Correction,
            () if moves_a_standbys_record(spec, plan) => MoveCause::Standby,
            () => MoveCause::Members,
        };
        return (!plan.is_empty()).then(|| because(cause));
    }
    let before =
        because(if lives_on(state, observed, last) { MoveCause::Switchover } else { MoveCause::Failover });
    Some(Move {
        previous: last.label().or_else(|| pointed_at.clone()),
        previous_site: last.site.clone().filter(|_| last.site != primary.site),
        ..before
    })
}

/// Whether a member was never missed, and its Patroni answers and does not speak of a crash (`PostgresqlState` in its
/// `misc.py`): it may still be stopping, or starting as a replica.
fn lives_on(state: &State, observed: &Observed, last: &LastPrimary) -> bool {
    let (site, label) = (last.site.as_ref(), last.label());
    let was_missed = state.conditions.iter().any(|condition| {
        let is_its_site = condition.kind == ConditionKind::SiteUnreachable
            && condition.subject.as_deref() == site.map(SiteName::as_str);
        is_its_site || (condition.kind == ConditionKind::MemberUnreachable && condition.subject == label)
    });
    let members = members(observed.answers_of(site));
    let own = members.iter().find(|member| member.name.is_some() && member.name == last.member);
    let status = own.and_then(Member::status);
    let is_broken = |own: &MemberStatus| match &own.state {
        PostgresState::Other(word) => word.contains("crashed") || word.contains("failed"),
        PostgresState::Running | PostgresState::Streaming | PostgresState::ArchiveRecovery => {
            own.answers_primary
        }
    };
    !was_missed && status.is_some_and(|own| !is_broken(own))
}

/// The name of the member that was known at an address.
fn named(state: &State, host: String) -> String {
    let sites = state.members_of_sites.iter().map(|(site, known)| (Some(site), known));
    let mut known = sites.chain([(None, &state.members)]).flat_map(|(site, known)| {
        known.iter().map(move |(name, known)| (label(site, name.as_str()), known.address.as_ref()))
    });
    let there = known.find(|(_, address)| address.is_some_and(|address| address.host == host));
    there.map_or(host, |(name, _)| name)
}

/// The primary that the endpoints pointed at before, if the plan moves them away from one: by its name where a member
/// has the address, or else the address, or the instance if not even that is known.
fn previous_primary(spec: &Spec, plan: &Plan, observed: &Observed) -> Option<String> {
    let steps = plan.target_steps().filter(|(arn, _)| is_writer(spec, arn));
    let removed = steps.filter_map(|(_, step)| match step {
        TargetStep::Deregister(target) => Some(target.id.clone()),
        TargetStep::Register(_) => None,
    });
    let removed = removed.map(|id| address_of_instance(observed, &id).unwrap_or(id));
    let replaced = plan.record_changes().filter(|change| points_to(spec, change) == Some(PointsTo::Primary));
    let replaced = replaced.filter_map(|change| {
        let before = change.before.as_ref()?.answer.to_string();
        (before != change.after.answer.to_string()).then_some(before)
    });
    let closed = server_changes(spec, plan).filter_map(|(_, change)| led_to(change));
    let sent_elsewhere = lost_connections(spec, plan).map(|member| (0, member.to_string()));
    let known = removed.chain(replaced).chain(closed).map(|host| match member_at(observed, &host) {
        Some((site, name)) => (0, label(site.as_ref(), name.as_str())),
        None => (1 + u8::from(host.parse::<IpAddr>().is_err()), host),
    });
    sent_elsewhere.chain(known).min_by_key(|(rank, _)| *rank).map(|(_, name)| name)
}

/// Whether a plan changes anything that follows the primary, and not only where a standby's record points or who may be
/// read from.
fn moves_to_primary(spec: &Spec, plan: &Plan, primary: &Primary) -> bool {
    moved_to_primary(spec, plan, primary).next().is_some()
}

/// The endpoints that a plan moves to the primary.
fn moved_to_primary<'a>(
    spec: &'a Spec,
    plan: &'a Plan,
    primary: &'a Primary,
) -> impl Iterator<Item = Endpoint> + 'a {
    let groups = plan.target_steps().map(|(arn, _)| arn);
    let groups = groups.filter(|arn| is_writer(spec, arn) || is_of_primary(spec, arn, primary));
    let groups: BTreeSet<Endpoint> = groups.map(|arn| Endpoint::Group(arn.clone())).collect();
    let listeners = plan.weight_changes().map(|change| Endpoint::Listener(change.listener.clone()));
    let backends = server_changes(spec, plan).filter(|(_, change)| change.after.state == ServerState::Up);
    let backends: BTreeSet<Endpoint> = backends.map(|(key, _)| Endpoint::Backend(key.clone())).collect();
    let records = plan
        .record_changes()
        .filter(move |change| matches!(points_to(spec, change), Some(PointsTo::Primary | PointsTo::Site)));
    let records = records.map(|change| Endpoint::Record(change.after.key.clone()));
    groups.into_iter().chain(listeners).chain(records).chain(backends)
}

/// Whether all of them were left behind when the others moved.
fn was_left(spec: &Spec, state: &State, plan: &Plan, primary: &Primary) -> bool {
    moved_to_primary(spec, plan, primary).all(|endpoint| {
        let subject = endpoint.to_string();
        state.conditions.iter().any(|condition| {
            matches!(condition.kind, ConditionKind::EndpointHeld | ConditionKind::ApplyFailed)
                && condition.subject.as_ref() == Some(&subject)
        })
    })
}

fn moves_a_standbys_record(spec: &Spec, plan: &Plan) -> bool {
    plan.record_changes().any(|change| points_to(spec, change) == Some(PointsTo::Standby))
}

/// The changes of backends that lead to the primary.
fn server_changes<'a>(
    spec: &'a Spec,
    plan: &'a Plan,
) -> impl Iterator<Item = (&'a BackendKey, &'a ServerChange)> {
    plan.server_changes().filter(|(key, _)| {
        spec.backends.iter().any(|backend| backend.key == **key && backend.role == GroupRole::Writer)
    })
}

/// Whether a plan only keeps servers closed that lead to no primary: a reload of HAProxy opens them for a moment, and so does a
/// check that finds replicas good, again and again.
fn is_upkeep(spec: &Spec, plan: &Plan) -> bool {
    let has_others =
        plan.step_groups.iter().any(|step_group| !matches!(step_group, StepGroup::Backend { .. }));
    let closed = server_changes(spec, plan).filter(|(_, change)| change.after.state != ServerState::Up);
    !plan.is_empty() && !has_others && closed.count() == plan.server_changes().count()
}

/// Where a server got connections that it gets no more there.
fn led_to(change: &ServerChange) -> Option<String> {
    let before = change.before.as_ref().filter(|before| before.state == ServerState::Up)?;
    let stays = change.after.state == ServerState::Up && change.after.target == before.target;
    before.target.as_ref().filter(|_| !stays).map(|target| target.id.clone())
}

/// Where a changed record is to point.
fn points_to(spec: &Spec, change: &RecordChange) -> Option<PointsTo> {
    let wanted = spec.records.iter().find(|wanted| wanted.key == change.after.key)?;
    Some(wanted.points_to)
}

/// Whether a group holds the primary alone.
fn is_writer(spec: &Spec, arn: &GroupArn) -> bool {
    spec.groups.iter().any(|group| {
        group.arn == *arn && group.role == GroupRole::Writer && group.strategy == Strategy::Exclusive
    })
}

/// Whether a group is the one that gets the connections while this is the primary.
fn is_of_primary(spec: &Spec, arn: &GroupArn, primary: &Primary) -> bool {
    let group = spec.groups.iter().find(|group| group.arn == *arn);
    let member = group.and_then(|group| group.strategy.member());
    member.is_some() && member == primary.member.as_ref()
}

/// The members whose groups get connections and will not any more.
fn lost_connections<'a>(spec: &'a Spec, plan: &'a Plan) -> impl Iterator<Item = &'a MemberName> {
    plan.weight_changes().flat_map(|weights| {
        let loses = |group: &GroupArn| {
            let weight = |of: &Forward| of.weights.get(group).copied().unwrap_or(0);
            weight(&weights.before) > 0 && weight(&weights.after) == 0
        };
        let losing = spec.groups.iter().filter(|group| loses(&group.arn));
        losing.filter_map(|group| group.strategy.member()).collect::<Vec<_>>()
    })
}

fn address_of_instance(observed: &Observed, id: &str) -> Option<String> {
    let mut known = observed.instances.values().flatten().flatten();
    let (address, _) =
        known.find(|(_, instances)| instances.iter().any(|instance| instance.id.as_str() == id))?;
    Some(address.to_string())
}

fn member_at(observed: &Observed, host: &str) -> Option<(Option<SiteName>, MemberName)> {
    let is_there = |listed: &&ClusterMember| {
        listed.address.as_ref().is_some_and(|address| {
            let resolved = observed.names.get(&address.host).and_then(|read| read.as_ref().ok());
            address.host == host || resolved.is_some_and(|ips| ips.iter().any(|ip| ip.to_string() == host))
        })
    };
    observed.sites.iter().find_map(|(site, answers)| {
        let views = answers.values().filter_map(|answer| answer.view.as_ref().ok());
        let listed = views.flat_map(|view| &view.members).find(is_there)?;
        Some((site.clone(), listed.name.clone()))
    })
}
