//! The detectors: what is wrong, by what a pass has observed, decided and done.
//!
//! Invariant 2, unknown is not absent: what a pass cannot tell it says, and such a condition stays as it was.

mod candidates;
mod discovery;
mod failing;
mod flapping;
mod lag;
mod modes;

use super::conditions::Limits;
use super::findings::Findings;
use super::subject::Subject;
use crate::decide::lag::Heads;
use crate::decide::verdict::{HoldKind, Verdict};
use crate::observed::member::{Member, members, primarys_view};
use crate::observed::{ClusterView, Observed};
use crate::plan::{EndpointHold, EndpointWarning, Plan, WarningReason};
use crate::report::{PassHold, StepReport, StepResult};
use crate::spec::{GroupRole, PointsTo, Site, Spec, Strategy};
use crate::state::{ConditionKind, State};
use crate::values::cluster::{MemberName, SiteName};
use crate::values::endpoint::Endpoint;
use crate::values::primary::Primary;
use crate::values::timestamp::Timestamp;

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
        let mut found = Findings { is_of_others: true, ..Findings::default() };
        found.add(Kind::StateOfOtherEndpoints, own_subject(spec), &PassHold::of_others(state).to_string());
        return found;
    }
    let mut found = Findings::default();
    match (verdict, verdict.leader()) {
        (Verdict::Primary(primary), _) => {
            for rival in &primary.rivals {
                let message = format!("it also claims to be primary, on timeline {}", rival.timeline);
                let subject = Subject::Member(rival.site.clone(), rival.member.clone());
                found.add(Kind::SplitBrain, Some(subject), &message);
            }
            endpoints(spec, observed, primary, plan, steps, unfollowed, &mut found);
            failing::detect(state, primary, steps, unfollowed.is_none(), &mut found);
        }
        (Verdict::Hold(_), Some(leader)) => {
            // Another site may hold the primary, and the endpoints of writers stay as they were.
            found.unknown.push(Kind::SplitBrain);
            found.left_alone = of_writers(spec);
            endpoints(spec, observed, leader, plan, steps, unfollowed, &mut found);
            failing::detect(state, leader, steps, unfollowed.is_none(), &mut found);
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
                Kind::RetargetFailing,
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
            if let Some(kind) = kind {
                found.add(kind, None, &hold.to_string());
            }
            if hold.is_unreachable() {
                found.unknown.extend([Kind::Contested, Kind::Stale, Kind::StaleSite, Kind::WrongCluster]);
            }
        }
    }
    let readable =
        spec.sites.iter().filter(|site| !silent_members(site, observed, state, &mut found)).count();
    if readable == 0 {
        // repoint itself may be cut off.
        found.present.retain(|finding| finding.kind != Kind::SiteUnreachable);
        found.unknown.push(Kind::SiteUnreachable);
    }
    if let Some(PassHold::StateUnavailable(failure)) = unfollowed {
        found.add(Kind::StateUnavailable, None, &failure.to_string());
    }
    found
}

impl Findings {
    /// The same, with what is wrong with the cluster itself, whatever its endpoints do.
    #[must_use]
    pub fn with_cluster(
        mut self,
        spec: &Spec,
        observed: &Observed,
        state: Option<&State>,
        verdict: &Verdict,
        limits: &Limits,
        now: Timestamp,
    ) -> Self {
        if self.is_of_others {
            return self;
        }
        discovery::detect(spec, observed, &mut self);
        flapping::detect(state, verdict.leader(), limits, now, &mut self);
        let heads = Heads::of(observed);
        for site in &spec.sites {
            let its = SiteMembers::of(site, observed);
            lag::detect(&its, &heads, state, limits, &mut self);
            modes::detect(&its, &mut self);
            match verdict {
                Verdict::Primary(primary) if primary.site == site.name => {
                    candidates::detect(&its, site, primary, &heads, limits, &mut self);
                }
                Verdict::Primary(_) => {}
                Verdict::Hold(_) => self.unknown.push(ConditionKind::NoCandidate),
            }
        }
        self
    }
}

/// The members of a site, without those that belong to another cluster.
struct SiteMembers<'a> {
    name: Option<&'a SiteName>,
    members: Vec<Member<'a>>,
}

impl<'a> SiteMembers<'a> {
    fn of(site: &'a Site, observed: &'a Observed) -> Self {
        let mut members = members(observed.answers_of(site.name.as_ref()));
        members.retain(|member| member.foreign(&site.scope, None).is_none());
        Self { name: site.name.as_ref(), members }
    }

    /// Whether its leader answers.
    fn hears_the_leader(&self) -> bool {
        self.members.iter().any(Member::leads)
    }

    fn views(&self) -> impl Iterator<Item = &'a ClusterView> {
        self.members.iter().filter_map(Member::view)
    }
}

/// A number of bytes, rounded down to a power of two: a message that says it does not change in every pass.
fn rounded(bytes: u64) -> String {
    let power = bytes.checked_ilog2().unwrap_or_default();
    let unit = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][power as usize / 10];
    format!("{} {unit}", 1_u64 << (power % 10))
}

/// By what an entry is known in a state that is not its own: the first of its endpoints.
pub(super) fn own_subject(spec: &Spec) -> Option<Subject> {
    spec.endpoints().min_by_key(ToString::to_string).map(Subject::Endpoint)
}

/// The endpoints that only a primary can be followed with.
fn of_writers(spec: &Spec) -> Vec<Endpoint> {
    let groups = spec.groups.iter().filter(|group| group.role == GroupRole::Writer);
    let records = spec.records.iter().filter(|record| !matches!(record.points_to, PointsTo::Readers { .. }));
    let listeners = spec.listeners().into_iter().cloned().map(Endpoint::Listener);
    let groups = groups.map(|group| Endpoint::Group(group.arn.clone()));
    let backends = spec.backends.iter().filter(|backend| backend.role == GroupRole::Writer);
    let backends = backends.map(|backend| Endpoint::Backend(backend.key.clone()));
    let records = records.map(|record| Endpoint::Record(record.key.clone()));
    groups.chain(records).chain(listeners).chain(backends).collect()
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

    for EndpointHold { endpoint, reason } in &plan.holds {
        found.add(Kind::EndpointHeld, Some(Subject::Endpoint(endpoint.clone())), &reason.to_string());
    }
    for warning in &plan.warnings {
        let (kind, subject) = kind_of(warning);
        found.add(kind, Some(subject), &warning.what.to_string());
    }
    let is_warm = |hold: &EndpointHold| {
        spec.groups.iter().any(|group| {
            matches!(group.strategy, Strategy::Warm { .. })
                && hold.endpoint == Endpoint::Group(group.arn.clone())
        })
    };
    if plan.holds.iter().any(is_warm) {
        // Of a group that cannot be read, this is unknown.
        found.unknown.extend([Kind::TargetSurplus, Kind::TargetHealth, Kind::ReaderHealth]);
    }
    found.held = plan.holds.iter().map(|hold| hold.endpoint.clone()).collect();
    let is_listener = |hold: &EndpointHold| matches!(hold.endpoint, Endpoint::Listener(_));
    if !lists_members(observed, leader) || plan.holds.iter().any(is_listener) {
        found.unknown.push(Kind::NoGroup);
    }
    for step in steps.iter().filter(|step| step.result == StepResult::Failed) {
        let message = step.error.as_deref().unwrap_or("it failed");
        found.add(Kind::ApplyFailed, Some(Subject::Endpoint(step.endpoint.clone())), message);
    }
    // Where another process acts, that one reports it, or the next pass does.
    if let Some(PassHold::Refused(why)) = unfollowed {
        found.add(Kind::PlanRefused, None, why);
    }
}

/// Whether any `/cluster` says who the members are, now that this is the primary.
fn lists_members(observed: &Observed, primary: &Primary) -> bool {
    let leader = primary.member.as_ref();
    let members = members(observed.answers_of(primary.site.as_ref()));
    leader.is_some_and(|leader| primarys_view(&members, leader).is_some())
}

fn kind_of(warning: &EndpointWarning) -> (ConditionKind, Subject) {
    let endpoint = warning.endpoint.clone();
    match &warning.what {
        WarningReason::Surplus(target) => {
            (ConditionKind::TargetSurplus, Subject::TargetOf(endpoint, target.clone()))
        }
        WarningReason::Unhealthy { .. } => (ConditionKind::TargetHealth, Subject::Endpoint(endpoint)),
        WarningReason::Unread { .. } => (ConditionKind::ReaderHealth, Subject::Endpoint(endpoint)),
        WarningReason::NoGroup(member) => {
            (ConditionKind::NoGroup, Subject::MemberOf(endpoint, member.clone()))
        }
        WarningReason::Unplaced { member, .. } => {
            (ConditionKind::MemberUnplaced, Subject::MemberOf(endpoint, member.clone()))
        }
    }
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
        let why = why.unwrap_or_else(|| "no member answers".to_owned());
        if let Some(name) = name {
            found.add(ConditionKind::SiteUnreachable, Some(Subject::Site(name.clone())), &why);
        }
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
        // One that has been down for long is listed no more, and may still be in the state.
        let name = name.or_else(|| {
            let known = silent.urls().find_map(|url| state?.name_at(site.name.as_ref(), url));
            known.map(ToString::to_string)
        });
        let is_configured = silent.urls().any(|url| site.members.contains(url));
        // What only discovery names is no member yet.
        let is_stranger = name.is_none() && site.discover.is_some();
        if !is_configured && (is_stranger || answers(&name)) {
            continue;
        }
        let why = silent.failure().unwrap_or_else(|| "it does not answer".to_owned());
        let subject = Subject::Member(site.name.clone(), name.unwrap_or_else(|| silent.label()));
        found.add(ConditionKind::MemberUnreachable, Some(subject), &why);
    }
    false
}
