//! What can be wrong for a while: it begins, it may be told, it ends.
//!
//! Laws: alert once (12); unknown is not absent (2), so a pass that cannot tell leaves a condition as it was.

use serde::{Deserialize, Serialize};

use super::{Raw, State, Unknown, bounds};
use crate::decide::verdict::{HoldKind, Verdict};
use crate::observed::Observed;
use crate::observed::member::{Member, members, primarys_view};
use crate::plan::{EndpointHold, EndpointWarning, Plan, WarningReason};
use crate::report::{PassHold, StepReport, StepResult};
use crate::spec::{GroupRole, PointsTo, Site, Spec, Strategy};
use crate::values::cluster::{MemberName, SiteName};
use crate::values::endpoint::Endpoint;
use crate::values::failure::Failure;
use crate::values::primary::{Primary, label};
use crate::values::target::Target;
use crate::values::timestamp::Timestamp;

/// Something that is wrong and lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Condition {
    /// What.
    pub kind: ConditionKind,
    /// The member or endpoint that it is about; absent where it is the whole cluster.
    pub subject: Option<String>,
    /// For people, as last seen.
    pub message: String,
    /// When it was first seen.
    pub since: Timestamp,
    /// When people were last told; absent while they were not.
    pub notified: Option<Timestamp>,
    /// What a newer version has written of it; its kind, too, if that is [`ConditionKind::Unrecognized`].
    pub unknown: Unknown,
}

/// A condition as it is stored: of any kind that a newer version may know.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    kind: String,
    subject: Option<String>,
    message: String,
    since: Timestamp,
    notified: Option<Timestamp>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// Where the name of an unrecognized kind is kept.
const KIND: &str = "kind";

impl From<Stored> for Condition {
    fn from(stored: Stored) -> Self {
        let Stored { kind: name, subject, message, since, notified, mut unknown } = stored;
        let kind = ConditionKind::parse(&name);
        if kind == ConditionKind::Unrecognized {
            unknown.insert(KIND.to_owned(), Raw::Text(name));
        }
        Self { kind, subject, message, since, notified, unknown }
    }
}

impl From<Condition> for Stored {
    fn from(condition: Condition) -> Self {
        let Condition { kind, subject, message, since, notified, mut unknown } = condition;
        let kind = match unknown.remove(KIND) {
            Some(Raw::Text(name)) => name,
            _ => kind.as_str().to_owned(),
        };
        Self { kind, subject, message, since, notified, unknown }
    }
}

/// The name of a condition in alerts, reports and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionKind {
    /// Nobody is known to take writes: an election, a promotion, or a cluster that cannot be reached.
    NoPrimary,
    /// Several members claim to be the primary, and none is ahead.
    Contested,
    /// Another member claims to be primary on a lower timeline than the real one.
    SplitBrain,
    /// The only claimant is behind what was applied before.
    Stale,
    /// Only a site that another one was followed after claims to hold the primary.
    StaleSite,
    /// Another cluster answers.
    WrongCluster,
    /// A member does not answer, while others do.
    MemberUnreachable,
    /// Nobody in a site answers, while somebody in another does.
    SiteUnreachable,
    /// An endpoint cannot follow the primary.
    EndpointHeld,
    /// A target of a warm group belongs to no member.
    TargetSurplus,
    /// The load balancer takes somebody else than the primary for healthy, or nobody.
    TargetHealth,
    /// The load balancer sends reads to the primary, or not to a replica that may be read from.
    ReaderHealth,
    /// A member that could be promoted has no group behind a listener.
    NoGroup,
    /// A member has no place in an endpoint that it belongs into.
    MemberUnplaced,
    /// A change of an endpoint failed.
    ApplyFailed,
    /// The auditor refused a plan.
    PlanRefused,
    /// The state store cannot be read or written, so that nothing may be changed.
    StateUnavailable,
    /// What is remembered was kept for endpoints none of which is configured.
    StateOfOtherEndpoints,
    /// One that only a newer version knows: it is kept as it is, and left to that one.
    Unrecognized,
}

impl ConditionKind {
    /// All that this version knows.
    pub const ALL: [Self; 18] = [
        Self::NoPrimary,
        Self::Contested,
        Self::SplitBrain,
        Self::Stale,
        Self::StaleSite,
        Self::WrongCluster,
        Self::MemberUnreachable,
        Self::SiteUnreachable,
        Self::EndpointHeld,
        Self::TargetSurplus,
        Self::TargetHealth,
        Self::ReaderHealth,
        Self::NoGroup,
        Self::MemberUnplaced,
        Self::ApplyFailed,
        Self::PlanRefused,
        Self::StateUnavailable,
        Self::StateOfOtherEndpoints,
    ];

    fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap_or(Self::Unrecognized)
    }

    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPrimary => "no_primary",
            Self::Contested => "contested",
            Self::SplitBrain => "split_brain",
            Self::Stale => "stale",
            Self::StaleSite => "stale_site",
            Self::WrongCluster => "wrong_cluster",
            Self::MemberUnreachable => "member_unreachable",
            Self::SiteUnreachable => "site_unreachable",
            Self::EndpointHeld => "endpoint_held",
            Self::TargetSurplus => "target_surplus",
            Self::TargetHealth => "target_health",
            Self::ReaderHealth => "reader_health",
            Self::NoGroup => "no_group",
            Self::MemberUnplaced => "member_unplaced",
            Self::ApplyFailed => "apply_failed",
            Self::PlanRefused => "plan_refused",
            Self::StateUnavailable => "state_unavailable",
            Self::StateOfOtherEndpoints => "state_of_other_endpoints",
            Self::Unrecognized => "unrecognized",
        }
    }

    /// Whether it often ends by itself, so that an alert is sent only after the grace.
    #[must_use]
    pub fn is_transient(self) -> bool {
        match self {
            Self::NoPrimary
            | Self::Stale
            | Self::StaleSite
            | Self::MemberUnreachable
            | Self::SiteUnreachable
            | Self::EndpointHeld
            | Self::TargetSurplus
            | Self::TargetHealth
            | Self::ReaderHealth
            | Self::NoGroup
            | Self::MemberUnplaced
            | Self::StateUnavailable
            | Self::Unrecognized => true,
            Self::Contested
            | Self::SplitBrain
            | Self::WrongCluster
            | Self::ApplyFailed
            | Self::PlanRefused
            | Self::StateOfOtherEndpoints => false,
        }
    }

    /// `critical` where writes may be lost or cannot get through, else `warning`.
    #[must_use]
    pub fn severity(self) -> &'static str {
        match self {
            Self::MemberUnreachable
            | Self::SiteUnreachable
            | Self::Stale
            | Self::EndpointHeld
            | Self::TargetSurplus
            | Self::ReaderHealth
            | Self::NoGroup
            | Self::MemberUnplaced
            | Self::Unrecognized => "warning",
            Self::NoPrimary
            | Self::StaleSite
            | Self::Contested
            | Self::SplitBrain
            | Self::WrongCluster
            | Self::ApplyFailed
            | Self::PlanRefused
            | Self::TargetHealth
            | Self::StateUnavailable
            | Self::StateOfOtherEndpoints => "critical",
        }
    }
}

/// What is wrong: kind, subject, words.
type Finding = (ConditionKind, Option<String>, String);

/// What one pass can say of conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What is wrong.
    present: Vec<Finding>,
    /// What this pass could not tell, and so leaves as it is: kinds, of any subject.
    unknown: Vec<ConditionKind>,
    /// The sites of whose members it could not tell.
    unreachable: Vec<Option<SiteName>>,
    /// What is remembered is of others, so that nothing else is said of it.
    is_of_others: bool,
    /// The endpoints that are held, of which it could not tell who is left out.
    held: Vec<String>,
    /// The endpoints that were left alone, of which it could not tell anything.
    left_alone: Vec<String>,
}

impl Findings {
    /// The condition of that kind and subject, if it is there now.
    pub(super) fn message(&self, kind: ConditionKind, subject: Option<&str>) -> Option<&str> {
        let found = self.present.iter().find(|(its, about, _)| *its == kind && about.as_deref() == subject);
        found.map(|(_, _, message)| message.as_str())
    }

    /// Whether the pass could tell.
    pub(super) fn knows(&self, kind: ConditionKind, subject: Option<&str>) -> bool {
        let is_there = |site: &Option<SiteName>| {
            let prefix = label(site.as_ref(), "");
            subject.is_some_and(|subject| subject.starts_with(&prefix))
        };
        let is_dark = kind == ConditionKind::MemberUnreachable && self.unreachable.iter().any(is_there);
        let is_of = |endpoint: &String| {
            let rest = subject.and_then(|subject| subject.strip_prefix(endpoint));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let is_held = kind == ConditionKind::MemberUnplaced && self.held.iter().any(is_of);
        let is_unknown = self.unknown.contains(&kind) || self.left_alone.iter().any(is_of);
        kind != ConditionKind::Unrecognized && !is_unknown && !is_dark && !is_held && !self.is_of_others
    }

    pub(super) fn is_of_others(&self) -> bool {
        self.is_of_others
    }

    /// The same, and that memory could not be saved.
    #[must_use]
    pub fn and_unsaved(mut self, failure: &Failure) -> Self {
        if self.message(ConditionKind::StateUnavailable, None).is_none() {
            let words = bounds::words(&failure.to_string());
            self.present.push((ConditionKind::StateUnavailable, None, words));
        }
        self
    }

    pub(super) fn present(&self) -> &[Finding] {
        &self.present
    }
}

/// What is wrong, by what was seen, decided and done; `unfollowed` is why a known primary was not followed, or would not be.
#[must_use]
pub fn findings(
    spec: &Spec,
    observed: &Observed,
    state: Option<&State>,
    verdict: &Verdict,
    plan: &Plan,
    steps: &[StepReport],
    unfollowed: Option<&PassHold>,
) -> Findings {
    use ConditionKind as Kind;

    if let Some(state) = state.filter(|state| state.is_of_others(spec)) {
        let words = PassHold::of_others(state).to_string();
        let present = vec![(Kind::StateOfOtherEndpoints, own_subject(spec), words)];
        return Findings { present, is_of_others: true, ..Findings::default() };
    }
    let mut found = Findings::default();
    match (verdict, verdict.leader()) {
        (Verdict::Primary(primary), _) => {
            let rivals = primary.rivals.iter().map(|rival| {
                let words = format!("it also claims to be primary, on timeline {}", rival.timeline);
                (Kind::SplitBrain, Some(rival.label()), words)
            });
            found.present.extend(rivals);
            endpoints(spec, observed, primary, plan, steps, unfollowed, &mut found);
        }
        (Verdict::Hold(_), Some(leader)) => {
            // Another site may hold the primary, and the endpoints of writers stay as they were.
            found.unknown.push(Kind::SplitBrain);
            found.left_alone = of_writers(spec);
            endpoints(spec, observed, leader, plan, steps, unfollowed, &mut found);
        }
        (Verdict::Hold(hold), None) => {
            found.unknown.extend([
                Kind::SplitBrain,
                Kind::EndpointHeld,
                Kind::TargetSurplus,
                Kind::TargetHealth,
                Kind::ReaderHealth,
                Kind::NoGroup,
                Kind::MemberUnplaced,
                Kind::ApplyFailed,
                Kind::PlanRefused,
            ]);
            let kind = match hold.kind() {
                HoldKind::Contested => Some(Kind::Contested),
                HoldKind::Stale => Some(Kind::Stale),
                HoldKind::StaleSite => Some(Kind::StaleSite),
                HoldKind::WrongCluster => Some(Kind::WrongCluster),
                // The site is a replica of another one, and means to be.
                HoldKind::StandbyCluster => None,
                HoldKind::Promoting | HoldKind::NoPrimary | HoldKind::Unreachable => Some(Kind::NoPrimary),
            };
            found.present.extend(kind.map(|kind| (kind, None, hold.to_string())));
            if hold.is_unreachable() {
                found.unknown.extend([Kind::Contested, Kind::Stale, Kind::StaleSite, Kind::WrongCluster]);
            }
        }
    }
    let readable =
        spec.sites.iter().filter(|site| !silent_members(site, observed, state, &mut found)).count();
    if readable == 0 {
        // repoint itself may be cut off.
        found.present.retain(|(kind, ..)| *kind != Kind::SiteUnreachable);
        found.unknown.push(Kind::SiteUnreachable);
    }
    if let Some(PassHold::StateUnavailable(failure)) = unfollowed {
        found.present.push((Kind::StateUnavailable, None, failure.to_string()));
    }
    for (_, subject, message) in &mut found.present {
        *subject = subject.take().map(|subject| bounds::subject(&subject));
        *message = bounds::words(message);
    }
    found
}

/// By what an entry is known in a state that is not its own: the first of its endpoints.
#[must_use]
pub fn own_subject(spec: &Spec) -> Option<String> {
    spec.endpoints().map(|endpoint| endpoint.to_string()).min()
}

/// The endpoints that only a primary can be followed with.
fn of_writers(spec: &Spec) -> Vec<String> {
    let groups = spec.groups.iter().filter(|group| group.role == GroupRole::Writer);
    let records = spec.records.iter().filter(|record| !matches!(record.points_to, PointsTo::Readers { .. }));
    let listeners = spec.listeners().into_iter().map(ToString::to_string);
    let groups = groups.map(|group| group.arn.to_string());
    groups.chain(records.map(|record| record.key.to_string())).chain(listeners).collect()
}

/// What is wrong with endpoints that follow a leader.
fn endpoints(
    spec: &Spec,
    observed: &Observed,
    leader: &Primary,
    plan: &Plan,
    steps: &[StepReport],
    unfollowed: Option<&PassHold>,
    found: &mut Findings,
) {
    use ConditionKind as Kind;

    let holds = plan
        .holds
        .iter()
        .map(|hold| (Kind::EndpointHeld, Some(hold.endpoint.to_string()), hold.reason.to_string()));
    found.present.extend(holds);
    found.present.extend(plan.warnings.iter().map(warning));
    let is_warm = |hold: &EndpointHold| {
        spec.groups.iter().any(|group| {
            matches!(group.strategy, Strategy::Warm { .. })
                && hold.endpoint == Endpoint::Group(group.arn.clone())
        })
    };
    if plan.holds.iter().any(is_warm) {
        // Of a group that cannot be read, nobody knows.
        found.unknown.extend([Kind::TargetSurplus, Kind::TargetHealth, Kind::ReaderHealth]);
    }
    found.held = plan.holds.iter().map(|hold| hold.endpoint.to_string()).collect();
    let is_listener = |hold: &EndpointHold| matches!(hold.endpoint, Endpoint::Listener(_));
    if !lists_members(observed, leader) || plan.holds.iter().any(is_listener) {
        found.unknown.push(Kind::NoGroup);
    }
    let failed = steps.iter().filter(|step| step.result == StepResult::Failed).map(|step| {
        let words = step.error.clone().unwrap_or_else(|| "it failed".to_owned());
        (Kind::ApplyFailed, Some(step.endpoint.to_string()), words)
    });
    found.present.extend(failed);
    let unfollowed = unfollowed.and_then(|hold| match hold {
        PassHold::Refused(why) => Some((Kind::PlanRefused, None, why.clone())),
        PassHold::StateUnavailable(failure) => Some((Kind::StateUnavailable, None, failure.to_string())),
        // The other one tells, or the next pass.
        PassHold::Locked(_)
        | PassHold::Conflict
        | PassHold::RateLimited
        | PassHold::StateOfOtherEndpoints(_) => None,
    });
    found.present.extend(unfollowed);
}

/// Whether any `/cluster` says who the members are, now that this is the primary.
fn lists_members(observed: &Observed, primary: &Primary) -> bool {
    let leader = primary.member.as_ref();
    let members = members(observed.answers_of(primary.site.as_ref()));
    leader.is_some_and(|leader| primarys_view(&members, leader).is_some())
}

fn warning(warning: &EndpointWarning) -> Finding {
    let (place, words) = (warning.endpoint.to_string(), warning.what.to_string());
    let (kind, subject) = match &warning.what {
        WarningReason::Surplus(target) => (ConditionKind::TargetSurplus, surplus(&place, target)),
        WarningReason::Unhealthy { .. } => (ConditionKind::TargetHealth, place),
        WarningReason::Unread { .. } => (ConditionKind::ReaderHealth, place),
        WarningReason::NoGroup(member) => (ConditionKind::NoGroup, format!("{place} {member}")),
        WarningReason::Unplaced { member, .. } => {
            (ConditionKind::MemberUnplaced, format!("{place} {member}"))
        }
    };
    (kind, Some(subject), words)
}

/// What a surplus target is called.
pub(super) fn surplus(group: &str, target: &Target) -> String {
    bounds::subject(&format!("{group} {target}"))
}

/// Members of a site that do not answer, if any other does: when none does, the site is what is out of reach, and this says
/// so.
fn silent_members(site: &Site, observed: &Observed, state: Option<&State>, found: &mut Findings) -> bool {
    let name = site.name.as_ref();
    let members = members(observed.answers_of(name));
    let ours: Vec<&Member> =
        members.iter().filter(|member| member.foreign(&site.scope, None).is_none()).collect();
    if !ours.iter().any(|member| member.is_readable()) {
        found.unreachable.push(site.name.clone());
        let why = ours.iter().find_map(|member| member.failure());
        let why = why.unwrap_or_else(|| "nobody there answers for it".to_owned());
        found.present.extend(name.map(|name| (ConditionKind::SiteUnreachable, Some(name.to_string()), why)));
        return true;
    }
    let listed: Vec<_> =
        ours.iter().filter_map(|member| member.view()).flat_map(|view| &view.members).collect();
    // What is only listed may be another address of a member that answers, behind NAT for instance: of the one that has that
    // name, or of one that does not say its name.
    let is_nameless = ours.iter().any(|member| member.is_readable() && member.name.is_none());
    let answers = |name: &Option<String>| {
        let is_it = |own: &MemberName| name.as_deref() == Some(own.as_str());
        let mut readable = ours.iter().filter(|member| member.is_readable());
        is_nameless || readable.any(|member| member.name.as_ref().is_some_and(is_it))
    };
    for silent in ours.iter().filter(|member| !member.is_readable()) {
        let name = listed.iter().find(|listed| silent.is(listed)).map(|listed| listed.name.to_string());
        // One that is dead for long is listed no more, and is still somebody.
        let name = name.or_else(|| {
            let known = silent.urls().find_map(|url| state?.name_at(site.name.as_ref(), url));
            known.map(ToString::to_string)
        });
        let is_configured = silent.urls().any(|url| site.members.contains(url));
        if !is_configured && answers(&name) {
            continue;
        }
        let why = silent.failure().unwrap_or_else(|| "it does not answer".to_owned());
        found.present.push((
            ConditionKind::MemberUnreachable,
            Some(label(site.name.as_ref(), &name.unwrap_or_else(|| silent.label()))),
            why,
        ));
    }
    false
}
