//! What a pass does, step by step, and what became of each.
//!
//! A step that was sent and not answered may still take effect, and is reported as that.

use serde::Serialize;

use crate::plan::{ListenerStep, Plan, StepGroup, TargetStep};
use crate::values::endpoint::Endpoint;
use crate::values::failure::{Failure, Kind};
use crate::values::haproxy::{BackendKey, ServerChange};
use crate::values::listener::WeightChange;
use crate::values::record::{ChangeId, RecordChange};
use crate::values::target::Target;

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
    /// A server of HAProxy gets connections, gets none, or leads elsewhere.
    SetHaproxy,
}

impl Action {
    /// In snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RegisterTarget => "register_target",
            Self::DeregisterTarget => "deregister_target",
            Self::SetWeights => "set_weights",
            Self::ChangeRecord => "change_record",
            Self::SetHaproxy => "set_haproxy",
        }
    }
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

impl StepResult {
    /// In snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// What.
    pub action: Action,
    /// Where.
    pub endpoint: Endpoint,
    /// The target, the target group that gets the connections, the record's new value, or how the server is to be.
    pub target: String,
    /// The record's value before, the groups that got the connections, or how the server was.
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
    /// From the request to its answer, in milliseconds, for the history.
    #[serde(skip)]
    pub took_ms: Option<u64>,
    /// It was sent and not answered, so it may still be done.
    #[serde(skip)]
    pub may_arrive: bool,
    /// Another change came first, and what the step rests on is out of date.
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
    pub fn of_weights(weights: &WeightChange) -> Self {
        let (before, after) = (weights.before.to_string(), weights.after.to_string());
        Self::planned(Action::SetWeights, Endpoint::Listener(weights.listener.clone()), after, Some(before))
    }

    /// A change of a record set that is yet to be done.
    #[must_use]
    pub fn of_record(change: &RecordChange) -> Self {
        let endpoint = Endpoint::Record(change.after.key.clone());
        let replaces = change.before.as_ref().map(|before| before.answer.to_string());
        Self::planned(Action::ChangeRecord, endpoint, change.after.answer.to_string(), replaces)
    }

    /// A change of a server of HAProxy that is yet to be done.
    #[must_use]
    pub fn of_server(key: &BackendKey, change: &ServerChange) -> Self {
        let endpoint = Endpoint::Backend(key.clone());
        let after = format!("{} {}", change.server, change.after);
        Self::planned(Action::SetHaproxy, endpoint, after, change.before.as_ref().map(ToString::to_string))
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
            took_ms: None,
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
            (Action::SetHaproxy, Some(before)) => format!("set server {}, before: {before}", self.target),
            (Action::SetHaproxy, None) => format!("add server {}", self.target),
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
                self.hint.clone_from(&failure.hint);
                self.may_arrive = failure.kind == Kind::Unavailable;
                self.lost_a_race = failure.kind == Kind::Conflict;
            }
        }
        self
    }

    /// The step, whose request was sent so many milliseconds after the pass began.
    #[must_use]
    pub fn sent_at(self, sent_ms: u64) -> Self {
        Self { took_ms: self.at_ms.map(|at_ms| at_ms.saturating_sub(sent_ms)), ..self }
    }

    /// Whether that does the same, however either has ended.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.action, &self.endpoint, &self.target) == (other.action, &other.endpoint, &other.target)
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
    plan.step_groups
        .iter()
        .flat_map(|step_group| match step_group {
            StepGroup::Group { arn, steps } => {
                let endpoint = Endpoint::Group(arn.clone());
                steps.iter().map(|step| StepReport::of_target(endpoint.clone(), step)).collect::<Vec<_>>()
            }
            StepGroup::Listeners { steps } => steps.iter().map(of_listener).collect(),
            StepGroup::Zone { changes, .. } => changes.iter().map(StepReport::of_record).collect(),
            StepGroup::Backend { key, changes } => {
                changes.iter().map(|change| StepReport::of_server(key, change)).collect()
            }
        })
        .collect()
}

fn of_listener(step: &ListenerStep) -> StepReport {
    match step {
        ListenerStep::Target(group, step) => StepReport::of_target(Endpoint::Group(group.clone()), step),
        ListenerStep::Weights(weights) => StepReport::of_weights(weights),
    }
}
