//! What a pass observed, decided and did, as text and as JSON.
//!
//! Invariant 11 (explained): every non-action has a typed reason that a person can read. The names here are a contract: scripts read
//! the JSON.

mod evidence;
mod hold;
mod insync;
pub mod status;
mod step;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use self::status::ClusterStatus;
use crate::decide::verdict::{HoldKind, Verdict};
use crate::plan::{EndpointReasonKind, Plan};
use crate::values::cluster::{EntryName, MemberName, Scope, SiteName, SystemId, Timeline};
use crate::values::moves::MoveCause;
use crate::values::primary::{Rival, label};
pub use evidence::evidence;
pub use hold::{HoldReport, PassHold, PassHoldKind, Reason, holds, undiscovered, without_state};
pub use insync::Arrival;
pub use step::{Action, StepReport, StepResult, planned_steps};
pub use text::{Tone, describe, describe_name, text};

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
    /// Whether every cluster is as it should be, or is planned to be, and every alert was published.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_good = |cluster: &ClusterReport| {
            !matches!(cluster.outcome, Outcome::Held | Outcome::Failed) && !cluster.is_unnotified
        };
        self.clusters.iter().all(is_good)
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
    /// Patroni's scope.
    pub scope: Scope,
    /// Which entry of the configuration.
    pub name: EntryName,
    /// How it ended.
    pub outcome: Outcome,
    /// Who is the primary, or why that cannot be said.
    pub verdict: VerdictReport,
    /// Why endpoints were moved, or would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<MoveCause>,
    /// The primary that the endpoints pointed at before: a member's name, or an address that no member has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_primary: Option<String>,
    /// What was done, or would be.
    pub steps: Vec<StepReport>,
    /// What was left alone.
    pub holds: Vec<HoldReport>,
    /// What an operator should know although it changes nothing in this pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The subjects of the alerts that this pass brought about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<String>,
    /// An alert was not published, or memory was not saved although it is required.
    #[serde(skip)]
    pub is_unnotified: bool,
    /// How long the pass took, alerts left out, in milliseconds.
    pub duration_ms: u64,
    /// Requests to AWS, retries included, by IAM action.
    pub api_calls: BTreeMap<String, u64>,
    /// How the cluster stands after the pass, for metrics and the daemon's status; absent after a dry run.
    #[serde(skip)]
    pub status: Option<Box<ClusterStatus>>,
}

impl ClusterReport {
    /// When the last change was done, in milliseconds since the pass began; absent if there was none.
    #[must_use]
    pub fn last_change_ms(&self) -> Option<u64> {
        let done = self.steps.iter().filter(|step| step.result == StepResult::Done);
        done.filter_map(|step| step.at_ms).max()
    }

    /// The same where endpoints followed a failover or a switchover: what else moves endpoints has no moment to count from.
    #[must_use]
    pub fn followed_ms(&self) -> Option<u64> {
        let follows = matches!(self.cause, Some(MoveCause::Failover | MoveCause::Switchover));
        self.last_change_ms().filter(|_| follows)
    }

    /// Whether repoint could do its work: nothing failed, state blocks nothing, and every alert was published. A
    /// cluster that is held for a reason of its own counts as working.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.outcome != Outcome::Failed && !self.is_blocked_by_state() && !self.is_unnotified
    }

    /// Whether state blocks changes, now or as soon as there is one to be made: it is out of reach, or that of other
    /// endpoints.
    #[must_use]
    pub fn is_blocked_by_state(&self) -> bool {
        use PassHoldKind::{StateOfOtherEndpoints, StateUnavailable};
        let blocks = |reason| matches!(reason, &Reason::Pass(StateUnavailable | StateOfOtherEndpoints));
        self.holds.iter().any(|hold| blocks(&hold.reason))
    }

    /// Why the state could not be read or written, where that kept the pass from acting.
    #[must_use]
    pub fn state_unavailable(&self) -> Option<&str> {
        let of_state = Reason::Pass(PassHoldKind::StateUnavailable);
        self.holds.iter().find(|hold| hold.reason == of_state).map(|hold| hold.message.as_str())
    }

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
        /// Why, in words.
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

/// Who else claims to be the primary, and what is not right with endpoints although nothing is to be done about it now.
#[must_use]
pub fn warnings(verdict: &Verdict, plan: &Plan) -> Vec<String> {
    let Some(leader) = verdict.leader() else { return Vec::new() };
    let warning = |rival: &Rival| {
        let lower = if rival.timeline < leader.timeline { "the lower timeline" } else { "timeline" };
        format!(
            "{} also claims to be the primary, on {lower} {}: stop it, it may be taking writes",
            rival.label(),
            rival.timeline
        )
    };
    let warnings =
        plan.warnings.iter().map(|warning| format!("{}: {}", describe(&warning.endpoint), warning.what));
    leader.rivals.iter().map(warning).chain(warnings).collect()
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
