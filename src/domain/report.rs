//! What a pass saw, decided and did: for people, and for programs.
//!
//! Law: every non-action has a typed reason that a person can read (11). The names here are a contract: scripts read
//! the JSON.

mod insync;
pub mod status;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use super::cluster::{MemberName, Scope, SiteName, SystemId, Timeline};
use super::endpoint::{Endpoint, Target};
use super::failure::{Failure, Kind};
use super::listener::{ListenerArn, Reweighting};
use super::memory::Acting;
use super::plan::{EndpointHold, EndpointReason, EndpointReasonKind, Lane, ListenerStep, Plan, TargetStep};
use super::record::{ChangeId, RecordChange};
use super::retarget::Cause;
use super::verdict::{HoldKind, Rival, Verdict, label};
pub use insync::Arrival;
pub use text::{Tone, describe, text};

/// The version of the JSON report; it rises when a name changes its meaning or goes.
pub const VERSION: u32 = 1;

/// The report of one pass over the chosen clusters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// Whether writing was ruled out.
    pub dry_run: bool,
    /// In the order of the configuration.
    pub clusters: Vec<ClusterReport>,
}

impl Report {
    /// Whether every cluster is as it should be, or is planned to be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.clusters.iter().all(|cluster| !matches!(cluster.outcome, Outcome::Held | Outcome::Failed))
    }
}

/// How a pass over one cluster ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything is as it should be.
    Converged,
    /// Something was changed, and all of it was done.
    Changed,
    /// Something would be changed.
    Planned,
    /// Something was left alone for a reason.
    Held,
    /// Something could not be read or written.
    Failed,
}

impl Outcome {
    /// In snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Changed => "changed",
            Self::Planned => "planned",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// The report of one cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterReport {
    /// Which cluster.
    pub scope: Scope,
    /// How it ended.
    pub outcome: Outcome,
    /// Who is the primary, or why nobody.
    pub verdict: VerdictReport,
    /// Why endpoints were moved, or would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The primary that the endpoints pointed at before: a member's name, or an address that no member has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_primary: Option<String>,
    /// What was done, or would be.
    pub steps: Vec<StepReport>,
    /// What was left alone.
    pub holds: Vec<HoldReport>,
    /// What an operator should know although nothing hinges on it in this pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The subjects of the alerts that this pass brought about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<String>,
    /// Something could not be told or remembered.
    #[serde(skip)]
    pub is_untold: bool,
    /// How long the pass took, alerts left out, in milliseconds.
    pub duration_ms: u64,
    /// Requests to AWS, retries included, by IAM action.
    pub api_calls: BTreeMap<String, u64>,
}

impl ClusterReport {
    /// Why the cluster is not as it should be, in a sentence: the first step that failed, or else the first hold.
    #[must_use]
    pub fn first_trouble(&self) -> Option<&str> {
        let failed = self.steps.iter().find_map(|step| step.error.as_deref());
        failed.or_else(|| self.holds.first().map(|hold| hold.message.as_str()))
    }
}

/// The verdict in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum VerdictReport {
    /// A primary.
    Primary(PrimaryReport),
    /// The verdict is to hold.
    Hold {
        /// Why.
        kind: HoldKind,
        /// Why, for people.
        message: String,
    },
}

/// The primary in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrimaryReport {
    /// Always `primary`.
    pub kind: &'static str,
    /// Its site, where the cluster spans several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// Its name.
    pub member: Option<MemberName>,
    /// Where its PostgreSQL listens.
    pub host: Option<String>,
    /// On which port.
    pub port: Option<u16>,
    /// Its timeline.
    pub timeline: Timeline,
    /// Its system identifier.
    pub system_id: SystemId,
}

impl PrimaryReport {
    /// Its name in the whole cluster, if it has one.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        self.member.as_ref().map(|member| label(self.site.as_ref(), member.as_str()))
    }
}

impl From<&Verdict> for VerdictReport {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Primary(primary) => Self::Primary(PrimaryReport {
                kind: "primary",
                site: primary.site.clone(),
                member: primary.member.clone(),
                host: primary.address.as_ref().map(|address| address.host.clone()),
                port: primary.address.as_ref().map(|address| address.port),
                timeline: primary.timeline,
                system_id: primary.system_id.clone(),
            }),
            Verdict::Hold(hold) => Self::Hold { kind: hold.kind(), message: hold.to_string() },
        }
    }
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A target joins a group.
    RegisterTarget,
    /// A target leaves a group.
    DeregisterTarget,
    /// A listener gives every connection to one group.
    SetWeights,
    /// A record set is replaced, or made.
    ChangeRecord,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// It would be done.
    Planned,
    /// It was done.
    Done,
    /// It was tried.
    Failed,
    /// It was not tried, since a step before it failed.
    Skipped,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// What.
    pub action: Action,
    /// Where.
    pub endpoint: Endpoint,
    /// The target, the target group that gets the connections, or the record's new value.
    pub target: String,
    /// The record's value before, or the groups that got the connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// How it ended.
    pub result: StepResult,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When it ended, in milliseconds since the pass began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// Route 53's id of the batch that the record's change was accepted with, as `aws route53 get-change` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_id: Option<ChangeId>,
    /// When all of Route 53's servers were seen to have it, in milliseconds since the pass began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insync_at_ms: Option<u64>,
    /// It was sent and not answered, so it may still be done.
    #[serde(skip)]
    pub may_arrive: bool,
    /// Somebody else was quicker, and what it rests on is out of date.
    #[serde(skip)]
    pub lost_a_race: bool,
}

impl StepReport {
    /// A step on a target group that is yet to be done.
    #[must_use]
    pub fn of_target(endpoint: Endpoint, step: &TargetStep) -> Self {
        let (action, target): (_, &Target) = match step {
            TargetStep::Register(target) => (Action::RegisterTarget, target),
            TargetStep::Deregister(target) => (Action::DeregisterTarget, target),
        };
        Self::planned(action, endpoint, target.to_string(), None)
    }

    /// A change of a listener's weights that is yet to be done.
    #[must_use]
    pub fn of_weights(arn: &ListenerArn, weights: &Reweighting) -> Self {
        let (before, after) = (weights.before.to_string(), weights.after.to_string());
        Self::planned(Action::SetWeights, Endpoint::Listener(arn.clone()), after, Some(before))
    }

    /// A change of a record set that is yet to be done.
    #[must_use]
    pub fn of_record(change: &RecordChange) -> Self {
        let endpoint = Endpoint::Record(change.after.key.clone());
        let replaces = change.before.as_ref().map(|before| before.answer.to_string());
        Self::planned(Action::ChangeRecord, endpoint, change.after.answer.to_string(), replaces)
    }

    fn planned(action: Action, endpoint: Endpoint, target: String, replaces: Option<String>) -> Self {
        Self {
            action,
            endpoint,
            target,
            replaces,
            result: StepResult::Planned,
            error: None,
            hint: None,
            at_ms: None,
            change_id: None,
            insync_at_ms: None,
            may_arrive: false,
            lost_a_race: false,
        }
    }

    /// What the step does, in a few words.
    #[must_use]
    pub fn summary(&self) -> String {
        match (self.action, &self.replaces) {
            (Action::RegisterTarget, _) => format!("register {}", self.target),
            (Action::DeregisterTarget, _) => format!("deregister {}", self.target),
            (Action::SetWeights, Some(before)) if *before == self.target => {
                format!("put every group behind it, all connections to {before}")
            }
            (Action::SetWeights, before) => {
                let before = before.as_ref().map_or(String::new(), |before| format!(", before: {before}"));
                format!("send all connections to {}{before}", self.target)
            }
            (Action::ChangeRecord, Some(before)) if *before == self.target => {
                format!("update {}", self.target)
            }
            (Action::ChangeRecord, Some(before)) => format!("change {before} -> {}", self.target),
            (Action::ChangeRecord, None) => format!("create {}", self.target),
        }
    }

    /// The step, done or failed, and when.
    #[must_use]
    pub fn ended(mut self, result: &Result<(), Failure>, at_ms: u64) -> Self {
        self.at_ms = Some(at_ms);
        match result {
            Ok(()) => self.result = StepResult::Done,
            Err(failure) => {
                self.result = StepResult::Failed;
                self.error = Some(failure.to_string());
                self.hint = failure.hint();
                self.may_arrive = failure.kind == Kind::Unavailable;
                self.lost_a_race = failure.kind == Kind::Conflict;
            }
        }
        self
    }

    /// The step, of which a later look shows that it was done.
    #[must_use]
    pub fn found_done(self) -> Self {
        Self {
            result: StepResult::Done,
            error: None,
            hint: None,
            may_arrive: false,
            lost_a_race: false,
            ..self
        }
    }

    /// The step, not tried.
    #[must_use]
    pub fn skipped(mut self) -> Self {
        self.result = StepResult::Skipped;
        self
    }
}

/// The steps of a plan, none of them done.
#[must_use]
pub fn planned_steps(plan: &Plan) -> Vec<StepReport> {
    plan.lanes
        .iter()
        .flat_map(|lane| match lane {
            Lane::Group { arn, steps } => {
                let endpoint = Endpoint::Group(arn.clone());
                steps.iter().map(|step| StepReport::of_target(endpoint.clone(), step)).collect::<Vec<_>>()
            }
            Lane::Listener { arn, steps } => steps.iter().map(|step| of_listener(arn, step)).collect(),
            Lane::Zone { changes, .. } => changes.iter().map(StepReport::of_record).collect(),
        })
        .collect()
}

fn of_listener(arn: &ListenerArn, step: &ListenerStep) -> StepReport {
    match step {
        ListenerStep::Target(group, step) => StepReport::of_target(Endpoint::Group(group.clone()), step),
        ListenerStep::Weights(weights) => StepReport::of_weights(arn, weights),
    }
}

/// Why something was left alone: the whole cluster, or one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldReport {
    /// Why.
    pub reason: Reason,
    /// The endpoint; absent where it is the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Why, for people.
    pub message: String,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The reason of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reason {
    /// Nobody can be named the primary.
    Verdict(HoldKind),
    /// There is a primary, but this endpoint cannot follow it.
    Endpoint(EndpointReasonKind),
    /// There is a primary, but nothing may be written now.
    Pass(PassHoldKind),
}

/// Why a pass that knows the primary writes nothing; its `Display` is the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassHold {
    /// Memory cannot be read or written.
    #[error("something differs, but memory is out of reach, so nothing is moved: {0}")]
    MemoryUnavailable(Failure),
    /// Another reconciler has committed, and may be writing.
    #[error("another repoint ({}) has been acting for this cluster all the while", .0.by)]
    Busy(Acting),
    /// Every time this pass had decided, something had changed or too much time had gone by.
    #[error("what was seen was out of date each time it should have been acted on")]
    Overtaken,
    /// Writes for other clusters went first, for as long as this pass could wait.
    #[error("AWS takes only so many changes a second, and other clusters' went first")]
    Crowded,
    /// The auditor refused the plan.
    #[error("the plan was refused, and nothing of it was done: {0}")]
    Refused(String),
}

/// The name of a [`PassHold`] in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PassHoldKind {
    /// [`PassHold::MemoryUnavailable`].
    MemoryUnavailable,
    /// [`PassHold::Busy`].
    Busy,
    /// [`PassHold::Overtaken`].
    Overtaken,
    /// [`PassHold::Crowded`].
    Crowded,
    /// [`PassHold::Refused`].
    Refused,
}

impl PassHold {
    fn kind(&self) -> PassHoldKind {
        match self {
            Self::MemoryUnavailable(_) => PassHoldKind::MemoryUnavailable,
            Self::Busy(_) => PassHoldKind::Busy,
            Self::Overtaken => PassHoldKind::Overtaken,
            Self::Crowded => PassHoldKind::Crowded,
            Self::Refused(_) => PassHoldKind::Refused,
        }
    }

    /// The hold in a report.
    #[must_use]
    pub fn report(&self) -> HoldReport {
        let hint = match self {
            Self::MemoryUnavailable(failure) => {
                let mend = failure.hint().map_or(String::new(), |hint| format!("{hint}; "));
                format!("{mend}`[state] required = false` lets repoint act without memory")
            }
            Self::Busy(_) | Self::Overtaken | Self::Crowded => "the next pass looks again".to_owned(),
            Self::Refused(_) => {
                "this is a mistake in repoint: please report it with this message, and move the endpoints by hand"
                    .to_owned()
            }
        };
        HoldReport {
            reason: Reason::Pass(self.kind()),
            endpoint: None,
            message: self.to_string(),
            hint: Some(hint),
        }
    }
}

/// Everything that was left alone.
#[must_use]
pub fn holds(verdict: &Verdict, plan: &Plan) -> Vec<HoldReport> {
    let whole = match verdict {
        Verdict::Primary(_) => None,
        Verdict::Hold(hold) => Some(HoldReport {
            reason: Reason::Verdict(hold.kind()),
            endpoint: None,
            message: hold.to_string(),
            hint: Some(hold.kind().remedy().to_owned()),
        }),
    };
    let endpoints = plan.holds.iter().map(|EndpointHold { endpoint, reason }| HoldReport {
        reason: Reason::Endpoint(reason.kind()),
        endpoint: Some(endpoint.clone()),
        message: reason.to_string(),
        hint: match reason {
            EndpointReason::Unreadable(failure) => failure.hint(),
            _ => None,
        },
    });
    whole.into_iter().chain(endpoints).collect()
}

/// Who else claims to be the primary, and what is not right with endpoints although nothing is to be done about it now.
#[must_use]
pub fn warnings(verdict: &Verdict, plan: &Plan) -> Vec<String> {
    let Verdict::Primary(primary) = verdict else { return Vec::new() };
    let warning = |rival: &Rival| {
        let lower = if rival.timeline < primary.timeline { "the lower timeline" } else { "timeline" };
        format!(
            "{} also claims to be the primary, on {lower} {}: stop it, it may be taking writes",
            rival.label(),
            rival.timeline
        )
    };
    let concerns =
        plan.concerns.iter().map(|concern| format!("{}: {}", describe(&concern.endpoint), concern.what));
    primary.rivals.iter().map(warning).chain(concerns).collect()
}

/// How the pass ended, by what it did and did not do.
#[must_use]
pub fn outcome(dry_run: bool, steps: &[StepReport], holds: &[HoldReport]) -> Outcome {
    let is_failure = |reason: Reason| {
        matches!(
            reason,
            Reason::Endpoint(EndpointReasonKind::Unreadable) | Reason::Pass(PassHoldKind::Refused)
        )
    };
    let failed = steps.iter().any(|step| matches!(step.result, StepResult::Failed | StepResult::Skipped));
    if failed || holds.iter().any(|hold| is_failure(hold.reason)) {
        Outcome::Failed
    } else if !holds.is_empty() {
        Outcome::Held
    } else if steps.is_empty() {
        Outcome::Converged
    } else if dry_run {
        Outcome::Planned
    } else {
        Outcome::Changed
    }
}
