//! Whether a switchover may be rehearsed now. Every gate is judged and reported, not only the first that refuses.
//!
//! Invariant 2: what could not be read lets nothing through. Patroni refuses a switchover that it cannot make; the gates are
//! stricter, since a drill can wait for a better moment.

use serde::Serialize;

use super::attempts::Health;
use crate::decide::verdict::Verdict;
use crate::doctor::check::Severity;
use crate::doctor::report::DoctorReport;
use crate::observed::member::{Member, members, primarys_view};
use crate::observed::{ClusterMember, ClusterView, Observed, Read};
use crate::report::describe;
use crate::report::status::{ClusterStatus, Standing};
use crate::spec::Spec;
use crate::state::State;
use crate::values::cluster::{ApiUrl, ClusterRole, MemberName, PostgresState};
use crate::values::primary::Primary;
use crate::values::timestamp::Timestamp;
use crate::values::units::{bytes, duration};

/// How far a candidate may be behind, in bytes: one WAL segment of the usual size. The old primary sends the rest before it
/// ends, and clients wait for that.
pub const MOST_LAG_BYTES: u64 = 16 * 1024 * 1024;
/// How long a client must have been good, in milliseconds.
pub const GOOD_FOR_MS: u64 = 10_000;
/// How long the last change of the primary, or the last move of endpoints, must be past, in milliseconds: connection pools
/// have filled by then, and records' TTLs are over.
pub const COOL_DOWN_MS: u64 = 10 * 60 * 1000;

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateId {
    /// One member claims to be the primary, and is confirmed.
    Primary,
    /// Every member runs, and every replica streams.
    Members,
    /// A member can take over.
    Candidate,
    /// It is hardly behind.
    Lag,
    /// Patroni is not in maintenance mode.
    Pause,
    /// Patroni has no switchover scheduled.
    Schedule,
    /// Every endpoint points where it should.
    Endpoints,
    /// The doctor found nothing critical.
    Doctor,
    /// No other drill is under way.
    OtherDrill,
    /// Nothing has moved of late.
    CoolDown,
    /// Every client is good.
    Clients,
    /// An operator has confirmed the scope.
    Scope,
}

impl GateId {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Members => "members",
            Self::Candidate => "candidate",
            Self::Lag => "lag",
            Self::Pause => "pause",
            Self::Schedule => "schedule",
            Self::Endpoints => "endpoints",
            Self::Doctor => "doctor",
            Self::OtherDrill => "other drill",
            Self::CoolDown => "cool-down",
            Self::Clients => "clients",
            Self::Scope => "scope",
        }
    }
}

/// Whether a gate lets a drill through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateResult {
    /// It does.
    Passed,
    /// It does not.
    Refused,
    /// It was not asked for.
    NotChecked,
}

/// A gate, as it was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// Which one.
    pub gate: GateId,
    /// Whether it lets the drill through.
    pub result: GateResult,
    /// What was found.
    pub message: String,
}

impl Gate {
    /// `Ok` passes and `Err` refuses, each with what was found.
    pub fn of(gate: GateId, found: Result<impl Into<String>, impl Into<String>>) -> Self {
        let (result, message) = match found {
            Ok(message) => (GateResult::Passed, message.into()),
            Err(message) => (GateResult::Refused, message.into()),
        };
        Self { gate, result, message }
    }
}

/// Whether all of them let it through.
#[must_use]
pub fn all_passed(gates: &[Gate]) -> bool {
    gates.iter().all(|gate| gate.result != GateResult::Refused)
}

/// The switchover that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Where the leader's REST API answered.
    pub leader_url: ApiUrl,
    /// The leader.
    pub from: MemberName,
    /// The member that is to take over.
    pub to: MemberName,
}

/// What the gates rest on.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What is configured.
    pub spec: &'a Spec,
    /// What was observed.
    pub observed: &'a Observed,
    /// The state.
    pub state: &'a Read<State>,
    /// Who is the primary.
    pub verdict: &'a Verdict,
    /// The same for a reader, with the endpoints.
    pub status: &'a ClusterStatus,
    /// What the doctor reports; `None` where it was not asked.
    pub doctor: Option<&'a DoctorReport>,
    /// The member that was asked for.
    pub wanted: Option<&'a MemberName>,
    /// This process, as its drill is recorded.
    pub by: &'a str,
    /// Whether this is the way back of a drill that has just been made.
    pub is_way_back: bool,
    /// Now.
    pub now: Timestamp,
}

/// Judges the gates of the cluster, and chooses the candidate.
#[must_use]
pub fn judge(evidence: Evidence) -> (Vec<Gate>, Option<Switch>) {
    let leader = Leader::of(evidence.observed, evidence.verdict);
    let candidate =
        leader.as_ref().map_err(String::clone).and_then(|leader| leader.candidate(evidence.wanted));
    let lag = candidate.as_ref().map_err(|_| "no candidate".to_owned()).and_then(|candidate| lag(candidate));
    let named = candidate.as_ref().map(|candidate| match evidence.wanted {
        Some(_) => format!("{} can take over", candidate.name),
        None => format!("{} was chosen", candidate.name),
    });
    let gates = vec![
        Gate::of(GateId::Primary, leader.as_ref().map(Leader::described)),
        Gate::of(GateId::Members, members_are_whole(evidence.spec, evidence.observed, evidence.verdict)),
        Gate::of(GateId::Candidate, named.map_err(String::clone)),
        Gate::of(GateId::Lag, lag),
        Gate::of(GateId::Pause, pause(evidence.observed)),
        Gate::of(GateId::Schedule, schedule(evidence.observed)),
        Gate::of(GateId::Endpoints, endpoints(evidence.status)),
        doctor(evidence.doctor),
        Gate::of(GateId::OtherDrill, other_drill(evidence)),
        cool_down(evidence),
    ];
    let switch = leader.ok().zip(candidate.ok()).map(|(leader, candidate)| Switch {
        leader_url: leader.url.clone(),
        from: leader.name.clone(),
        to: candidate.name.clone(),
    });
    (gates, switch)
}

/// Judges the clients.
#[must_use]
pub fn clients(clients: &[Health]) -> Gate {
    let is_good = |client: &&Health| client.good_for_ms.is_some_and(|ms| ms >= GOOD_FOR_MS);
    let bad: Vec<String> = clients.iter().filter(|client| !is_good(client)).map(described).collect();
    let found = if bad.is_empty() {
        Ok(format!("{} clients have been good for {}", clients.len(), duration(GOOD_FOR_MS)))
    } else {
        Err(bad.join("; "))
    };
    Gate::of(GateId::Clients, found)
}

fn described(health: &Health) -> String {
    let error = health.last_error.as_ref().map_or(String::new(), |error| format!(", last error: {error}"));
    match health.good_for_ms {
        Some(ms) => format!("{}: good for {} only{error}", health.client, duration(ms)),
        None => format!("{}: not good{error}", health.client),
    }
}

/// The one claimant, and the cluster as it sees it.
struct Leader<'a> {
    primary: &'a Primary,
    name: &'a MemberName,
    url: &'a ApiUrl,
    view: &'a ClusterView,
    members: Vec<Member<'a>>,
}

impl<'a> Leader<'a> {
    fn of(observed: &'a Observed, verdict: &'a Verdict) -> Result<Self, String> {
        let primary = match verdict {
            Verdict::Primary(primary) => primary,
            Verdict::Hold(hold) => return Err(hold.to_string()),
        };
        if let Some(rival) = primary.rivals.first() {
            return Err(format!("{} also claims to be the primary", rival.label()));
        }
        let name = primary.member.as_ref().ok_or("the primary's name is unknown")?;
        let members = members(observed.answers_of(primary.site.as_ref()));
        let own = members.iter().find(|member| member.name.as_ref() == Some(name));
        let url = own.and_then(|own| own.urls().next()).ok_or("the primary's REST API is unknown")?;
        let view = primarys_view(&members, name).ok_or("no member reports /cluster")?;
        Ok(Self { primary, name, url, view, members })
    }

    fn described(&self) -> String {
        format!("{} leads on timeline {}", self.name, self.primary.timeline)
    }

    fn own(&self, listed: &ClusterMember) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.is(listed))
    }

    /// Whether a replica streams: it is listed as streaming, or, before Patroni 3.0.4, the primary sends WAL to it.
    fn streams(&self, listed: &ClusterMember) -> bool {
        let leader = self.members.iter().find(|member| member.name.as_ref() == Some(self.name));
        let is_fed = leader.and_then(Member::status).is_some_and(|own| own.feeds.contains(&listed.name));
        listed.state == PostgresState::Streaming || (listed.state == PostgresState::Running && is_fed)
    }

    /// What keeps a member from taking over.
    fn unfit(&self, listed: &ClusterMember) -> Option<String> {
        let is_synchronous = |listed: &ClusterMember| {
            matches!(listed.role, ClusterRole::SyncStandby | ClusterRole::QuorumStandby)
        };
        let why = if listed.role.leads() {
            "leads already"
        } else if listed.nofailover {
            "has the tag nofailover, or a failover_priority of 0"
        } else if !self.streams(listed) {
            "does not stream"
        } else if self.own(listed).is_none_or(|own| own.status().is_none()) {
            "does not answer"
        } else if self.view.members.iter().any(is_synchronous) && !is_synchronous(listed) {
            "is not a synchronous standby, and others are"
        } else {
            return None;
        };
        Some(format!("{} {why}", listed.name))
    }

    /// The member that was asked for, or the fit one that is least behind.
    fn candidate(&self, wanted: Option<&MemberName>) -> Result<&'a ClusterMember, String> {
        if let Some(wanted) = wanted {
            let listed =
                self.view.member(wanted).ok_or_else(|| format!("Patroni lists no member {wanted}"))?;
            return self.unfit(listed).map_or(Ok(listed), Err);
        }
        let fit = self.view.members.iter().filter(|listed| self.unfit(listed).is_none());
        fit.min_by_key(|listed| (listed.lag_bytes.unwrap_or(u64::MAX), &listed.name)).ok_or_else(|| {
            let others = self.view.members.iter().filter(|listed| !listed.role.leads());
            let why: Vec<String> = others.filter_map(|listed| self.unfit(listed)).collect();
            if why.is_empty() { "there is no replica".to_owned() } else { why.join("; ") }
        })
    }
}

/// Whether there is a primary and every member that is configured or listed runs, each replica streaming from it.
///
/// # Errors
/// What is not so.
pub fn members_are_whole(spec: &Spec, observed: &Observed, verdict: &Verdict) -> Result<String, String> {
    let leader = Leader::of(observed, verdict).map_err(|_| "without a primary this cannot be judged")?;
    let mut wrong: Vec<String> = Vec::new();
    for listed in &leader.view.members {
        if leader.own(listed).is_none_or(|own| own.status().is_none()) {
            wrong.push(format!("{} does not answer", listed.name));
        } else if listed.name == *leader.name {
            if listed.state != PostgresState::Running {
                wrong.push(format!("{} is {}", listed.name, listed.state));
            }
        } else if !leader.streams(listed) {
            wrong.push(format!("{} does not stream: it is {}", listed.name, listed.state));
        } else if listed.timeline.is_some_and(|timeline| timeline != leader.primary.timeline) {
            wrong.push(format!("{} is on another timeline than the primary", listed.name));
        }
    }
    // A member that is stopped is not listed any more after Patroni's `ttl`.
    let configured = spec.site(leader.primary.site.as_ref()).map_or(&[][..], |site| &site.members);
    for url in configured {
        if !leader.members.iter().any(|member| member.is_readable() && member.urls().any(|own| own == url)) {
            wrong.push(format!("{url} does not answer"));
        }
    }
    if wrong.is_empty() {
        Ok(format!("{} members run, and every replica streams", leader.view.members.len()))
    } else {
        Err(wrong.join("; "))
    }
}

fn lag(candidate: &ClusterMember) -> Result<String, String> {
    match candidate.lag_bytes {
        None => Err(format!("how far {} is behind is unknown", candidate.name)),
        Some(lag) if lag > MOST_LAG_BYTES => {
            Err(format!("{} is {} behind, more than {}", candidate.name, bytes(lag), bytes(MOST_LAG_BYTES)))
        }
        Some(lag) => Ok(format!("{} is {} behind", candidate.name, bytes(lag))),
    }
}

/// What every member that could be read reports of the cluster; one at least.
fn views(observed: &Observed) -> Result<Vec<&ClusterView>, String> {
    let answers = observed.sites.values().flat_map(|answers| answers.values());
    let views: Vec<&ClusterView> = answers.flat_map(|answer| &answer.view).collect();
    if views.is_empty() { Err("no member reports /cluster".to_owned()) } else { Ok(views) }
}

fn pause(observed: &Observed) -> Result<String, String> {
    if views(observed)?.iter().any(|view| view.paused) {
        return Err("Patroni is paused: `patronictl resume` ends that".to_owned());
    }
    Ok("Patroni is not paused".to_owned())
}

fn schedule(observed: &Observed) -> Result<String, String> {
    match views(observed)?.iter().find_map(|view| view.scheduled_switchover.as_ref()) {
        Some(at) => Err(format!("a switchover is scheduled for {at}: `patronictl flush` removes it")),
        None => Ok("no switchover is scheduled".to_owned()),
    }
}

fn endpoints(status: &ClusterStatus) -> Result<String, String> {
    let wrong: Vec<String> = status
        .endpoints
        .iter()
        .filter(|endpoint| !matches!(endpoint.standing, Standing::Right | Standing::Idle))
        .map(|endpoint| {
            let why = endpoint.message.as_ref().map_or(String::new(), |why| format!(": {why}"));
            format!("{} {}{why}", describe(&endpoint.endpoint), endpoint.standing.as_str())
        })
        .collect();
    if wrong.is_empty() {
        Ok(format!("{} endpoints point where they should", status.endpoints.len()))
    } else {
        Err(wrong.join("; "))
    }
}

fn doctor(report: Option<&DoctorReport>) -> Gate {
    let gate = GateId::Doctor;
    let Some(report) = report else {
        return Gate { gate, result: GateResult::NotChecked, message: "not checked".to_owned() };
    };
    let critical: Vec<&str> = report.of_severity(Severity::Critical).map(|finding| finding.id).collect();
    Gate::of(
        gate,
        match (&critical[..], report.not_checked.len()) {
            ([], 0) => Ok("nothing critical was found".to_owned()),
            ([], gaps) => {
                Ok(format!("nothing critical was found; not checked: {gaps}, which `repoint doctor` names"))
            }
            (critical, _) => Err(format!("critical: {}", critical.join(", "))),
        },
    )
}

fn other_drill(evidence: Evidence) -> Result<String, String> {
    let state = evidence.state.as_ref().map_err(ToString::to_string)?;
    if state.is_of_others(evidence.spec) {
        return Err("the state is kept for other endpoints: another configuration uses this name".to_owned());
    }
    match state.other_drill(evidence.by, evidence.now) {
        Some(drill) => Err(format!(
            "{} began a drill {} ago and has not ended it; if that process was killed, wait until 15 minutes are over",
            drill.by,
            duration(evidence.now.since(drill.since))
        )),
        None => Ok("no other drill is under way".to_owned()),
    }
}

fn cool_down(evidence: Evidence) -> Gate {
    let gate = GateId::CoolDown;
    if evidence.is_way_back {
        let message = "not checked: this is the way back".to_owned();
        return Gate { gate, result: GateResult::NotChecked, message };
    }
    let judged = evidence.state.as_ref().map_err(ToString::to_string).and_then(|state| {
        let last = state.retargets.last_at().max(state.changes.last().map(|change| change.at));
        match last.filter(|last| !evidence.now.is_past(*last, COOL_DOWN_MS)) {
            Some(last) => Err(format!(
                "the primary or an endpoint changed {} ago: wait until {} are over",
                duration(evidence.now.since(last)),
                duration(COOL_DOWN_MS)
            )),
            None => Ok(format!("nothing has moved in the last {}", duration(COOL_DOWN_MS))),
        }
    });
    Gate::of(gate, judged)
}
