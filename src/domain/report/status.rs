//! How a cluster and its endpoints stand, without a word on what to do.

mod changes;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{
    Action, PassHold, Reason, StepReport, StepResult, VerdictReport, holds, planned_steps, warnings,
};
use crate::decide::lag::Heads;
use crate::decide::verdict::{HoldKind, Verdict, by_site};
use crate::observed::member::{Member, members};
use crate::observed::{Answers, ClusterMember, Observed, Read};
use crate::plan::Plan;
use crate::spec::Spec;
use crate::state::{ConditionKind, PendingEvent, Retargets, Severity, State};
use crate::values::arn::{GroupArn, ListenerArn};
use crate::values::cluster::{Address, EntryName, Scope, SiteName, Timeline};
use crate::values::endpoint::Endpoint;
use crate::values::haproxy::BackendKey;
use crate::values::listener::Listener;
use crate::values::record::{Answer, RecordKey};
use crate::values::target::TargetHealth;
use crate::values::timestamp::Timestamp;
use crate::values::utc::Utc;
pub use changes::{changes, member_changes};

/// The status of the chosen clusters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// [`VERSION`](super::VERSION).
    pub version: u32,
    /// When the last cluster had been read.
    pub at: Utc,
    /// In the order of the configuration.
    pub clusters: Vec<ClusterStatus>,
}

impl Status {
    /// Whether every cluster has a primary and every endpoint points where it should.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.clusters.iter().all(ClusterStatus::is_good)
    }
}

/// The status of one cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterStatus {
    /// Patroni's scope.
    pub scope: Scope,
    /// Which entry of the configuration.
    pub name: EntryName,
    /// Who is the primary.
    pub verdict: VerdictReport,
    /// Whether Patroni is in maintenance mode: it then elects no leader.
    pub is_paused: bool,
    /// The sites, in the order of the configuration; none where the cluster is in one place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<SiteStatus>,
    /// The members, by name.
    pub members: Vec<MemberReport>,
    /// The endpoints, in the order of the configuration.
    pub endpoints: Vec<EndpointStatus>,
    /// What an operator should know although nothing is to be done about it now.
    pub warnings: Vec<String>,
    /// The open conditions of the state.
    pub conditions: Vec<ConditionStatus>,
    /// Why the state could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_error: Option<String>,
    /// How often endpoints were moved, and of what is printed the last move; absent where the state is unavailable.
    #[serde(rename = "last_move", serialize_with = "last_move")]
    pub retargets: Option<Retargets>,
    /// How many alerts have yet to be published; absent where the state is unavailable.
    #[serde(skip)]
    pub alerts_pending: Option<usize>,
    /// What the state has of the history; absent where the state is unavailable.
    #[serde(skip)]
    pub events: Option<Events>,
}

/// Which events of a cluster the history has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// The number of the last one.
    pub last: u64,
    /// Those that are not stored yet.
    pub pending: Vec<PendingEvent>,
}

impl ClusterStatus {
    /// Whether it has a primary and every endpoint points where it should.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_right =
            |endpoint: &EndpointStatus| matches!(endpoint.standing, Standing::Right | Standing::Idle);
        matches!(self.verdict, VerdictReport::Primary(_)) && self.endpoints.iter().all(is_right)
    }

    /// How much the worst of what is wrong matters; `None` where nothing is. A standby cluster has no primary by design.
    #[must_use]
    pub fn trouble(&self) -> Option<Severity> {
        let verdict = match self.verdict {
            VerdictReport::Primary(_) | VerdictReport::Hold { kind: HoldKind::StandbyCluster, .. } => None,
            VerdictReport::Hold { .. } => Some(Severity::Critical),
        };
        let state = self.state_error.as_ref().map(|_| Severity::Critical);
        let differs =
            |endpoint: &EndpointStatus| !matches!(endpoint.standing, Standing::Right | Standing::Idle);
        let endpoints = self.endpoints.iter().any(differs).then_some(Severity::Warning);
        let conditions = self.conditions.iter().map(|condition| Some(condition.severity));
        conditions.chain([verdict, state, endpoints]).max().flatten()
    }

    /// The status of a cluster over which no pass was made yet.
    #[must_use]
    pub fn unknown(spec: &Spec) -> Self {
        Self {
            scope: spec.scope.clone(),
            name: spec.name.clone(),
            verdict: VerdictReport::Hold {
                kind: HoldKind::Unreachable,
                message: "not checked yet".to_owned(),
            },
            is_paused: false,
            sites: Vec::new(),
            members: Vec::new(),
            endpoints: Vec::new(),
            warnings: Vec::new(),
            conditions: Vec::new(),
            state_error: None,
            retargets: None,
            alerts_pending: None,
            events: None,
        }
    }

    /// The status after a pass with these steps: what was changed counts as changed. Nothing is read again for it.
    #[must_use]
    pub fn after(mut self, steps: &[StepReport]) -> Self {
        for endpoint in &mut self.endpoints {
            let its: Vec<&StepReport> =
                steps.iter().filter(|step| step.endpoint == endpoint.endpoint).collect();
            for step in its.iter().filter(|step| step.result == StepResult::Done) {
                endpoint.apply(step);
            }
            match its.iter().find(|step| step.result != StepResult::Done) {
                _ if its.is_empty() || endpoint.standing != Standing::Differs => {}
                Some(failed) => endpoint.message = failed.error.clone().or(endpoint.message.take()),
                None => (endpoint.standing, endpoint.message) = (Standing::Right, None),
            }
        }
        self
    }
}

/// Something that is wrong and lasts, as the last pass left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConditionStatus {
    /// What.
    pub kind: ConditionKind,
    /// How much it matters.
    pub severity: Severity,
    /// The member or endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// In words.
    pub message: String,
    /// Since when.
    #[serde(serialize_with = "utc")]
    pub since: Timestamp,
    /// For how long, in seconds.
    pub lasted_seconds: u64,
    /// Whether an alert was sent.
    pub notified: bool,
    /// Whether it has lasted as long as its grace, published or not.
    #[serde(skip)]
    pub outlasts_grace: bool,
}

/// One site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteStatus {
    /// Which one.
    pub site: SiteName,
    /// Whether it holds the primary.
    pub holds_primary: bool,
    /// Whether it was left, or claimed to hold the primary while another did, and has not been seen to follow since.
    pub is_superseded: bool,
    /// How it stands, in words.
    pub message: String,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberReport {
    /// Its site, where the cluster spans several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// Its name, or the URL by which it was asked.
    pub member: String,
    /// Where its PostgreSQL listens.
    pub address: Option<Address>,
    /// Its own role, or else the role it is listed with.
    pub role: Option<String>,
    /// Its own state, or else the state it is listed with.
    pub state: Option<String>,
    /// Its timeline.
    pub timeline: Option<Timeline>,
    /// Bytes of the leader's WAL that it has neither received nor replayed; of a standby leader, of the primary's.
    pub lag_bytes: Option<u64>,
    /// Bytes of it that it has not replayed.
    pub replay_lag_bytes: Option<u64>,
    /// Why it could not be asked.
    pub error: Option<String>,
    /// The tags that repoint heeds: `nofailover`, `noloadbalance`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<&'static str>,
    /// Whether it claims to be the primary.
    #[serde(skip)]
    pub is_claimant: bool,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointStatus {
    /// Which one.
    pub endpoint: Endpoint,
    /// What it points at now.
    pub points_at: Vec<String>,
    /// Whether that is right.
    pub standing: Standing,
    /// Why, where it is not right.
    pub message: Option<String>,
}

impl EndpointStatus {
    /// What it points at after that step.
    fn apply(&mut self, step: &StepReport) {
        let is_target = |shown: &String| shown.split(' ').next() == Some(step.target.as_str());
        match step.action {
            Action::RegisterTarget if self.points_at.iter().any(is_target) => {}
            Action::RegisterTarget => self.points_at.push(format!("{} (registered)", step.target)),
            Action::DeregisterTarget => self.points_at.retain(|shown| !is_target(shown)),
            Action::SetWeights | Action::ChangeRecord => self.points_at = vec![step.target.clone()],
            // Its first word is the server's name.
            Action::SetHaproxy => {
                let name = step.target.split(' ').next();
                match self.points_at.iter_mut().find(|shown| shown.split(' ').next() == name) {
                    Some(shown) => shown.clone_from(&step.target),
                    None => self.points_at.push(step.target.clone()),
                }
            }
        }
    }
}

/// Whether an endpoint points where it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Right,
    /// It does not, and a pass would change it.
    Differs,
    /// It is unknown, or cannot be changed.
    Held,
    /// It belongs to a site that does not hold the primary, and is left alone.
    Idle,
}

impl Standing {
    /// In lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Differs => "differs",
            Self::Held => "held",
            Self::Idle => "idle",
        }
    }
}

/// Describes what was seen.
#[must_use]
pub fn status(
    spec: &Spec,
    observed: &Observed,
    state: &Read<State>,
    verdict: &Verdict,
    plan: &Plan,
    now: Timestamp,
) -> ClusterStatus {
    let known = state.as_ref().ok();
    let own = known.filter(|state| !state.is_of_others(spec));
    ClusterStatus {
        scope: spec.scope.clone(),
        name: spec.name.clone(),
        verdict: VerdictReport::from(verdict),
        is_paused: is_paused(observed),
        sites: sites(spec, observed, known, verdict),
        members: member_reports(observed),
        endpoints: spec
            .endpoints()
            .map(|endpoint| standing(endpoint, spec, observed, verdict, plan))
            .collect(),
        warnings: warnings(verdict, plan)
            .into_iter()
            .chain(known.and_then(|state| of_others(spec, state)))
            .collect(),
        conditions: state.iter().flat_map(|state| conditions(state, now)).collect(),
        state_error: state.as_ref().err().map(ToString::to_string),
        retargets: own.map(|state| state.retargets.clone()),
        alerts_pending: own.map(|state| state.outbox.len()),
        events: own.map(|state| Events { last: state.last_event, pending: state.pending_events.clone() }),
    }
}

/// Whether Patroni is in maintenance mode, by any of these answers.
#[must_use]
pub fn is_paused(observed: &Observed) -> bool {
    let mut views = observed.sites.values().flat_map(BTreeMap::values).flat_map(|answer| &answer.view);
    views.any(|view| view.paused)
}

/// How the members stand by these answers: those of each site by their names.
#[must_use]
pub fn member_reports(observed: &Observed) -> Vec<MemberReport> {
    let heads = Heads::of(observed);
    observed.sites.iter().flat_map(|(site, answers)| rows(site.as_ref(), answers, &heads)).collect()
}

/// That what is remembered is of another entry.
fn of_others(spec: &Spec, state: &State) -> Option<String> {
    state.is_of_others(spec).then(|| PassHold::of_others(state).to_string())
}

fn conditions(state: &State, now: Timestamp) -> impl Iterator<Item = ConditionStatus> {
    state.conditions.iter().map(move |condition| ConditionStatus {
        kind: condition.kind,
        severity: condition.kind.severity(),
        subject: condition.subject.clone(),
        message: condition.message.clone(),
        since: condition.since,
        lasted_seconds: now.since(condition.since) / 1000,
        notified: condition.notified.is_some(),
        outlasts_grace: condition.notified.is_some(),
    })
}

/// How each site stands, where there are several.
fn sites(spec: &Spec, observed: &Observed, state: Option<&State>, verdict: &Verdict) -> Vec<SiteStatus> {
    let nothing = State::default();
    let state = state.unwrap_or(&nothing);
    let leads = match verdict {
        Verdict::Primary(primary) => primary.site.as_ref(),
        Verdict::Hold(_) => None,
    };
    let status = |(site, its): (Option<SiteName>, Verdict)| {
        let site = site?;
        let message = match its {
            Verdict::Primary(_) if leads == Some(&site) => "holds the primary".to_owned(),
            Verdict::Primary(its) => format!("claims to hold the primary, on timeline {}", its.timeline),
            Verdict::Hold(hold) => hold.to_string(),
        };
        Some(SiteStatus {
            holds_primary: leads == Some(&site),
            is_superseded: state.superseded.contains(&site),
            site,
            message,
        })
    };
    by_site(spec, observed, state).into_iter().filter_map(status).collect()
}

fn rows(site: Option<&SiteName>, answers: &Answers, heads: &Heads) -> Vec<MemberReport> {
    let members = members(answers);
    let views: Vec<_> = members.iter().filter_map(Member::view).collect();
    let mut rows: Vec<MemberReport> = members
        .iter()
        .map(|member| {
            // The leader's view is the freshest; for the others any will do.
            let listed = views.iter().flat_map(|view| &view.members).find(|listed| member.is(listed));
            let status = member.status();
            let own_state = status.map(|status| status.state.to_string());
            let streams =
                listed.filter(|listed| listed.state.is_up() && status.is_some_and(|own| own.state.is_up()));
            let lag = heads.lag(site, member, listed);
            MemberReport {
                site: site.cloned(),
                member: listed.map_or_else(|| member.label(), |listed| listed.name.to_string()),
                address: listed.and_then(|listed| listed.address.clone()),
                role: listed
                    .map(|listed| listed.role.to_string())
                    .or_else(|| status.map(|status| status.role.to_string())),
                state: streams.map(|listed| listed.state.to_string()).or(own_state),
                timeline: status
                    .and_then(|status| status.timeline)
                    .or_else(|| listed.and_then(|listed| listed.timeline)),
                lag_bytes: lag.receive_bytes,
                replay_lag_bytes: lag.replay_bytes,
                error: member.failure(),
                tags: listed.map_or_else(Vec::new, tags),
                is_claimant: member.claim().is_some(),
            }
        })
        .collect();
    rows.sort_by(|a, b| a.member.cmp(&b.member));
    rows
}

fn tags(listed: &ClusterMember) -> Vec<&'static str> {
    let tags = [("nofailover", listed.nofailover), ("noloadbalance", listed.noloadbalance)];
    tags.into_iter().filter_map(|(tag, is_set)| is_set.then_some(tag)).collect()
}

/// Whether it is a group, or the listener before one, of a site that does not hold the primary.
fn is_idle(endpoint: &Endpoint, spec: &Spec, verdict: &Verdict) -> bool {
    let Verdict::Primary(primary) = verdict else { return false };
    let elsewhere = spec.with_groups(|group| group.site.is_some() && group.site != primary.site);
    match endpoint {
        Endpoint::Group(arn) => elsewhere.groups.iter().any(|group| group.arn == *arn),
        Endpoint::Listener(arn) => elsewhere.listeners().contains(arn),
        Endpoint::Record(_) | Endpoint::Backend(_) => false,
    }
}

fn standing(
    endpoint: Endpoint,
    spec: &Spec,
    observed: &Observed,
    verdict: &Verdict,
    plan: &Plan,
) -> EndpointStatus {
    let points_at = match &endpoint {
        Endpoint::Group(arn) => match observed.groups.get(arn) {
            Some(Ok(group)) => group.targets.iter().map(target).collect(),
            _ => Vec::new(),
        },
        Endpoint::Listener(arn) => shares(observed, arn),
        Endpoint::Record(key) => values(observed, key),
        Endpoint::Backend(key) => servers(observed, key),
    };
    let hold = holds(verdict, plan)
        .into_iter()
        .find(|hold| hold.endpoint.as_ref().is_none_or(|held| *held == endpoint) || is_whole(hold.reason));
    let steps: Vec<String> = planned_steps(plan)
        .into_iter()
        .filter(|step| step.endpoint == endpoint)
        .map(|step| step.summary())
        .collect();
    let (standing, message) = match (hold, steps.is_empty()) {
        _ if is_idle(&endpoint, spec, verdict) => (Standing::Idle, None),
        (Some(hold), _) => (Standing::Held, Some(hold.message)),
        (None, true) => (Standing::Right, None),
        (None, false) => (Standing::Differs, Some(steps.join(", "))),
    };
    EndpointStatus { endpoint, points_at, standing, message }
}

fn target(health: &TargetHealth) -> String {
    match &health.reason {
        Some(reason) => format!("{} ({}, {reason})", health.target, health.state),
        None => format!("{} ({})", health.target, health.state),
    }
}

fn shares(observed: &Observed, arn: &ListenerArn) -> Vec<String> {
    let Some(Ok(listener)) = observed.listeners.get(arn) else { return Vec::new() };
    match listener {
        Listener::Forward(forward) => {
            let share = |(group, weight): (&GroupArn, &u32)| format!("{} {weight}", group.name());
            forward.weights.iter().map(share).collect()
        }
        Listener::Other(what) => vec![what.clone()],
    }
}

fn servers(observed: &Observed, key: &BackendKey) -> Vec<String> {
    let Some(Ok(backend)) = observed.backends.get(key) else { return Vec::new() };
    backend.servers.iter().map(|server| format!("{} {}", server.name, server.setting())).collect()
}

fn is_whole(reason: Reason) -> bool {
    matches!(reason, Reason::Verdict(_))
}

fn values(observed: &Observed, key: &RecordKey) -> Vec<String> {
    let Some(Ok(sets)) = observed.records.get(&key.place) else { return Vec::new() };
    let set = sets.iter().find(|set| set.key == *key);
    match set.map(|set| &set.answer) {
        Some(Answer::Values { values, .. }) => values.clone(),
        Some(Answer::Alias(to)) => vec![format!("alias of {to}")],
        None => Vec::new(),
    }
}

#[expect(clippy::ref_option, reason = "serde wants it")]
fn last_move<S: Serializer>(retargets: &Option<Retargets>, serializer: S) -> Result<S::Ok, S::Error> {
    retargets.as_ref().and_then(|retargets| retargets.last.as_ref()).serialize(serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it")]
fn utc<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    Utc(*at).serialize(serializer)
}
