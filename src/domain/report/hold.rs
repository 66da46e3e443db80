//! What was left alone, and why.
//!
//! Invariant 11 (explained): each reason is typed, and comes with a sentence and with what helps.

use serde::Serialize;

use crate::decide::verdict::{HoldKind, Verdict};
use crate::observed::Observed;
use crate::plan::{EndpointHold, EndpointReason, EndpointReasonKind, Plan};
use crate::state::{Lease, State};
use crate::values::endpoint::Endpoint;
use crate::values::failure::{Failure, Kind};

/// Why something was left alone: the whole cluster, or one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldReport {
    /// Why.
    pub reason: Reason,
    /// The endpoint; absent where it is the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Why, in words.
    pub message: String,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The reason of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reason {
    /// No member can be named the primary.
    Verdict(HoldKind),
    /// There is a primary, but this endpoint cannot follow it.
    Endpoint(EndpointReasonKind),
    /// There is a primary, but nothing may be written now.
    Pass(PassHoldKind),
}

/// Why a pass that knows the primary writes nothing; its `Display` is the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassHold {
    /// The state cannot be read or written.
    #[error("state store unavailable, so changes are blocked: {0}")]
    StateUnavailable(Failure),
    /// Another process holds the lease, and may be writing.
    #[error("another repoint process ({}) has held the lease of this cluster all the time", .0.by)]
    Locked(Lease),
    /// Every time this pass had decided, something had changed or too much time had gone by.
    #[error("gave up: the state or the evidence was out of date before each commit")]
    Conflict,
    /// Writes for other clusters went first, for as long as this pass could wait.
    #[error("AWS's rate limit was used up by changes of other clusters")]
    RateLimited,
    /// The auditor refused the plan.
    #[error("the plan was refused and nothing was changed: {0}")]
    Refused(String),
    /// The state was kept for endpoints none of which is configured; some of them.
    #[error(
        "the state of this name belongs to other endpoints ({}), none of which is configured here; nothing is changed",
        .0.join(", ")
    )]
    StateOfOtherEndpoints(Vec<String>),
}

/// The name of a [`PassHold`] in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PassHoldKind {
    /// [`PassHold::StateUnavailable`].
    StateUnavailable,
    /// [`PassHold::Locked`].
    Locked,
    /// [`PassHold::Conflict`].
    Conflict,
    /// [`PassHold::RateLimited`].
    RateLimited,
    /// [`PassHold::Refused`].
    Refused,
    /// [`PassHold::StateOfOtherEndpoints`].
    StateOfOtherEndpoints,
}

/// How many endpoints of another entry are named: enough to know it by.
const OTHERS_NAMED: usize = 2;

impl PassHold {
    /// The state is kept for other endpoints than those that are configured.
    #[must_use]
    pub fn of_others(state: &State) -> Self {
        Self::StateOfOtherEndpoints(state.endpoints.iter().take(OTHERS_NAMED).cloned().collect())
    }

    fn kind(&self) -> PassHoldKind {
        match self {
            Self::StateUnavailable(_) => PassHoldKind::StateUnavailable,
            Self::Locked(_) => PassHoldKind::Locked,
            Self::Conflict => PassHoldKind::Conflict,
            Self::RateLimited => PassHoldKind::RateLimited,
            Self::Refused(_) => PassHoldKind::Refused,
            Self::StateOfOtherEndpoints(_) => PassHoldKind::StateOfOtherEndpoints,
        }
    }

    /// The hold in a report.
    #[must_use]
    pub fn report(&self) -> HoldReport {
        let hint = match self {
            Self::StateUnavailable(failure) => {
                let without = "`[state] required = false` lets repoint act without the state";
                match &failure.hint {
                    // The configuration is wrong, and mending it costs no safety.
                    Some(hint) if matches!(failure.kind, Kind::Invalid | Kind::NotFound) => hint.clone(),
                    Some(hint) => format!("{hint}; {without}"),
                    None => without.to_owned(),
                }
            }
            Self::Locked(_) | Self::Conflict | Self::RateLimited => "the next pass tries again".to_owned(),
            Self::Refused(_) => {
                "this is a defect of repoint: report it with this message, and move the endpoints by hand"
                    .to_owned()
            }
            Self::StateOfOtherEndpoints(_) => {
                "give each entry its own `name`, or each configuration its own state file or table; if the endpoints were \
                 replaced, `repoint adopt NAME` accepts the new ones"
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

/// The warning where the state is unavailable and not required.
#[must_use]
pub fn without_state(failure: &Failure) -> String {
    format!(
        "state store unavailable: {failure}; changes are made without it, since `[state] required = false`: an old primary is \
         not recognised by its timeline"
    )
}

/// The warnings where members cannot be discovered.
pub fn undiscovered(observed: &Observed) -> impl Iterator<Item = String> {
    let failures = observed.discovered.values().filter_map(|found| found.as_ref().err());
    failures.map(|failure| {
        format!("members cannot be discovered, and those that are known are asked: {}", failure.explained())
    })
}

/// Everything that was left alone.
#[must_use]
pub fn holds(verdict: &Verdict, plan: &Plan) -> Vec<HoldReport> {
    let whole = match verdict {
        Verdict::Primary(_) => None,
        Verdict::Hold(_) if plan.needs_no_primary => None,
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
            EndpointReason::Unreadable(failure) => failure.hint.clone(),
            _ => None,
        },
    });
    whole.into_iter().chain(endpoints).collect()
}
