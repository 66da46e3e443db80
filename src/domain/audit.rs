//! The last question before anything is written: may this be done at all?
//!
//! Law: it is written from the laws, not from the planner, and shares no code with it. A plan that it refuses is a
//! mistake in repoint: nothing of it is applied, and people are told. [`Checked`] can be had from here alone.

mod identity;
mod listener;

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::decide::verdict::{Hold, Verdict};
use crate::observed::{ClusterMember, MemberStatus, Observed};
use crate::plan::{Plan, StepGroup, TargetStep};
use crate::spec::{GroupRole, GroupSpec, PointsTo, RecordSpec, Site, Spec, Strategy};
use crate::state::State;
use crate::values::arn::GroupArn;
use crate::values::cluster::{Address, PostgresState, Role, SiteName, SystemId, Timeline};
use crate::values::host::{is_fit as is_fit_address, is_loopback, is_qualified_name};
use crate::values::primary::Primary;
use crate::values::record::{
    Alias, Answer, Failover, RecordChange, RecordKey, RecordName, RecordPlace, RecordSet, RecordType,
    Routing, ZoneId,
};
use crate::values::target::{Family, Target, TargetGroup, TargetType};
use crate::values::timestamp::Timestamp;

/// A plan that breaks no law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked(Plan);

impl Checked {
    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0
    }
}

/// Why a plan must not be applied; the number is the law's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Law 3. Endpoints of readers may follow the leader of a standby cluster.
    #[error("it moves endpoints although nobody is known to be the primary (law 3)")]
    NoPrimary,
    /// Law 4.
    #[error("it goes back to timeline {to}, and timeline {applied} was applied before (law 4)")]
    Backwards {
        /// The plan's.
        to: Timeline,
        /// What memory holds.
        applied: Timeline,
    },
    /// Law 4: timelines of two systems cannot be compared.
    #[error("it follows system {found}, and this cluster is system {expected} (law 4)")]
    WrongSystem {
        /// The plan's.
        found: SystemId,
        /// What memory or the configuration holds.
        expected: SystemId,
    },
    /// Law 14: what the state knows makes nobody the primary.
    #[error(
        "it follows {0}, and no configured member lists it, although some can tell who belongs to the cluster (law 14)"
    )]
    Unconfirmed(String),
    /// Law 14: a cluster is not identified by its scope alone.
    #[error("the state is kept for other endpoints than those that are configured (law 14)")]
    StateOfOthers,
    /// Law 4: a site that another one was followed after may lack what was written there.
    #[error(
        "it goes to {to}, which another site was followed after, and which nobody has seen to follow that (law 4)"
    )]
    BackToSite {
        /// The plan's.
        to: SiteName,
    },
    /// Law 3: a group in another site than the primary's.
    #[error("it changes {0}, which belongs to another site than the primary (law 3)")]
    OtherSite(String),
    /// Law 7.
    #[error("it touches {0}, which is not configured for this cluster (law 7)")]
    NotOurs(String),
    /// Law 2.
    #[error("it changes {0}, which could not be read (law 2)")]
    Unread(String),
    /// Law 5.
    #[error("it leaves {0} empty (law 5)")]
    Empties(String),
    /// Law 6, and so law 5: what is left holds the primary.
    #[error("it deregisters {target} from {group} before the primary is registered there (law 6)")]
    ClosesFirst {
        /// The group.
        group: String,
        /// What would go.
        target: Target,
    },
    /// Law 6.
    #[error("it lets {listener} send connections to {group} before the primary is registered there (law 6)")]
    SendsFirst {
        /// The listener.
        listener: String,
        /// The primary's group.
        group: String,
    },
    /// Law 6.
    #[error("it deregisters {target}, which belongs there, from {group} (law 6)")]
    ClosesOpen {
        /// The group.
        group: String,
        /// What would go.
        target: Target,
    },
    /// Law 3.
    #[error("it points {endpoint} at {at}, and whom it follows is not there (law 3)")]
    WrongNode {
        /// The endpoint.
        endpoint: String,
        /// Where it would point.
        at: String,
    },
    /// Law 8: what only this machine believes.
    #[error("it points {endpoint} at {at}, which other machines cannot use (law 8)")]
    OwnView {
        /// The endpoint.
        endpoint: String,
        /// Where it would point.
        at: String,
    },
    /// Law 7.
    #[error(
        "it replaces {0} by something that is not the same, or drops a part of it that is not repoint's (law 7)"
    )]
    Rewrites(String),
    /// Law 7.
    #[error("it puts {0} beside a record set of another type that leaves no room (law 7)")]
    Crowds(String),
    /// Law 8.
    #[error("it changes {0} twice, or to what it is (law 8)")]
    Repeats(String),
}

/// How long after another member has begun to lead a replica may stay where it is because it answers: what the design
/// allows, and as long again, since a plan may be older than its audit.
const STAYS_FOR_MS: u64 = 60_000;

/// Checks a plan against the laws, at this time.
///
/// # Errors
/// The first law that it breaks.
pub fn audit(
    plan: &Plan,
    spec: &Spec,
    observed: &Observed,
    verdict: &Verdict,
    state: &State,
    now: Timestamp,
) -> Result<Checked, Refusal> {
    if plan.step_groups.is_empty() {
        return Ok(Checked(plan.clone()));
    }
    let (primary, is_standby) = match verdict {
        Verdict::Primary(primary) => (primary, false),
        Verdict::Hold(Hold::StandbyCluster { serves: Some(leader), .. }) => (&**leader, true),
        Verdict::Hold(_) => return Err(Refusal::NoPrimary),
    };
    if is_standby {
        serves_readers_alone(plan, spec, observed, primary)?;
    }
    never_backwards(primary, spec, state)?;
    if state.is_of_others(spec) {
        return Err(Refusal::StateOfOthers);
    }
    identity::is_configured(primary, spec, observed, state)?;
    never_back_to_a_site(primary, observed, state)?;
    let seen = &Seen { observed, primary, leads_newly: leads_newly(primary, state, now) };
    let mut touched = BTreeSet::new();
    for step_group in &plan.step_groups {
        match step_group {
            StepGroup::Group { arn, steps } => {
                once(&mut touched, arn.to_string())?;
                group(arn, steps, spec, seen)?;
                listener::closes_nothing_in_use(arn, steps, spec, observed, primary)?;
            }
            StepGroup::Listeners { steps } => listener::listeners(steps, spec, seen, &mut touched)?,
            StepGroup::Zone { zone, changes } => {
                for change in changes {
                    once(&mut touched, change.after.key.to_string())?;
                    record(zone, change, spec, seen)?;
                }
            }
        }
    }
    Ok(Checked(plan.clone()))
}

/// What a plan is judged by.
struct Seen<'a> {
    observed: &'a Observed,
    primary: &'a Primary,
    /// Whether replicas may still be on their way to it.
    leads_newly: bool,
}

/// Whether memory holds that another one led until lately, or led before.
fn leads_newly(primary: &Primary, state: &State, now: Timestamp) -> bool {
    let before = state.leader.as_ref().map(|known| (known.timeline, &known.member, known.since));
    match before {
        Some((timeline, member, since)) if timeline == primary.timeline && *member == primary.member => {
            since.is_some_and(|Timestamp(since)| since.abs_diff(now.0) < STAYS_FOR_MS)
        }
        Some(_) => true,
        None => state.highest_timeline.is_some_and(|applied| applied < primary.timeline),
    }
}

/// A standby cluster takes no writes: only endpoints of readers follow its leader, which says that it is one.
fn serves_readers_alone(
    plan: &Plan,
    spec: &Spec,
    observed: &Observed,
    leader: &Primary,
) -> Result<(), Refusal> {
    let answers = observed.answers_of(leader.site.as_ref()).values();
    let mut said = answers.filter_map(|answer| answer.health.as_ref().ok());
    let leads = said.any(|own| {
        own.role == Role::StandbyLeader
            && own.timeline == Some(leader.timeline)
            && own.system_id.as_ref() == Some(&leader.system_id)
    });
    let is_readers = |step_group: &StepGroup| match step_group {
        StepGroup::Listeners { .. } => false,
        StepGroup::Group { arn, .. } => {
            let mut groups = spec.groups.iter();
            groups.any(|group| group.arn == *arn && matches!(group.role, GroupRole::Reader { .. }))
        }
        StepGroup::Zone { changes, .. } => changes.iter().all(|change| {
            let mut records = spec.records.iter();
            records.any(|record| {
                record.key == change.after.key && matches!(record.points_to, PointsTo::Readers { .. })
            })
        }),
    };
    if leads && plan.step_groups.iter().all(is_readers) { Ok(()) } else { Err(Refusal::NoPrimary) }
}

fn once(touched: &mut BTreeSet<String>, endpoint: String) -> Result<(), Refusal> {
    if touched.contains(&endpoint) {
        return Err(Refusal::Repeats(endpoint));
    }
    touched.insert(endpoint);
    Ok(())
}

fn never_backwards(primary: &Primary, spec: &Spec, state: &State) -> Result<(), Refusal> {
    for expected in [&spec.system_id, &state.system_id].into_iter().flatten() {
        if *expected != primary.system_id {
            let (found, expected) = (primary.system_id.clone(), expected.clone());
            return Err(Refusal::WrongSystem { found, expected });
        }
    }
    match state.highest_timeline {
        Some(applied) if primary.timeline < applied => {
            Err(Refusal::Backwards { to: primary.timeline, applied })
        }
        _ => Ok(()),
    }
}

/// Another site than the one that was followed must be ahead of all that was applied, and one that lives apart must be
/// vouched for: by those who were followed, who now replay its timeline.
fn never_back_to_a_site(primary: &Primary, observed: &Observed, state: &State) -> Result<(), Refusal> {
    let (Some(to), Some(from)) = (&primary.site, &state.site) else { return Ok(()) };
    let is_ahead = state.highest_timeline.is_none_or(|applied| primary.timeline > applied);
    let mut those_left = observed.answers_of(Some(from)).values().flat_map(|answer| &answer.health);
    let is_confirmed =
        those_left.any(|own| own.role == Role::StandbyLeader && own.timeline == Some(primary.timeline));
    if to == from || (is_ahead && (is_confirmed || !state.superseded.contains(to))) {
        return Ok(());
    }
    Err(Refusal::BackToSite { to: to.clone() })
}

/// Plays the steps on what was read. That may be out of date, so what is listed does not count as open: whoever closes
/// something registers the primary first.
fn group(arn: &GroupArn, steps: &[TargetStep], spec: &Spec, seen: &Seen) -> Result<(), Refusal> {
    let Seen { observed, primary, .. } = *seen;
    let configured = spec.groups.iter().find(|group| group.arn == *arn);
    let configured = configured.ok_or_else(|| Refusal::NotOurs(arn.to_string()))?;
    if configured.site.as_ref().is_some_and(|site| primary.site.as_ref() != Some(site)) {
        return Err(Refusal::OtherSite(arn.to_string()));
    }
    let Some(Ok(read)) = observed.groups.get(arn) else { return Err(Refusal::Unread(arn.to_string())) };
    let mut members: BTreeSet<Target> = read
        .targets
        .iter()
        .filter(|health| health.state != "draining")
        .map(|health| health.target.clone())
        .collect();
    let opens = steps.iter().filter_map(|step| match step {
        TargetStep::Register(target) => Some(target.id.as_str()),
        TargetStep::Deregister(_) => None,
    });
    usable_anywhere(&arn.to_string(), opens, spec, primary)?;
    let before = members.clone();
    let belongs = |target: &Target| may_hold(target, configured, read, before.contains(target), seen);
    let closes = steps.iter().any(|step| matches!(step, TargetStep::Deregister(_)));
    let mut opened = BTreeSet::new();
    for step in steps {
        match step {
            TargetStep::Register(target) => {
                if !belongs(target) {
                    let (endpoint, at) = (arn.to_string(), target.to_string());
                    return Err(Refusal::WrongNode { endpoint, at });
                }
                let is_new = members.insert(target.clone());
                if !opened.insert(target) || !(is_new || closes) {
                    return Err(Refusal::Repeats(arn.to_string()));
                }
            }
            TargetStep::Deregister(target) => {
                let (group, target) = (arn.to_string(), target.clone());
                // Whoever is read from may lose that at any time; a primary, or a member of a warm group, may not.
                let may_stay =
                    configured.strategy != Strategy::Exclusive || configured.role == GroupRole::Writer;
                if (may_stay && belongs(&target)) || opened.contains(&target) {
                    return Err(Refusal::ClosesOpen { group, target });
                }
                if opened.is_empty() {
                    return Err(Refusal::ClosesFirst { group, target });
                }
                if !members.remove(&target) {
                    return Err(Refusal::Repeats(group));
                }
            }
        }
    }
    Ok(())
}

/// Whether a target may be in the group: in a warm one any member, behind a listener its own;
/// else the primary, or for readers a member that is listed
/// with a lag within the limit, and the primary only where it may take the place of replicas.
fn may_hold(
    target: &Target,
    configured: &GroupSpec,
    read: &TargetGroup,
    is_there: bool,
    seen: &Seen,
) -> bool {
    let Seen { observed, primary, .. } = *seen;
    let is_at = |address: &Address| is_at(target, address, configured, read, observed);
    let is_primary = primary.address.as_ref().is_some_and(is_at);
    let views =
        observed.answers_of(primary.site.as_ref()).values().filter_map(|answer| answer.view.as_ref().ok());
    let listed = views.flat_map(|view| &view.members);
    let mut there = listed.filter(|listed| listed.address.as_ref().is_some_and(is_at));
    match (&configured.strategy, configured.role) {
        (Strategy::Warm { .. }, _) => is_primary || there.next().is_some(),
        (Strategy::Weighted { member, .. }, _) if primary.member.as_ref() == Some(member) => is_primary,
        (Strategy::Weighted { member, .. }, _) => there.any(|listed| listed.name == *member),
        (Strategy::Exclusive, GroupRole::Writer) => is_primary,
        (Strategy::Exclusive, GroupRole::Reader { primary_fallback, .. }) if is_primary => primary_fallback,
        (Strategy::Exclusive, GroupRole::Reader { max_lag_bytes, .. }) => there.any(|listed| {
            may_be_read_from(listed, max_lag_bytes) || (is_there && may_still_be_read_from(listed, seen))
        }),
    }
}

fn may_be_read_from(listed: &ClusterMember, max_lag_bytes: u64) -> bool {
    !listed.noloadbalance && listed.lag_bytes.is_some_and(|lag| lag <= max_lag_bytes)
}

/// Whether a member that is in may stay whatever its lag: just after another one has begun to lead, if it says that it is
/// a replica and lives.
fn may_still_be_read_from(listed: &ClusterMember, seen: &Seen) -> bool {
    // Before 3.2 a member does not say its name, and whose word it is can be told in more ways than are worth repeating.
    let is_its = |own: &&MemberStatus| own.name.as_ref().is_none_or(|name| *name == listed.name);
    let answers = seen.observed.answers_of(seen.primary.site.as_ref()).values();
    let mut said = answers.filter_map(|answer| answer.health.as_ref().ok()).filter(is_its);
    let is_live_replica = |own: &MemberStatus| {
        !own.answers_primary && own.role == Role::Replica && !matches!(own.state, PostgresState::Other(_))
    };
    seen.leads_newly && !listed.noloadbalance && said.any(is_live_replica)
}

/// Whether a target is the PostgreSQL at that address, on the port that was configured or that Patroni reports, and in the
/// group's VPC and of its address family.
fn is_at(
    target: &Target,
    address: &Address,
    configured: &GroupSpec,
    read: &TargetGroup,
    observed: &Observed,
) -> bool {
    if target.port != configured.port.unwrap_or(address.port) {
        return false;
    }
    let ips = ips_of(&address.host, observed);
    match read.target_type {
        TargetType::Ip => {
            let is_ours = |ip: IpAddr| ip.is_ipv4() == (read.family == Family::Ipv4) && ips.contains(&ip);
            target.id.parse().is_ok_and(is_ours)
        }
        TargetType::Instance => {
            let Some(Ok(instances)) = observed.instances.get(configured.arn.region()) else { return false };
            let mut there = ips.iter().filter_map(|ip| instances.get(ip)).flatten();
            there.any(|instance| {
                let elsewhere =
                    instance.vpc.as_ref().zip(read.vpc.as_ref()).is_some_and(|(its, ours)| its != ours);
                instance.id.as_str() == target.id && !elsewhere
            })
        }
    }
}

/// No address is one that each machine has for itself, unless the operator calls the members by such addresses.
fn usable_anywhere<'a>(
    endpoint: &str,
    places: impl Iterator<Item = &'a str>,
    spec: &Spec,
    primary: &Primary,
) -> Result<(), Refusal> {
    let configured = spec.site(primary.site.as_ref()).into_iter().flat_map(|site| &site.members);
    let is_lab = configured.filter_map(|url| url.host().parse().ok()).any(is_loopback);
    let mut ips = places.filter_map(|place| place.parse::<IpAddr>().ok());
    match ips.find(|ip| !(is_fit_address(*ip) || is_lab && is_loopback(*ip))) {
        Some(ip) => Err(Refusal::OwnView { endpoint: endpoint.to_owned(), at: ip.to_string() }),
        None => Ok(()),
    }
}

fn ips_of(host: &str, observed: &Observed) -> Vec<IpAddr> {
    match (host.parse(), observed.names.get(host)) {
        (Ok(ip), _) => vec![ip],
        (Err(_), Some(Ok(ips))) => ips.clone(),
        (Err(_), _) => Vec::new(),
    }
}

/// Whether nobody knows where a listed member is, so that what stands in a record may be its address (law 2).
fn hides(seen: &Seen) -> bool {
    let Seen { observed, primary, .. } = *seen;
    let views =
        observed.answers_of(primary.site.as_ref()).values().filter_map(|answer| answer.view.as_ref().ok());
    let mut listed = views.flat_map(|view| &view.members);
    listed.any(|listed| {
        listed.address.as_ref().is_none_or(|address| ips_of(&address.host, observed).is_empty())
    })
}

fn record(zone: &ZoneId, change: &RecordChange, spec: &Spec, seen: &Seen) -> Result<(), Refusal> {
    let Seen { observed, primary, .. } = *seen;
    let key = &change.after.key;
    let configured = spec.records.iter().find(|record| record.key == *key && key.place.zone == *zone);
    let configured = configured.ok_or_else(|| Refusal::NotOurs(key.to_string()))?;
    let Some(Ok(read)) = observed.records.get(&key.place) else {
        return Err(Refusal::Unread(key.to_string()));
    };
    let is_taken =
        |place: RecordPlace| matches!(observed.records.get(&place), Some(Ok(sets)) if !sets.is_empty());
    let there = read.iter().find(|set| set.key == *key);
    if there != change.before.as_ref() {
        return Err(Refusal::Rewrites(key.to_string()));
    }
    if key.place.excluded().any(is_taken) {
        return Err(Refusal::Crowds(key.to_string()));
    }
    if there == Some(&change.after) {
        return Err(Refusal::Repeats(key.to_string()));
    }
    let (ttl_seconds, values) = match (&change.after.answer, configured.points_to) {
        (
            Answer::Values { ttl_seconds, values },
            PointsTo::Primary | PointsTo::Standby | PointsTo::Readers { .. },
        ) => (ttl_seconds, values),
        (Answer::Alias(alias), PointsTo::Site) => {
            return site_record(key, there, &change.after, alias, configured, spec, primary);
        }
        _ => return Err(Refusal::Rewrites(key.to_string())),
    };
    if values.is_empty() || values.iter().any(String::is_empty) {
        return Err(Refusal::Empties(key.to_string()));
    }
    if !carries_over(there, &change.after, *ttl_seconds, configured) {
        return Err(Refusal::Rewrites(key.to_string()));
    }
    usable_anywhere(&key.to_string(), values.iter().map(String::as_str), spec, primary)?;
    if key.place.record_type == RecordType::Cname
        && let Some(at) = values.iter().find(|value| !is_qualified_name(value))
    {
        return Err(Refusal::OwnView { endpoint: key.to_string(), at: at.clone() });
    }
    let is_there = |value: &str| there.is_some_and(|before| before.answer.has(value, key.place.record_type));
    let may_be_anybodys = |value: &str| {
        matches!(configured.points_to, PointsTo::Readers { .. }) && is_there(value) && hides(seen)
    };
    let stray = values
        .iter()
        .find(|value| !is_fit(value, configured.points_to, is_there(value), seen) && !may_be_anybodys(value));
    match stray {
        Some(at) => Err(Refusal::WrongNode { endpoint: key.to_string(), at: at.clone() }),
        None => Ok(()),
    }
}

/// An alias leads to the load balancer of the primary's site, or as SECONDARY to another site's.
fn site_record(
    key: &RecordKey,
    before: Option<&RecordSet>,
    after: &RecordSet,
    alias: &Alias,
    wanted: &RecordSpec,
    spec: &Spec,
    primary: &Primary,
) -> Result<(), Refusal> {
    let health_check = wanted.health_check_id.as_ref();
    let health_check = health_check.or(before.and_then(|before| before.health_check_id.as_ref()));
    let was_alias = before.is_none_or(|before| matches!(before.answer, Answer::Alias(_)));
    let routing = wanted.failover.map_or(Routing::Simple, Routing::Failover);
    let same_routing = before.is_none_or(|before| before.routing == routing);
    if !was_alias
        || !same_routing
        || after.routing != routing
        || after.health_check_id.as_ref() != health_check
    {
        return Err(Refusal::Rewrites(key.to_string()));
    }
    let is_elsewhere = wanted.failover == Some(Failover::Secondary);
    let leads_there = |site: &Site| {
        (site.name != primary.site) == is_elsewhere && site.alias.as_ref().is_some_and(|its| its == alias)
    };
    if spec.sites.iter().any(leads_there) {
        return Ok(());
    }
    Err(Refusal::WrongNode { endpoint: key.to_string(), at: alias.to_string() })
}

/// Whether every field that the configuration does not set is as it was.
fn carries_over(
    before: Option<&RecordSet>,
    after: &RecordSet,
    ttl_seconds: u32,
    wanted: &RecordSpec,
) -> bool {
    let routing = wanted.failover.map_or(Routing::Simple, Routing::Failover);
    if after.routing != routing || wanted.ttl_seconds.is_some_and(|ttl| ttl != ttl_seconds) {
        return false;
    }
    let Some(before) = before else { return after.health_check_id == wanted.health_check_id };
    let Answer::Values { ttl_seconds: ttl_before, .. } = before.answer else { return false };
    let health_check = wanted.health_check_id.as_ref().or(before.health_check_id.as_ref());
    before.routing == routing
        && after.health_check_id.as_ref() == health_check
        && (wanted.ttl_seconds.is_some() || ttl_seconds == ttl_before)
}

/// Whether a value is where the record should point: at the primary; at a member that is not the primary; or at one that is
/// listed with a lag within the limit, and at the primary only where it may take the place of replicas.
fn is_fit(value: &str, points_to: PointsTo, is_there: bool, seen: &Seen) -> bool {
    let Seen { observed, primary, .. } = *seen;
    let is_at = |host: &str| {
        RecordName::new(host) == RecordName::new(value)
            || value.parse().is_ok_and(|ip| ips_of(host, observed).contains(&ip))
    };
    let at_primary = primary.address.as_ref().is_some_and(|address| is_at(&address.host));
    let views =
        observed.answers_of(primary.site.as_ref()).values().filter_map(|answer| answer.view.as_ref().ok());
    let listed = views.flat_map(|view| &view.members);
    let mut there =
        listed.filter(|listed| listed.address.as_ref().is_some_and(|address| is_at(&address.host)));
    match points_to {
        PointsTo::Primary => at_primary,
        PointsTo::Standby => !at_primary && there.next().is_some(),
        PointsTo::Readers { primary_fallback, .. } if at_primary => primary_fallback,
        PointsTo::Readers { max_lag_bytes, .. } => there.any(|listed| {
            may_be_read_from(listed, max_lag_bytes) || (is_there && may_still_be_read_from(listed, seen))
        }),
        // An alias has no values.
        PointsTo::Site => false,
    }
}
